"""Findings as a compiler prints them, or as one table over profiles; opens no file."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orion.runtime.checking import Finding

WIDEST = 120


def messages(file: str, text: bytes, findings: Sequence["Finding"]) -> Iterator[str]:
    """Each finding once: place and message, source line with a caret, chips, evidence, fix.

    The same finding on several profiles is told once, with the profiles it holds on.
    """
    lines = text.decode("utf-8", "replace").split("\n")
    for finding, profiles in _joined(findings):
        where = f" ({', '.join(profiles)})" if profiles else ""
        yield (
            f"{file}:{finding.line}:{finding.column}: {finding.severity}: {finding.message}"
            f" [{finding.rule}]{where}"
        )
        if finding.line <= len(lines):
            yield from _excerpt(lines[finding.line - 1], finding)
        if finding.profile is not None:
            yield f"  chips: {finding.chips}"
            yield f"  evidence: {finding.evidence}"
        if finding.fix is not None:
            yield f"  fix: {finding.fix['title']} (--fix)"


def _joined(findings: Iterable["Finding"]) -> list[tuple["Finding", list[str]]]:
    """Findings that differ in their profile alone, together, in order of place."""
    together: dict[tuple[object, ...], tuple[Finding, list[str]]] = {}
    for finding in findings:
        key = (finding.line, finding.column, finding.rule, finding.severity, finding.message)
        profiles = together.setdefault(key, (finding, []))[1]
        if finding.profile is not None:
            profiles.append(finding.profile)
    return sorted(together.values(), key=lambda entry: (entry[0].line, entry[0].column))


def _excerpt(line: str, finding: "Finding") -> Iterator[str]:
    """The source line, cut around the place when it is long, and a caret below the place."""
    raw = line.encode("utf-8")
    column = len(raw[: finding.column - 1].decode("utf-8", "replace"))
    end = column + 1
    if finding.end_line == finding.line:
        end = max(end, len(raw[: finding.end_column - 1].decode("utf-8", "replace")))
    first = max(0, column - WIDEST // 2) if len(line) > WIDEST else 0
    shown = line[first : first + WIDEST]
    blank = "".join("\t" if letter == "\t" else " " for letter in line[first:column])
    width = min(end, first + len(shown)) - column
    yield f"  {shown.rstrip()}"
    yield f"  {blank}^{'~' * max(width - 1, 0)}"


def table(
    findings: Sequence["Finding"], profiles: Sequence[str]
) -> tuple[list[str], list[list[object]]]:
    """A row for each profile: errors, warnings, notes, and the rules that it breaks with errors."""
    rows: list[list[object]] = []
    shared = [finding for finding in findings if finding.profile is None]
    for profile in profiles:
        held = shared + [finding for finding in findings if finding.profile == profile]
        counts = [sum(f.severity == kind for f in held) for kind in ("error", "warning", "note")]
        rules = list(dict.fromkeys(f.rule for f in held if f.severity == "error"))
        rows.append([profile, *counts, ", ".join(rules) or "-"])
    return ["profile", "errors", "warnings", "notes", "rules broken"], rows
