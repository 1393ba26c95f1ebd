"""Learning rates by step; knows nothing but numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

# How much of the way from the learning rate to its end is left, at `part` of the way there.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda part: 1.0,
    "linear": lambda part: 1.0 - part,
    "cosine": lambda part: 0.5 * (1.0 + math.cos(math.pi * part)),
}


def learning_rate(
    step: int,
    *,
    peak: float,
    end: float,
    schedule: str,
    warmup: int,
    iters: int,
    warmup_init: float = 0.0,
) -> float:
    """Of step 1, 2, ... `iters`: up to `peak` over the first `warmup`, then along the schedule."""
    if step <= warmup:
        return warmup_init + (peak - warmup_init) * step / warmup
    part = min(1.0, (step - warmup) / max(1, iters - warmup))
    if schedule == "constant":
        return peak
    return end + (peak - end) * SCHEDULES[schedule](part)
