"""What is wrong with a MIL text, told by the library; knows no file but the weights' directory."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from orion.runtime.abi import encode_text, library, take_text


@dataclass(frozen=True)
class Finding:
    """One fault at its place; lines and columns count from 1, columns in bytes.

    `profile` is None for faults of MIL's own; `fix` holds a title and edits in bytes, or is None.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    rule: str
    severity: str
    message: str
    chips: str
    evidence: str
    fix: dict[str, Any] | None
    profile: str | None


@dataclass(frozen=True)
class Outcome:
    """What became of one fix; `obstacle` says why it was not made."""

    rule: str
    line: int
    title: str
    obstacle: str | None


def check(
    text: str | bytes,
    *,
    profiles: Iterable[str] | None = None,
    model_dir: str | os.PathLike[str] | None = None,
) -> list[Finding]:
    """All faults of a MIL text, MIL's own and those of each profile's rules.

    `profiles`: names as `m4-macos15`; every simulated one when left out. `model_dir` is where the
    text finds its weight files; without it they stay closed.
    """
    found = json.loads(_ask(library().orion_check, text, profiles, model_dir))
    return [Finding(**fields) for fields in found]


def fix(
    text: str | bytes,
    *,
    profiles: Iterable[str] | None = None,
    model_dir: str | os.PathLike[str] | None = None,
) -> tuple[str, list[Outcome]]:
    """The text with every mechanical fix made, and what became of each."""
    facts = json.loads(_ask(library().orion_fix, text, profiles, model_dir))
    return facts["text"], [Outcome(**fields) for fields in facts["outcomes"]]


def _ask(
    function: Any,
    text: str | bytes,
    profiles: Iterable[str] | None,
    model_dir: str | os.PathLike[str] | None,
) -> str:
    encoded = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    names = None if profiles is None else ",".join(profiles)
    directory = None if model_dir is None else os.fspath(model_dir)
    return take_text(function, encoded, len(encoded), encode_text(directory), encode_text(names))


@dataclass(frozen=True)
class Result:
    """A value that a program computes: its name, the op that gives it, the line of its text."""

    name: str
    op: str
    line: int


def expose(
    text: str, function: str = "main", names: Iterable[str] | None = None
) -> tuple[str, list[Result]]:
    """The text with intermediate results among its outputs, and those in the order they are made.

    `names`: which; without it all that a tensor can hold.
    """
    encoded = text.encode("utf-8")
    chosen = None if names is None else ",".join(names)
    facts = json.loads(
        take_text(
            library().orion_expose,
            encoded,
            len(encoded),
            encode_text(function),
            encode_text(chosen),
        )
    )
    return facts["text"], [Result(**fields) for fields in facts["results"]]
