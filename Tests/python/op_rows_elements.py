"""Ops that work element by element, as rows of the comparison."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from op_case import Array, Draw, Row

erf = np.vectorize(math.erf, otypes=[np.float64])


def unary(
    op: str,
    meaning: Callable[[Array], Any],
    low: float = -4,
    high: float = 4,
    any_bits: bool = True,
) -> list[Row]:
    """A map of one argument on a range, and on any bits at all."""

    def some(d: Draw) -> dict[str, Any]:
        return {"x": d.array(d.shape(0), low=low, high=high)}

    def bits(d: Draw) -> dict[str, Any]:
        return {"x": d.any_floats(d.shape(0), d.dtype("T", "fp16", "fp32"))}

    rows = [Row(op, some, meaning, positional=True)]
    if any_bits:
        rows.append(Row(op, bits, meaning, positional=True, name=f"{op} of any bits"))
    return rows


def broadcast_shapes(d: Draw, count: int) -> list[tuple[int, ...]]:
    """Shapes that numpy broadcasts: some sizes 1, some leading axes left out."""
    whole = d.shape(1)
    shapes = []
    for _ in range(count):
        shape = [1 if d.random.random() < 0.25 else size for size in whole]
        shapes.append(tuple(shape[d.integer(0, len(shape)) if d.random.random() < 0.25 else 0 :]))
    return shapes


def binary(
    op: str, meaning: Callable[[Array, Array], Any], low: float = -4, high: float = 4, **more: Any
) -> Row:
    def draw(d: Draw) -> dict[str, Any]:
        x, y = broadcast_shapes(d, 2)
        return {"x": d.array(x, low=low, high=high), "y": d.array(y, low=low, high=high)}

    return Row(op, draw, meaning, positional=True, **more)


ROWS: list[Row] = [
    *unary("abs", np.abs),
    *unary("square", np.square),
    *unary("sign", np.sign),
    *unary("floor", np.floor),
    *unary("exp", np.exp),
    *unary("tanh", np.tanh),
    binary("add", np.add),
    binary("mul", np.multiply),
]
