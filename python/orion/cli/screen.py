"""What a command says beside its result: to standard error, and moving only on a terminal."""

import contextlib
import sys
from collections.abc import Iterator, Sequence

from orion.runtime import Device


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def say_device(device: Device, asked: str) -> None:
    """What runs, and why when the user left it open."""
    if asked == "auto":
        say(device.reason)
    else:
        say(f"{device.name}: profile {device.profile}, route {device.route}")


def say_trace(device: Device) -> None:
    for line in device.take_trace():
        say(line)


@contextlib.contextmanager
def working(message: str) -> Iterator[None]:
    """A spinner while something takes long; nothing when nobody looks."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(message):
        yield


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as they need to be, numbers to the right; no frame, so that it greps."""
    cells = [list(headings), *[[_cell(value) for value in row] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numeric = [
        bool(rows) and all(isinstance(row[column], (int, float)) for row in rows)
        for column in range(len(headings))
    ]
    for line in cells:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        print("  ".join(padded).rstrip())


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
