"""MIL's own table of ops: a line for each version of an op. Runs nothing.

    gather ios16 x:T indices:I axis?!:int32 batch_dims?!:int32 T=fp16,fp32,int32 I=int16,int32

`?` marks an argument that may be left out, `!` one that is known before the run; after the colon
stands its type, or the letter of a set of types, or `tuple` for several values.

Run as a program it prints the table of the installed coremltools, which is where the lines are
from.
"""

from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_suffix(".txt")
OPSETS = ("ios15", "ios16", "ios17", "ios18")


@dataclass(frozen=True)
class Argument:
    name: str
    optional: bool
    constant: bool
    # The letter of a set of types, or a type.
    domain: str
    types: tuple[str, ...]


@dataclass(frozen=True)
class Version:
    """An op as the opsets from `opset` to the next version have it."""

    op: str
    opset: str
    arguments: dict[str, Argument]
    domains: dict[str, tuple[str, ...]]

    def allowed(self, domain: str) -> tuple[str, ...]:
        """The types that a letter stands for; a type stands for itself, several values for all."""
        anything = ("fp16", "fp32", "int32", "bool")
        return anything if domain == "tuple" else self.domains.get(domain, (domain,))


def parse(line: str) -> Version:
    op, opset, *words = line.split()
    domains = {}
    for word in words:
        if "=" in word:
            name, _, listed = word.partition("=")
            domains[name] = tuple(listed.split(","))
    arguments = {}
    for word in words:
        if "=" in word:
            continue
        head, _, kind = word.partition(":")
        name = head.rstrip("?!")
        types = domains.get(kind, (kind,))
        arguments[name] = Argument(name, "?" in head, "!" in head, kind, types)
    return Version(op, opset, arguments, domains)


VERSIONS = [parse(line) for line in FILE.read_text().splitlines()] if FILE.exists() else []
OPS = sorted({version.op for version in VERSIONS})


def versions(op: str) -> list[Version]:
    return [version for version in VERSIONS if version.op == op]


def version(op: str, opset: str) -> Version | None:
    """The op as an opset has it, or nothing when the opset is too early for it."""
    fitting = [v for v in versions(op) if OPSETS.index(v.opset) <= OPSETS.index(opset)]
    return fitting[-1] if fitting else None


def installed() -> list[str]:
    """The lines that the installed coremltools gives."""
    from coremltools.converters.mil.mil import types
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    def names(listed: object) -> str:
        return ",".join(sorted({types.builtin_to_string(t) for t in listed}))  # type: ignore[attr-defined]

    lines = []
    for op, by_version in SSAOpRegistry.core_ops.items():
        seen = set()
        for implementation in by_version.values():
            opset = implementation.__module__.split(".")[-2].lower()
            if opset not in OPSETS or opset in seen:
                continue
            seen.add(opset)
            words = [op, opset]
            domains = getattr(implementation, "type_domains", {})
            for name, kind in implementation.input_spec.input_types.items():
                allowed = getattr(kind, "type_domain", None)
                domain = getattr(kind, "type_domain_id", None)
                if type(kind).__name__ != "TensorInputType":
                    text = "tuple"
                else:
                    text = domain if domain in domains else names(allowed)
                mark = ("?" if kind.optional else "") + ("!" if kind.const else "")
                words.append(f"{name}{mark}:{text}")
            words += [f"{name}={names(listed)}" for name, listed in domains.items()]
            lines.append(" ".join(words))
    return sorted(lines)


if __name__ == "__main__":
    print("\n".join(installed()))
