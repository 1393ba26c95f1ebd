"""Types of values: a dtype and a shape; knows no ops.

Shapes are fixed: every axis has a length of at least 1. A scalar has shape ().
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

# name: numpy's type for stored values
DTYPES: dict[str, Any] = {
    "fp16": np.float16,
    "fp32": np.float32,
    "int32": np.int32,
    "int8": np.int8,
    "bool": np.bool_,
}
FLOATS = frozenset({"fp16", "fp32"})


@dataclass(frozen=True)
class TensorType:
    """What a value is: `fp16 [1, 64, 1, 32]`."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def is_float(self) -> bool:
        return self.dtype in FLOATS

    def with_shape(self, shape: tuple[int, ...]) -> TensorType:
        return TensorType(self.dtype, shape)

    def __str__(self) -> str:
        return f"{self.dtype} [{', '.join(map(str, self.shape))}]"


def dtype_of(array: np.ndarray) -> str:
    """Name of an array's dtype; float64 counts as fp32, any longer integer as int32."""
    if array.dtype == np.float16:
        return "fp16"
    if array.dtype.kind == "f":
        return "fp32"
    if array.dtype.kind == "b":
        return "bool"
    if array.dtype == np.int8:
        return "int8"
    if array.dtype.kind in "iu":
        return "int32"
    raise TypeError(f"no dtype for numpy's {array.dtype}")
