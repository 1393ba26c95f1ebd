"""A tensor of a checkpoint that is read when its numbers are wanted; knows no file format.

It is indexed, turned and reshaped like an array, and none of that reads anything:

    tensor.T[:64].reshape(64, -1, 1, 1)

Numbers come as fp32 or fp16; bf16 is widened to fp32 on the way, which loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from math import prod
from typing import Any

import numpy as np

# how numbers are stored: numpy's type of what is read
STORED: dict[str, Any] = {"fp32": np.float32, "fp16": np.float16, "bf16": np.uint16}
# Elements converted at a time, so that a large tensor needs no second copy of itself.
BLOCK_ELEMENTS = 1 << 20


class LazyTensor:
    """`read` gives the stored numbers, best as a view of a mapped file; `name` is the file's.

    Tensors of equal `identity` hold equal numbers. A `dtype` outside of `STORED` is one whose
    numbers cannot be used here: such a tensor has a name and a shape, and is never read.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: str,
        read: Callable[[], np.ndarray],
        identity: Hashable,
        name: str = "",
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.identity = identity
        self.name = name
        # What this is a view of.
        self.origin = self
        self._read = read

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"

    @property
    def T(self) -> LazyTensor:  # noqa: N802
        return self._view(("T",), lambda array: array.T)

    def reshape(self, *shape: Any) -> LazyTensor:
        lengths = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        view = self._view((), lambda array: array.reshape(lengths))
        # The order of the numbers stays, so they are the same.
        view.identity = self.identity
        return view

    def __getitem__(self, index: Any) -> Any:
        """Slices stay lazy; rows picked by ids are read."""
        parts = index if isinstance(index, tuple) else (index,)
        if all(isinstance(part, slice) for part in parts):
            tag = tuple((part.start, part.stop, part.step) for part in parts)
            return self._view(tag, lambda array: array[index])
        return widened(self._read()[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = widened(self._read())
        return array.astype(dtype or array.dtype, copy=bool(copy))

    def blocks(self, elements: int = BLOCK_ELEMENTS) -> Iterator[np.ndarray]:
        """The numbers in row-major order, flat, about `elements` at a time."""
        array = self._read()
        rows = array.reshape(1) if array.ndim == 0 else array
        count = max(1, elements // max(1, prod(rows.shape[1:])))
        for first in range(0, len(rows), count):
            yield widened(np.ascontiguousarray(rows[first : first + count]).reshape(-1))

    def _view(self, tag: Hashable, view: Callable[[np.ndarray], np.ndarray]) -> LazyTensor:
        shape = shape_of(view, self.shape)
        read = self._read
        seen = (self.identity, self.shape, tag)
        result = LazyTensor(shape, self.dtype, lambda: view(read()), seen, self.name)
        result.origin = self.origin
        return result


def shape_of(view: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...]) -> tuple[int, ...]:
    """What `view` makes of an array of this shape, tried on one that takes no memory."""
    one = np.zeros(1, np.int8)
    return view(np.lib.stride_tricks.as_strided(one, shape, (0,) * len(shape))).shape


def lazy(array: np.ndarray, name: str = "") -> LazyTensor:
    """An array in memory as a tensor; its identity is the memory."""
    memory = array.__array_interface__
    place = (name, memory["data"][0], memory["strides"], array.shape)
    dtype = {np.dtype(stored): dtype for dtype, stored in STORED.items() if dtype != "bf16"}
    return LazyTensor(
        array.shape, dtype.get(array.dtype, str(array.dtype)), lambda: array, place, name
    )


def widened(array: np.ndarray) -> np.ndarray:
    """bf16, which is read as its bits, as fp32; all else as it is."""
    if array.dtype != np.uint16:
        return array
    return (array.astype(np.uint32) << np.uint32(16)).view(np.float32)


def narrowed(array: np.ndarray) -> np.ndarray:
    """The bits of fp32 numbers rounded to bf16, half to even."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded >> np.uint32(16)).astype(np.uint16)
