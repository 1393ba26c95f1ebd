"""Estimates as rows of tables: headings and cells; prints nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .model import ModelEstimate, Program
from .training import TrainingEstimate

Table = tuple[list[str], list[list[object]]]


def model_table(estimates: Sequence[ModelEstimate]) -> Table:
    head = ["profile", "decode tok/s", "measured in", "bound", "prefill tok/s", "bound"]
    head += ["compile s", "programs", "load ms", "MB", "mJ/token"]
    return head, [
        [
            estimate.profile,
            digits(estimate.decode_tokens_per_s),
            rate_range(estimate.decode_tokens_per_s, estimate.band),
            estimate.decode.bound,
            digits(estimate.prefill_tokens_per_s),
            estimate.prefill.bound,
            digits(estimate.compile_s),
            estimate.program_count,
            digits(1e3 * estimate.load_s),
            round(estimate.decode.bytes / 1e6),
            energy(1e3 * estimate.decode.joules),
        ]
        for estimate in estimates
    ]


def training_table(estimates: Sequence[TrainingEstimate]) -> Table:
    head = ["profile", "weights", "step ms", "measured in", "device", "host", "new weights"]
    head += ["bound", "tok/s", "compile s", "programs", "MB", "J/step"]
    return head, [
        [
            estimate.profile,
            estimate.way,
            digits(1e3 * estimate.step_s),
            time_range(1e3 * estimate.step_s, estimate.band),
            digits(1e3 * estimate.device_s),
            digits(1e3 * estimate.host_s),
            digits(1e3 * estimate.change_s),
            estimate.bound,
            digits(estimate.tokens_per_s),
            digits(estimate.compile_s),
            len(estimate.programs),
            round(estimate.device_bytes / 1e6),
            energy(estimate.joules),
        ]
        for estimate in estimates
    ]


def program_table(programs: Sequence[Program]) -> Table:
    """Of one profile, in milliseconds."""
    head = ["program", "ms", "bound", "dispatch", "products", "memory", "passes"]
    head += ["GFLOP", "MB weights", "MB in", "MB out", "mJ"]
    return head, [
        [
            program.name,
            digits(1e3 * program.time.seconds),
            program.time.bound,
            *(
                digits(1e3 * part)
                for part in (
                    program.time.dispatch,
                    program.time.products,
                    program.time.memory,
                    program.time.passes,
                )
            ),
            digits(program.work.flops / 1e9),
            *(
                digits(count / 1e6)
                for count in (program.work.weights, program.work.inputs, program.work.outputs)
            ),
            energy(1e3 * program.time.joules),
        ]
        for program in programs
    ]


def profile_table(programs: Mapping[str, Sequence[Program]]) -> Table:
    """Programs by profile: milliseconds, and what binds: dispatch, bandwidth or compute."""
    names = [program.name for program in next(iter(programs.values()))]
    rows: list[list[object]] = []
    for index, name in enumerate(names):
        times = [found[index].time for found in programs.values()]
        cells = [f"{digits(1e3 * time.seconds)} {time.bound[0]}" for time in times]
        rows.append([name, *cells])
    return ["program, ms", *programs], rows


def claim_table(found: Sequence[Mapping[str, Any]]) -> Table:
    head = ["profile", "measured on", "what", "published", "predicted", "ratio", "by"]
    keys = ("profile", "chip", "what", "published", "predicted", "ratio", "source")
    return head, [
        [digits(row[key]) if isinstance(row[key], float | int) else row[key] for key in keys]
        for row in found
    ]


def paper_table(found: Sequence[Mapping[str, Any]], table: str) -> Table:
    head = [table, "unit", "claimed", "predicted", "ratio", "note"]
    return head, [
        [
            row["what"],
            row["unit"],
            digits(row["claim"]),
            digits(row["predicted"]),
            f"{row['ratio']:.2f}",
            "a coefficient is fitted to it" if row["fitted"] else "",
        ]
        for row in found
        if row["table"] == table
    ]


def digits(value: float) -> str:
    """Three that count; whole numbers whole."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def energy(value: float) -> str:
    return digits(value) if value else "-"


def rate_range(rate: float, band: tuple[float, float]) -> str:
    """Where a measured rate lies in nine cases of ten; the band is predicted over measured time."""
    low, high = band
    return f"{digits(rate * low)} to {digits(rate * high)}" if high else "-"


def time_range(time: float, band: tuple[float, float]) -> str:
    low, high = band
    return f"{digits(time / high)} to {digits(time / low)}" if high else "-"
