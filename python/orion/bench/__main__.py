"""`python -m orion.bench CASE...`: measures cases and prints a row for each."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from ..errors import OrionError
from . import kernel_cases, train_case, update_case
from .machine import Limits, measure_limits
from .peer import PYTHON_VARIABLE
from .rows import Row, compare, save

CASES: dict[str, Callable[[Limits, int, str | None], Iterator[Row]]] = {
    "kernels": kernel_cases.run,
    "train": train_case.run,
    "update": update_case.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").strip())
    parser.add_argument("case", nargs="+", choices=list(CASES))
    parser.add_argument("--repeats", type=int, default=5, help="runs of which the median is told")
    parser.add_argument(
        "--peer",
        help="measured in turn with us: openblas (kernels), jax, torch, torch-compile (train)",
    )
    parser.add_argument("--peer-python", metavar="FILE", help="the Python that has the peer")
    parser.add_argument("--json", action="store_true", help="an array of rows and nothing else")
    parser.add_argument("--save-baseline", type=Path, metavar="FILE")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="warn where it was faster")
    options = parser.parse_args()
    if options.peer_python:
        os.environ[PYTHON_VARIABLE] = options.peer_python
    try:
        rows = measured(options)
        if options.save_baseline:
            save(rows, options.save_baseline)
        warnings = compare(rows, options.compare) if options.compare else []
    except OrionError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def measured(options: argparse.Namespace) -> list[Row]:
    limits = measure_limits()
    rows: list[Row] = []

    def add(row: Row) -> None:
        rows.append(row)
        if not options.json:
            print(row.text(), flush=True)

    for row in limits.rows():
        add(row)
    for case in options.case:
        for row in CASES[case](limits, max(1, options.repeats), options.peer):
            add(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())
