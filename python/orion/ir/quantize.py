"""Weights in 8 bits: what "codes" and "scales" of a tensor are; knows no graph.

Symmetric, by output channel: a row's scale is its largest magnitude over 127, and a code is the
row over the scale, rounded half to even. Row: all that one index of the first axis holds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from math import prod
from typing import Any

import numpy as np

CODE_MAX = 127
# Elements read at a time, so that a large tensor needs no second copy of itself.
BLOCK_ELEMENTS = 1 << 20


class Part:
    """One of the two parts of a tensor, made when its numbers are wanted."""

    def __init__(self, source: Any, name: str, width: int) -> None:
        self.source = source
        self.name = name
        # Numbers of this part for each row of the source.
        self.width = width
        self.shape: tuple[int, ...] = source.shape if width > 1 else source.shape[:1]

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def identity(self) -> Hashable:
        return (identity_of(self.source), self.name)

    @property
    def origin(self) -> Any:
        """The tensor of the checkpoint that this is made of."""
        return getattr(self.source, "origin", self.source)

    def __len__(self) -> int:
        return self.shape[0]

    def reshape(self, shape: tuple[int, ...]) -> Part:
        assert prod(shape) == self.size, f"{self.shape} is no {shape}"
        same = Part(self.source, self.name, self.width)
        same.shape = tuple(shape)
        return same

    def blocks(self, elements: int = BLOCK_ELEMENTS) -> Iterator[np.ndarray]:
        """The numbers in row-major order, flat, as many at a time as about `elements` give."""
        for rows in blocks_of_rows(self.source, elements):
            scales = row_scales(rows)
            yield codes_of(rows, scales).reshape(-1) if self.name == "codes" else scales

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = np.concatenate(list(self.blocks())).reshape(self.shape)
        return array if dtype is None else array.astype(dtype)


def codes(tensor: Any) -> Part:
    return Part(tensor, "codes", tensor.size // len(tensor))


def scales(tensor: Any) -> Part:
    return Part(tensor, "scales", 1)


# part of a weight node: how it is made of a tensor
PARTS: Mapping[str, Callable[[Any], Part]] = {"codes": codes, "scales": scales}


def row_scales(rows: np.ndarray) -> np.ndarray:
    return np.abs(rows).max(axis=1) / np.float32(CODE_MAX)


def codes_of(rows: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Numbers that are not finite get any code; their scale shows them."""
    divisors = np.where(scales > 0, scales, np.float32(1))[:, None]
    with np.errstate(invalid="ignore"):
        return np.rint(rows / divisors).astype(np.int8)


def blocks_of_rows(tensor: Any, elements: int) -> Iterator[np.ndarray]:
    """[rows, width] in fp32, some rows at a time."""
    width = tensor.size // len(tensor)
    if not isinstance(tensor, np.ndarray):
        for block in tensor.blocks(elements):
            yield block.reshape(-1, width).astype(np.float32, copy=False)
        return
    count = max(1, elements // width)
    for first in range(0, len(tensor), count):
        yield tensor[first : first + count].reshape(-1, width).astype(np.float32)


def identity_of(tensor: Any) -> Any:
    """The same for the same numbers: what a checkpoint's tensor says of itself, or the memory."""
    if not isinstance(tensor, np.ndarray):
        return tensor.identity
    memory = tensor.__array_interface__
    return (memory["data"][0], memory["strides"], tensor.size, str(tensor.dtype))
