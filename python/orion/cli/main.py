"""Finds the commands, runs one, and turns what goes wrong into one line and an exit code."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from orion import __version__
from orion.cli import commands
from orion.errors import OrionError

FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """0 done, 1 failed, 2 used wrongly."""
    _open_streams()
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read the output has left; the interpreter must not try to flush into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:
        if os.environ.get("ORION_DEBUG") == "1":
            raise
        message, code = explain(error)
        print(f"orion: {message}", file=sys.stderr)
        return code


def explain(error: Exception) -> tuple[str, int]:
    """One line for the user, and the exit code."""
    if isinstance(error, OrionError):
        return str(error), error.exit_code
    if isinstance(error, OSError):
        place = error.filename or "standard output, or a file"
        return f"{place}: {error.strerror or error}.", FAILED
    kind = type(error).__name__
    return f"a fault of Orion's own, {kind}: {error}. ORION_DEBUG=1 shows where.", FAILED


def _open_streams() -> None:
    """A caller may have closed them; what is said then goes nowhere, and nothing else breaks."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _run(arguments: Sequence[str]) -> int:
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    parsed = make_parser().parse_args(arguments)
    code: int = parsed.run(parsed)
    return code


def make_parser() -> argparse.ArgumentParser:
    """The whole command line; the reference of the documentation is made from it too."""
    parser = argparse.ArgumentParser(
        prog="orion",
        description="Compiles, runs and trains small language models on Apple's Neural Engine, or"
        " on one in software.",
    )
    parser.add_argument("--version", action="version", version=f"orion {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in _commands():
        text = (module.__doc__ or "").strip().splitlines()[0]
        subparser = subparsers.add_parser(name, help=text, description=text)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def _commands() -> list[tuple[str, ModuleType]]:
    names = sorted(module.name for module in iter_modules(commands.__path__))
    return [(name, import_module(f"{commands.__name__}.{name}")) for name in names]
