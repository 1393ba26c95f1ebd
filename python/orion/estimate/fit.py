"""Coefficients that explain published measurements best, and how well they foretell others.

Peaks are the best rates that were seen. The others make the sum of |log(predicted / measured)| as
small as it gets: all by themselves, one coefficient at a time, in steps that shrink. Floors, weight
streams and sizes stay what the profile says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import Any

from ..compile.cost import PRODUCTS, predict
from .published import Measurement, measurements

# Whose measurements tell of a profile's chip: its own, else those of a chip with as many cores.
CHIPS = {
    "m1-macos15": ("M1",),
    "m2-macos15": ("M2 Pro",),
    "m4-macos15": ("M4",),
    "m4max-macos15": ("M4", "M4 Max"),
    "m5-macos26": ("M5",),
    "m5max-macos26": ("M5 Pro",),
    "paper": ("M4", "M4 Max"),
}
# It says what the paper says, and nothing is fitted.
AS_STATED = ("paper",)
# What is fitted, with where the search begins; a chip without such measurements keeps its own.
FITTED = {
    "input_bytes": 1e10,
    "output_bytes": 5e9,
    "softmax_elements": 5e9,
    "norm_elements": 1.2e9,
    "slowdown": 1.5,
}
STEPS = (1.5, 1.2, 1.08, 1.03, 1.01)
ROUNDS_MAX = 30
# A program tells of a peak when handing it over is at most this share of its time.
DISPATCH_SHARE_MAX = 0.1
# The share of measurements that an error band leaves out at each end.
LEFT_OUT = 0.05


def peaks(rows: Sequence[Measurement], cost: Mapping[str, Any]) -> dict[str, float]:
    """The best rate of each kind of product."""
    found: dict[str, float] = {}
    for row in rows:
        for op in row.work.ops:
            total, dispatch = row.milliseconds / 1e3, cost["dispatch_seconds"]
            if op.kind in PRODUCTS and row.is_fitted and dispatch <= DISPATCH_SHARE_MAX * total:
                seconds = total - dispatch
                name = f"{op.kind}_flops"
                found[name] = max(found.get(name, 0.0), op.amount / seconds)
    return found


def fit(rows: Sequence[Measurement], cost: Mapping[str, Any]) -> dict[str, Any]:
    """`cost` with the coefficients that these measurements tell of."""
    used = [row for row in rows if row.is_fitted]
    judges = {name: [row for row in used if tells(row, name)] for name in FITTED}
    now = dict(cost) | peaks(used, cost) | FITTED
    for step in STEPS:
        for _ in range(ROUNDS_MAX):
            changed = False
            for name, judged in judges.items():
                for factor in (step, 1 / step):
                    tried = now | {name: now[name] * factor}
                    if (
                        misfit(judged, tried) < misfit(judged, now) - 1e-9
                        and tried["slowdown"] >= 1
                    ):
                        now, changed = tried, True
            if not changed:
                break
    blind = [
        name
        for name, judged in judges.items()
        if misfit(judged, now | {name: now[name] * 1.1}) == misfit(judged, now)
    ]
    return now | {name: cost[name] for name in blind}


def tells(row: Measurement, coefficient: str) -> bool:
    """What a product loses by its size is seen on products, not on what is slow otherwise."""
    return coefficient != "slowdown" or any(op.kind in PRODUCTS for op in row.work.ops)


def misfit(rows: Sequence[Measurement], cost: Mapping[str, Any]) -> float:
    return sum(abs(log(ratio(row, cost))) for row in rows)


def ratio(row: Measurement, cost: Mapping[str, Any]) -> float:
    """Predicted over measured."""
    return predict(row.work, cost).seconds * 1e3 / row.milliseconds


def left_out(rows: Sequence[Measurement], cost: Mapping[str, Any]) -> list[float]:
    """Predicted over measured of every row, by a fit to the rows without it."""
    fitted = fit(rows, cost)
    return [
        ratio(row, fit([r for r in rows if r is not row], cost) if row.is_fitted else fitted)
        for row in rows
    ]


def error_band(profile: Mapping[str, Any]) -> tuple[float, float]:
    """Of predictions for the profile's chip, predicted over measured."""
    rows, cost = measurements(*CHIPS[profile["name"]]), profile["cost"]
    if profile["name"] in AS_STATED:
        return band([ratio(row, cost) for row in rows])
    return band(left_out(rows, cost))


def band(ratios: Sequence[float]) -> tuple[float, float]:
    """Between which nine in ten lie."""
    ordered = sorted(ratios)
    last = len(ordered) - 1
    return ordered[round(LEFT_OUT * last)], ordered[round((1 - LEFT_OUT) * last)]
