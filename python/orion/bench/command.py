"""What `orion bench` and scripts/bench take and do: measures cases, prints a row for each."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

from . import (
    compile_case,
    decode_case,
    kernel_cases,
    prefill_case,
    startup_case,
    train_case,
    update_case,
)
from .machine import Limits, measure_limits
from .peer import PYTHON_VARIABLE
from .rows import Row, compare, save

CASES: dict[str, Callable[[Limits, int, str | None], Iterator[Row]]] = {
    "kernels": kernel_cases.run,
    "prefill": prefill_case.run,
    "decode": decode_case.run,
    "train": train_case.run,
    "update": update_case.run,
    "compile": compile_case.run,
    "startup": startup_case.run,
}


def run(options: argparse.Namespace) -> int:
    """0 when all was measured; OrionError names what could not be."""
    if options.peer_python:
        os.environ[PYTHON_VARIABLE] = options.peer_python
    rows = measured(options)
    if options.save_baseline:
        save(rows, options.save_baseline)
    warnings = compare(rows, options.compare) if options.compare else []
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
