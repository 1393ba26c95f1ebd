"""What `orion bench` and scripts/bench take and do: measures cases, prints a row for each."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

from ..errors import UsageError
from ..files import check_writable
from . import (
    compile_case,
    decode_case,
    kernel_cases,
    model_peers,
    prefill_case,
    startup_case,
    train_case,
    update_case,
)
from .machine import Limits, measure_limits
from .peer import BINARY_VARIABLE, PYTHON_VARIABLE
from .rows import Row, compare, read_baseline, save

CASES: dict[str, Callable[[Limits, int, str | None], Iterator[Row]]] = {
    "kernels": kernel_cases.run,
    "prefill": prefill_case.run,
    "decode": decode_case.run,
    "train": train_case.run,
    "update": update_case.run,
    "compile": compile_case.run,
    "startup": startup_case.run,
}
# For each peer of a case what raises OrionError when it cannot be run.
PEERS: dict[str, dict[str, Callable[[], None]]] = {
    **{case: {} for case in CASES},
    "kernels": kernel_cases.checks(),
    "prefill": model_peers.checks("prefill"),
    "decode": model_peers.checks("decode"),
    "train": train_case.checks(),
}


def run(options: argparse.Namespace) -> int:
    """0 when all was measured; OrionError names what could not be."""
    if options.repeats < 1:
        raise UsageError(f"--repeats is 1 or more, not {options.repeats}.")
    for variable, named in (
        (PYTHON_VARIABLE, options.peer_python),
        (BINARY_VARIABLE, options.peer_binary),
    ):
        if named:
            os.environ[variable] = named
    for case in options.case:
        check_peer(case, options.peer)
    baseline = read_baseline(options.compare) if options.compare else None
    if options.save_baseline:
        check_writable(options.save_baseline)
    rows = measured(options)
    if options.save_baseline:
        save(rows, options.save_baseline)
    warnings = compare(rows, baseline) if baseline is not None else []
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def check_peer(case: str, peer: str | None) -> None:
    """OrionError when the case knows no such peer or it cannot be run: before all measuring."""
    if peer is None:
        return
    if peer not in PEERS[case]:
        known = ", ".join(PEERS[case])
        told = f"known are {known}" if known else "the case runs alone"
        raise UsageError(f"{case}: no peer {peer!r} is known; {told}")
    PEERS[case][peer]()


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
        for row in CASES[case](limits, options.repeats, options.peer):
            add(row)
    return rows
