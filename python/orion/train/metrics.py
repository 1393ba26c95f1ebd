"""A run's numbers as lines of JSON, one a step; knows no run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import OrionError


class MetricsFile:
    """Lines are written as they come. One that goes on after a step forgets what came later."""

    def __init__(self, path: Path, after: int = 0) -> None:
        self.path = path
        kept = [line for line in read_lines(path) if line["step"] <= after]
        temporary = path.with_name(f".{path.name}.new")
        with temporary.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in kept)
        temporary.replace(path)
        self._file = path.open("a", encoding="utf-8")

    def add(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps({key: plain(value) for key, value in line.items()}) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def plain(value: Any) -> Any:
    """JSON has no word for what is not finite; null says so."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """All whole lines; one that a kill cut short is the last and counts for nothing."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:
                return
            if isinstance(row, dict) and isinstance(row.get("step"), int):
                yield row


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """Of a run's directory or file; OrionError when there is none."""
    place = Path(path)
    file = place / METRICS if place.is_dir() else place
    rows = list(read_lines(file))
    if not rows:
        raise OrionError(
            f"{place}: expected {METRICS} of a run with at least one step, found none; name the"
            " directory that `orion train` wrote"
        )
    return rows


METRICS = "metrics.jsonl"
