"""The process in which chat templates run: a JSON line in, a JSON line out; imports Jinja alone."""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from datetime import datetime
from typing import Any, NoReturn

# What lies beside this file must not be taken for a module of that name.
sys.path[:1] = []

MEMORY_MAX = 1 << 30
CPU_SECONDS_MAX = 30


def main() -> None:
    limit(resource.RLIMIT_AS, MEMORY_MAX)
    for line in sys.stdin.buffer:
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + CPU_SECONDS_MAX)
        sys.stdout.write(json.dumps(answer_to(json.loads(line))) + "\n")
        sys.stdout.flush()


def limit(kind: int, most: int) -> None:
    """Should nobody be left to end this process, the system does; not all have every limit."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


def answer_to(request: dict[str, Any]) -> dict[str, str]:
    try:
        import jinja2  # noqa: F401 - here, where its absence can be told
    except ImportError:
        return {"error": "needs Jinja, which is not installed; run: pip install 'orion-ane[chat]'"}
    try:
        return {"text": render(request)}
    except Exception as error:
        return {"error": explain(error)}


def explain(error: Exception) -> str:
    import jinja2
    from jinja2.exceptions import SecurityError

    if isinstance(error, SecurityError):
        return f"reaches for what templates must not touch: {error}"
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"has a fault in line {error.lineno}: {error.message}"
    if isinstance(error, jinja2.TemplateError):
        return f"refuses the conversation: {error}"
    if isinstance(error, MemoryError):
        return "needs more memory than a template should."
    return f"fails: {type(error).__name__}: {str(error)[:300]}"


def render(request: dict[str, Any]) -> str:
    import jinja2

    environment = sandbox()
    refuse_files(environment.parse(request["template"]))
    text, size = [], 0
    for part in environment.from_string(request["template"]).generate(**request["variables"]):
        size += len(part)
        if size > request["text_max"]:
            raise jinja2.TemplateError(f"its text is longer than {request['text_max']} characters")
        text.append(part)
    return "".join(text)


def sandbox() -> Any:
    """An environment as Hugging Face's templates expect it."""
    import jinja2
    import jinja2.ext
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(jinja2.ext.Extension):
        """`{% generation %}` marks an answer for training; here it is its content."""

        tags = {"generation"}  # noqa: RUF012 - Jinja's own way

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> NoReturn:
        raise jinja2.TemplateError(message)

    def to_json(value: Any, **options: Any) -> str:
        allowed = ("ensure_ascii", "indent", "separators", "sort_keys")
        chosen = {name: options[name] for name in allowed if name in options}
        return json.dumps(value, **{"ensure_ascii": False, **chosen})

    class Sandbox(ImmutableSandboxedEnvironment):
        """What must not be touched is refused at once, not when it is used."""

        def unsafe_undefined(self, obj: Any, attribute: str) -> NoReturn:
            kind = type(obj).__name__
            raise SecurityError(f"{attribute!r} of an object of type {kind!r}")

    environment = Sandbox(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[Generation, "jinja2.ext.loopcontrols"],
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


def refuse_files(tree: Any) -> None:
    from jinja2 import nodes
    from jinja2.exceptions import SecurityError

    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        kind = type(node).__name__.lower()
        raise SecurityError(f"line {node.lineno} takes in another file ({kind})")


if __name__ == "__main__":
    main()
