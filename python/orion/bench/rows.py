"""What a measurement says: one row a case, printed, as JSON, and against a baseline."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import OrionError
from ..files import write_file

# Slower than its baseline by more than this is worth a warning.
TOLERANCE = 0.15
# Seconds after which the threads of the body before, which may look for work a while, are asleep.
REST = 0.1
# In `detail` of what has a limit that this run did not measure.
LIMIT_NOT_REACHED = {"limit": "not reached"}


@dataclass(frozen=True)
class Row:
    """`value` is the median of `runs`. `share` is of `limit`; `ratio` is value over `peer_value`,
    or the other way round where less is better. `detail` holds further numbers by name.
    """

    case: str
    value: float
    unit: str
    limit: float | None = None
    share: float | None = None
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    runs: tuple[float, ...] = ()
    less_is_better: bool = False
    detail: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        parts = [f"{self.case:<44} {self.value:10.4g} {self.unit}"]
        if self.share is not None:
            parts.append(f"{100 * self.share:5.1f} % of {self.limit:.4g}")
        if self.ratio is not None:
            parts.append(f"{self.ratio:.2f} x {self.peer} ({self.peer_value:.4g})")
        parts += [f"{name} {_plain(value)}" for name, value in self.detail.items()]
        return "  ".join(parts)


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def make_row(
    case: str,
    runs: Iterable[float],
    unit: str,
    *,
    limit: float | None = math.inf,
    peer: tuple[str, Iterable[float]] | None = None,
    less_is_better: bool = False,
    detail: dict[str, Any] | None = None,
) -> Row:
    """`limit` None: it was not reached, which the row says; infinite: there is none."""
    kept = tuple(runs)
    value = statistics.median(kept)
    detail = dict(detail or {})
    if limit is None:
        detail |= LIMIT_NOT_REACHED
    elif math.isinf(limit):
        limit = None
    share = None if limit is None else (limit / value if less_is_better else value / limit)
    name, peer_value, ratio = None, None, None
    if peer is not None:
        name, peer_value = peer[0], statistics.median(peer[1])
        ratio = peer_value / value if less_is_better else value / peer_value
    return Row(
        case,
        value,
        unit,
        limit,
        share,
        name,
        peer_value,
        ratio,
        kept,
        less_is_better,
        detail,
    )


def interleaved(
    bodies: dict[str, Callable[[], float]], repeats: int
) -> dict[str, tuple[float, ...]]:
    """Each body's numbers, one round of all after the other, so that a drift meets all alike."""
    found: dict[str, list[float]] = {name: [] for name in bodies}
    for _ in range(repeats):
        for name, body in bodies.items():
            if len(bodies) > 1:
                time.sleep(REST)
            found[name].append(body())
    return {name: tuple(values) for name, values in found.items()}


def save(rows: Iterable[Row], path: Path) -> None:
    text = json.dumps([asdict(row) for row in rows], indent=1) + "\n"
    write_file(path, text.encode("utf-8"))


def read_baseline(path: Path) -> dict[str, float]:
    """Values by case. OrionError when the file is none that `save` wrote."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        read = {str(row["case"]): float(row["value"]) for row in rows}
    except OSError as error:
        raise no_baseline(path, error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise no_baseline(path, "it holds no rows") from error
    if not all(0 < value < math.inf for value in read.values()):
        raise no_baseline(path, "a value in it is no speed and no time")
    return read


def no_baseline(path: Path, reason: str) -> OrionError:
    return OrionError(f"{path}: no baseline: {reason}; write one with --save-baseline")


def compare(rows: Iterable[Row], read: Mapping[str, float]) -> list[str]:
    """A line for every case that is slower than the baseline says by more than TOLERANCE, and one
    that names the cases of which it says nothing.
    """
    warnings, missing = [], []
    for row in rows:
        before = read.get(row.case)
        if before is None:
            missing.append(row.case)
            continue
        change = row.value / before if row.less_is_better else before / row.value
        if change > 1 + TOLERANCE:
            warnings.append(
                f"{row.case}: {row.value:.4g} {row.unit}, the baseline {before:.4g}:"
                f" {100 * (change - 1):.0f} % slower"
            )
    if missing:
        warnings.append(f"the baseline has no {', no '.join(missing)}: not compared")
    return warnings
