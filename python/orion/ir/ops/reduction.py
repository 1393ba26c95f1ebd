"""Ops that fold axes: sums, means, extremes, softmax."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ..row import Gradient, Op, mil
from ..shapes import along_axis, axis_indices, reduction


def reducing(fold: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    def meaning(x: np.ndarray, axes: tuple[int, ...], keep_dims: bool) -> np.ndarray:
        return np.asarray(fold(x, axis=tuple(axes), keepdims=keep_dims))

    return meaning


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def kept(g: Any, n: Any, value: Any) -> Any:
    """`value`, of the reduced shape, with the folded axes back at length 1."""
    axes = axis_indices(n["axes"], n.x.type.rank)
    shape = tuple(1 if i in axes else length for i, length in enumerate(n.x.type.shape))
    return g.reshape(value, shape=shape)


def spread(g: Any, n: Any, dy: Any, factor: float = 1.0) -> Any:
    """`dy` times `factor`, repeated to the shape of the operand."""
    return g.mul(g.full(n.x.type, factor), kept(g, n, dy))


def sum_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    return (spread(g, n, dy),)


def mean_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    count = prod(n.x.type.shape[i] for i in axis_indices(n["axes"], n.x.type.rank))
    return (spread(g, n, dy, 1 / count),)


def extreme_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    """Equal extremes share it evenly."""
    chosen = g.cast(g.equal(n.x, kept(g, n, n.result)), dtype=n.x.type.dtype)
    count = g.reduce_sum(chosen, axes=n["axes"])
    return (g.mul(chosen, g.div(kept(g, n, dy), count)),)


def softmax_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    mean = g.reduce_sum(g.mul(dy, n.result), axes=(n["axis"],), keep_dims=True)
    return (g.mul(n.result, g.sub(dy, mean)),)


def row(name: str, meaning: Callable[..., Any], gradient: Gradient) -> Op:
    return Op(
        name, "x", "axes:ints keep_dims:bool=true", reduction, meaning, gradient, mil(f"{name} x")
    )


# fmt: off
ROWS = (
    #   name          meaning            gradient
    row("reduce_sum",  reducing(np.sum),  sum_gradient),
    row("reduce_mean", reducing(np.mean), mean_gradient),
    row("reduce_max",  reducing(np.max),  extreme_gradient),
    row("reduce_min",  reducing(np.min),  extreme_gradient),
    Op("softmax", "x", "axis:int", along_axis, softmax, softmax_gradient, mil("softmax x")),
)
# fmt: on
