"""Ops that multiply matrices: `matmul` of two values, `linear` by a weight."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..row import Op, mil
from ..shapes import linear, matmul


def matmul_meaning(
    x: np.ndarray, y: np.ndarray, transpose_x: bool, transpose_y: bool
) -> np.ndarray:
    return np.matmul(
        x.swapaxes(-1, -2) if transpose_x else x, y.swapaxes(-1, -2) if transpose_y else y
    )


def matmul_gradient(g: Any, n: Any, dz: Any) -> tuple[Any, ...]:
    x_turned, y_turned = n["transpose_x"], n["transpose_y"]
    if x_turned:
        dx = g.matmul(n.y, dz, transpose_x=y_turned, transpose_y=True)
    else:
        dx = g.matmul(dz, n.y, transpose_y=not y_turned)
    if y_turned:
        dy = g.matmul(dz, n.x, transpose_x=True, transpose_y=x_turned)
    else:
        dy = g.matmul(n.x, dz, transpose_x=not x_turned)
    return (dx, dy)


def linear_meaning(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    batch, channels, height, width = x.shape
    columns = x.reshape(batch, channels, height * width)
    result = np.matmul(weight[:, :, 0, 0], columns)
    return result.reshape(batch, weight.shape[0], height, width)


def linear_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    """Products with the flags set, so that nothing is turned over."""
    batch, channels, height, width = n.x.type.shape
    out = n.weight.type.shape[0]
    columns = height * width
    dy_flat = g.reshape(dy, shape=(batch, out, columns))
    x_flat = g.reshape(n.x, shape=(batch, channels, columns))
    weight = g.reshape(n.weight, shape=(1, out, channels))
    dx = g.matmul(weight, dy_flat, transpose_x=True)
    each = g.matmul(dy_flat, x_flat, transpose_y=True)
    total = each if batch == 1 else g.reduce_sum(each, axes=(0,))
    return (g.reshape(dx, shape=n.x.type.shape), g.reshape(total, shape=n.weight.type.shape))


POINTWISE = mil(
    "conv x weight",
    strides=(1, 1),
    pad_type="valid",
    pad=(0, 0, 0, 0),
    dilations=(1, 1),
    groups=1,
)

# fmt: off
ROWS = (
    # Batch axes broadcast; the last two are rows and columns, before `transpose_*` swaps them.
    Op("matmul", "x y", "transpose_x:bool=false transpose_y:bool=false", matmul, matmul_meaning,
       matmul_gradient, mil("matmul x y")),
    # x [N, C, H, W], weight [O, C, 1, 1]: each column times the weight, a convolution of one tap.
    Op("linear", "x weight", "", linear, linear_meaning, linear_gradient, POINTWISE),
)
# fmt: on
