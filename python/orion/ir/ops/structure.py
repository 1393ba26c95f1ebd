"""Ops that move elements and compute nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..row import Op, mil
from ..shapes import concat, pad, reshape, slice_, split, transpose


def split_meaning(x: np.ndarray, axis: int, sizes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    return tuple(np.split(x, np.cumsum(sizes)[:-1], axis=axis))


def slice_meaning(x: np.ndarray, begin: tuple[int, ...], size: tuple[int, ...]) -> np.ndarray:
    return x[tuple(slice(b, b + n) for b, n in zip(begin, size, strict=True))]


def pad_meaning(x: np.ndarray, pad: tuple[int, ...]) -> np.ndarray:
    return np.pad(x, list(zip(pad[0::2], pad[1::2], strict=True)))


def pad_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    return (g.slice(dy, begin=n["pad"][0::2], size=n.x.type.shape),)


def slice_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    """Zeros where nothing was taken."""
    edges: list[int] = []
    for begin, size, length in zip(n["begin"], n["size"], n.x.type.shape, strict=True):
        edges += [begin, length - begin - size]
    return (g.pad(dy, pad=edges),)


def concat_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    if len(n.operands) == 1:
        return (dy,)
    sizes = tuple(value.type.shape[n["axis"]] for value in n.operands)
    return tuple(g.split(dy, axis=n["axis"], sizes=sizes))


def transpose_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    return (g.transpose(dy, perm=tuple(int(i) for i in np.argsort(n["perm"]))),)


# fmt: off
ROWS = (
    Op("reshape",   "x", "shape:ints", reshape, lambda x, shape: x.reshape(shape),
       lambda g, n, dy: (g.reshape(dy, shape=n.x.type.shape),), mil("reshape x")),
    Op("transpose", "x", "perm:ints",  transpose, lambda x, perm: x.transpose(perm),
       transpose_gradient, mil("transpose x")),
    Op("split",     "x", "axis:int sizes:ints", split, split_meaning,
       lambda g, n, dy: (g.concat(dy, axis=n["axis"]),), mil("split x", {"sizes": "split_sizes"})),
    Op("concat",    "values*", "axis:int", concat, np.concatenate, concat_gradient,
       mil("concat values", interleave=False)),
    Op("slice",     "x", "begin:ints size:ints", slice_, slice_meaning,
       slice_gradient, mil("slice_by_size x")),
    # Zeros before and after: `pad` holds both counts for each axis in turn.
    Op("pad",       "x", "pad:ints", pad, pad_meaning,
       pad_gradient, mil("pad x", mode="constant", constant_val=0.0)),
)
# fmt: on
