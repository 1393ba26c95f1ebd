"""The optimizer's step over the parameters of Stories110M: bytes that have to move, beside a copy.

AdamW reads weight, gradient and both moments and writes three of them; with the device's fp16 copy
it writes two bytes more. The arrays are those of a training run: far larger than any cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import numpy as np

from ..runtime import kernels
from .machine import Limits
from .rows import Row, interleaved, make_row

PARAMETERS = 109_529_856


def run(limits: Limits, repeats: int, peer: str | None) -> Iterator[Row]:
    w, g, m, v = (np.full(PARAMETERS, 0.01, np.float32) for _ in range(4))
    copy = np.zeros(PARAMETERS, np.float16)

    def rate(bytes_each: int, half: np.ndarray | None) -> float:
        begun = perf_counter()
        kernels.adamw(w, g, m, v, step=10, learning_rate=1e-4, copy=half)
        return bytes_each * PARAMETERS / (perf_counter() - begun) / 1e9

    bodies = {
        "adamw": lambda: rate(28, None),
        "adamw and fp16 copy": lambda: rate(30, copy),
    }
    for name, runs in interleaved(bodies, repeats).items():
        yield make_row(f"update/{name}", runs, "GB/s", limit=limits.copy_limit)
