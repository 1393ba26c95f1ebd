"""Ops that treat every element alone. Operands broadcast as in numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..row import Op, mil
from ..shapes import broadcast, cast, comparison, same, same_float, select
from ..types import DTYPES

Array = np.ndarray

erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def gelu(x: Array, mode: str) -> Array:
    if mode == "TANH_APPROXIMATION":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return (0.5 * x * (1 + erf(x / math.sqrt(2)))).astype(x.dtype)


def erf_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    slope = g.exp(g.mul(g.square(n.x), -1.0))
    return (g.mul(dy, g.mul(slope, 2 / math.sqrt(math.pi))),)


def cast_meaning(x: Array, dtype: str) -> Array:
    # Between floats a cast only changes what is stored, and storing is the executor's matter.
    if dtype in ("fp16", "fp32") and x.dtype.kind == "f":
        return x
    return x.astype(DTYPES[dtype])


def clip(x: Array, low: float, high: float) -> Array:
    return np.minimum(np.maximum(x, low), high)


def parted(g: Any, condition: Any, dy: Any) -> tuple[Any, Any]:
    """`dy` where the condition holds, and where it does not; 0 elsewhere."""
    zero = g.full(dy.type, 0.0)
    return g.select(condition, dy, zero), g.select(condition, zero, dy)


def maximum_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    # Of two equal operands the first counts as the larger.
    return parted(g, g.greater_equal(n.x, n.y), dy)


def minimum_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    return parted(g, g.greater_equal(n.y, n.x), dy)


def relu_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    return (parted(g, g.greater_equal(0.0, n.x), dy)[1],)


def clip_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    inside = parted(g, g.greater_equal(n.x, n["low"]), dy)[0]
    return (parted(g, g.greater_equal(n["high"], n.x), inside)[0],)


def pow_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    # The exponent is a constant wherever a model uses pow; its gradient is not defined here.
    return (g.mul(dy, g.mul(n.y, g.pow(n.x, g.sub(n.y, 1.0)))), None)


def sigmoid_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    return (g.mul(dy, g.mul(n.result, g.sub(1.0, n.result))),)


def silu_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    s = g.sigmoid(n.x)
    return (g.mul(dy, g.add(s, g.mul(n.result, g.sub(1.0, s)))),)


# fmt: off
ROWS = (
    #  name       operands  attributes  result      meaning
    Op("add",     "x y",    "",         broadcast,  lambda x, y: x + y,
       lambda g, n, dy: (dy, dy), mil("add x y")),
    Op("sub",     "x y",    "",         broadcast,  lambda x, y: x - y,
       lambda g, n, dy: (dy, g.mul(dy, -1.0)), mil("sub x y")),
    Op("mul",     "x y",    "",         broadcast,  lambda x, y: x * y,
       lambda g, n, dy: (g.mul(dy, n.y), g.mul(dy, n.x)), mil("mul x y")),
    Op("div",     "x y",    "",         broadcast,  lambda x, y: x / y,
       lambda g, n, dy: (g.div(dy, n.y), g.mul(g.div(g.mul(dy, n.result), n.y), -1.0)),
       mil("real_div x y")),
    Op("maximum", "x y",    "",         broadcast,  np.maximum,
       maximum_gradient, mil("maximum x y")),
    Op("minimum", "x y",    "",         broadcast,  np.minimum,
       minimum_gradient, mil("minimum x y")),
    Op("pow",     "x y",    "",         broadcast,  np.power,
       pow_gradient, mil("pow x y")),
    Op("exp",     "x",      "",         same_float, np.exp,
       lambda g, n, dy: (g.mul(dy, n.result),), mil("exp x")),
    Op("sqrt",    "x",      "",         same_float, np.sqrt,
       lambda g, n, dy: (g.div(g.mul(dy, 0.5), n.result),), mil("sqrt x")),
    Op("rsqrt",   "x",      "",         same_float, lambda x: 1 / np.sqrt(x),
       lambda g, n, dy: (g.mul(g.mul(dy, -0.5), g.div(n.result, n.x)),),
       mil("rsqrt x", epsilon=0.0)),
    Op("abs",     "x",      "",         same,       np.abs,
       lambda g, n, dy: (g.select(g.greater_equal(n.x, 0.0), dy, g.mul(dy, -1.0)),), mil("abs x")),
    Op("square",  "x",      "",         same,       lambda x: x * x,
       lambda g, n, dy: (g.mul(g.mul(dy, 2.0), n.x),), mil("square x")),
    Op("sigmoid", "x",      "",         same_float, sigmoid,
       sigmoid_gradient, mil("sigmoid x")),
    Op("silu",    "x",      "",         same_float, lambda x: x / (1 + np.exp(-x)),
       silu_gradient, mil("silu x")),
    Op("tanh",    "x",      "",         same_float, np.tanh,
       lambda g, n, dy: (g.mul(dy, g.sub(1.0, g.square(n.result))),), mil("tanh x")),
    Op("gelu",    "x",      "mode:text=EXACT", same_float, gelu,
       lambda g, n, dy: (g.gelu_gradient(n.x, dy, mode=n["mode"]),), mil("gelu x")),
    Op("erf",     "x",      "",         same_float, lambda x: erf(x).astype(x.dtype),
       erf_gradient, mil("erf x")),
    Op("relu",    "x",      "",         same_float, lambda x: np.maximum(x, 0),
       relu_gradient, mil("relu x")),
    Op("clip",    "x",      "low:float high:float", same_float,
       clip,
       clip_gradient, mil("clip x", {"low": "alpha", "high": "beta"})),
    Op("identity", "x",     "",         same,       lambda x: x,
       lambda g, n, dy: (dy,), mil("identity x")),
    Op("cast",    "x",      "dtype:dtype", cast,    cast_meaning,
       lambda g, n, dy: (g.cast(dy, dtype=n.x.type.dtype),), mil("cast x")),
    Op("greater_equal", "x y", "",      comparison, np.greater_equal,
       None, mil("greater_equal x y")),
    Op("equal",   "x y",    "",         comparison, np.equal, None, mil("equal x y")),
    Op("select",  "condition a b", "",  select,     np.where,
       lambda g, n, dy: (None, *parted(g, n.condition, dy)),
       mil("select cond a b")),
)
# fmt: on
