"""Ops that work element by element, as rows of the comparison."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from op_case import FLOATS, Array, Draw, Row

erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(x: Array) -> Any:
    return np.where(
        x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x)))
    )


def softplus(x: Array) -> Any:
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def unary(
    op: str,
    meaning: Callable[[Array], Any],
    low: float = -4,
    high: float = 4,
    any_bits: bool = True,
    **more: Any,
) -> list[Row]:
    """A map of one argument on a range, and on any bits at all."""

    def some(d: Draw) -> dict[str, Any]:
        return {"x": d.array(d.shape(0), d.like("x"), low, high)}

    def bits(d: Draw) -> dict[str, Any]:
        return {"x": d.any_floats(d.shape(0), d.dtype("T", *FLOATS))}

    rows = [Row(op, some, meaning, positional=True, **more)]
    if any_bits:
        rows.append(Row(op, bits, meaning, positional=True, name=f"{op} of any bits", **more))
    return rows


def number(d: Draw, argument: str, low: float, high: float) -> Array:
    """One number that fp16 holds, so that it is the same in every arithmetic."""
    dtype = d.like(argument)
    half = np.float16(d.random.uniform(low, high))
    return (
        d.array((), dtype, low, high)
        if dtype == "int32"
        else half.astype(np.float16 if dtype == "fp16" else np.float32)[...]
    )


def shaped(op: str, meaning: Callable[..., Any], **ranges: tuple[float, float]) -> Row:
    """A map with numbers that are known before the run."""

    def draw(d: Draw) -> dict[str, Any]:
        given: dict[str, Any] = {"x": d.array(d.shape(0))}
        return given | {
            name: np.asarray(number(d, name, low, high)) for name, (low, high) in ranges.items()
        }

    # coremltools writes into its argument for some, which it cannot do for a scalar.
    return Row(op, draw, meaning, positional=True, oracle=lambda given: given["x"].ndim > 0)


def shifted(op: str, meaning: Callable[[Array, float], Any], default: float) -> list[Row]:
    """A map that first adds `epsilon`, which may be left out."""

    def draw(d: Draw) -> dict[str, Any]:
        some = d.some(epsilon=np.asarray(number(d, "epsilon", 0.001, 0.5)))
        return {"x": d.array(d.shape(0), low=0.05, high=8)} | some

    def with_default(x: Array, epsilon: float = default) -> Any:
        return meaning(x, epsilon)

    return [Row(op, draw, with_default)]


def by_channel(
    op: str, meaning: Callable[..., Any], names: tuple[str, ...], ranks: tuple[int, int]
) -> Row:
    def draw(d: Draw) -> dict[str, Any]:
        x = d.shape(*ranks)
        given = {"x": d.array(x)}
        for name in names:
            # Rank 4 alone takes a number of its own for each channel.
            count = x[1] if len(x) == 4 else 1
            value = d.random.uniform(0.1, 2, count).astype(np.float16)
            wide = np.resize(value, x[1])
            given[name] = wide.astype(np.float16 if d.like(name) == "fp16" else np.float32)
        return given

    def wide(x: Array, **numbers: Array) -> Any:
        axes = tuple(range(1, x.ndim - 1))
        return meaning(x, *(np.expand_dims(numbers[name], axes) for name in names))

    return Row(op, draw, wide)


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
        dtype = d.like("x")
        return {"x": d.array(x, dtype, low, high), "y": d.array(y, dtype, low, high)}

    return Row(op, draw, meaning, positional=True, **more)


def any_pair(op: str, meaning: Callable[[Array, Array], Any], **more: Any) -> Row:
    def draw(d: Draw) -> dict[str, Any]:
        x, y = broadcast_shapes(d, 2)
        dtype = d.dtype("T", *FLOATS)
        return {"x": d.any_floats(x, dtype), "y": d.any_floats(y, dtype)}

    return Row(op, draw, meaning, positional=True, name=f"{op} of any bits", **more)


def divided(x: Array, y: Array) -> Any:
    """Whole numbers are divided as numbers, and what is left after the point is cut."""
    if x.dtype.kind == "i":
        return np.trunc(x / np.where(y == 0, 1, y)).astype(np.int64)
    return x / y


def divisors(op: str, meaning: Callable[[Array, Array], Any]) -> Row:
    def draw(d: Draw) -> dict[str, Any]:
        x, y = broadcast_shapes(d, 2)
        divisor = d.array(y, low=-4, high=4)
        return {
            "x": d.array(x, low=-9, high=9),
            "y": np.where(divisor == 0, 3, divisor).astype(divisor.dtype),
        }

    # An fp32 quotient near a whole number falls on either side of it.
    return Row(op, draw, meaning, positional=True)


def powers(d: Draw) -> dict[str, Any]:
    x, y = broadcast_shapes(d, 2)
    whole = d.dtype() == "int32"
    return {
        "x": d.array(x, low=-3 if whole else 0.1, high=4),
        "y": d.array(y, low=0 if whole else -3, high=4),
    }


def choices(d: Draw) -> dict[str, Any]:
    cond, a, b = broadcast_shapes(d, 3)
    return {"cond": d.array(cond, "bool"), "a": d.array(a), "b": d.array(b)}


def casts(d: Draw) -> dict[str, Any]:
    kinds = ["fp16"] if d.engine else ["fp16", "fp32", "int32", "bool"]
    if d.version.opset == "ios17" and not d.engine:
        kinds += ["int8", "uint8", "int16", "uint16"]
    target = d.choice(*kinds)
    low = 0 if target.startswith("u") else -100
    return {"x": d.array(d.shape(0), low=low, high=100), "dtype": target}


def cast(x: Array, dtype: str) -> Any:
    if dtype == "bool":
        return x != 0
    return (
        x.astype(np.float64) if dtype in FLOATS else np.trunc(x.astype(np.float64)).astype(np.int64)
    )


def gelu(x: Array, mode: str = "EXACT") -> Any:
    if mode == "TANH_APPROXIMATION":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return (
        x * sigmoid(1.702 * x)
        if mode == "SIGMOID_APPROXIMATION"
        else 0.5 * x * (1 + erf(x / math.sqrt(2)))
    )


def gelus(d: Draw) -> dict[str, Any]:
    modes = ("EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION")
    return {"x": d.array(d.shape(0), low=-3)} | d.some(mode=d.choice(*modes))


ROWS: list[Row] = [
    *unary("abs", np.abs),
    *unary("square", np.square),
    *unary("sign", np.sign),
    *unary("floor", np.floor),
    *unary("ceil", np.ceil),
    *unary("round", np.round, -9, 9),
    *unary("sqrt", np.sqrt, 0, 9),
    *unary("exp", np.exp),
    *unary("exp2", lambda x: np.trunc(2.0**x) if x.dtype.kind == "i" else 2.0**x),
    *unary("sin", np.sin),
    *unary("cos", np.cos),
    *unary("tan", np.tan, -1.5, 1.5),
    *unary("acos", np.arccos, -1, 1),
    *unary("asin", np.arcsin, -1, 1),
    *unary("atan", np.arctan),
    *unary("atanh", np.arctanh, -0.99, 0.99),
    *unary("cosh", np.cosh),
    *unary("sinh", np.sinh),
    *unary("tanh", np.tanh),
    *unary("sigmoid", sigmoid, any_bits=False),
    *unary("silu", lambda x: x * sigmoid(x), any_bits=False),
    *unary("erf", erf),
    *unary("relu", lambda x: np.maximum(x, 0)),
    *unary("relu6", lambda x: np.minimum(np.maximum(x, 0), 6), -8, 12),
    *unary("softplus", softplus),
    *unary("softsign", lambda x: x / (1 + np.abs(x))),
    *unary("logical_not", np.logical_not, any_bits=False, result="bool"),
    *unary("identity", lambda x: x, any_bits=False),
    *shifted("rsqrt", lambda x, epsilon: 1 / np.sqrt(x + epsilon), 1e-12),
    *shifted("inverse", lambda x, epsilon: 1 / (x + epsilon), 1e-4),
    *shifted("log", lambda x, epsilon: np.log(x + epsilon), 1e-45),
    Row("gelu", gelus, gelu, cancels=True),
    shaped("clip", np.clip, alpha=(-3, 0), beta=(0, 3)),
    shaped("elu", lambda x, a: np.where(x > 0, x, a * np.expm1(x)), alpha=(0.1, 2)),
    shaped("leaky_relu", lambda x, a: np.where(x < 0, a * x, x), alpha=(-1, 2)),
    shaped("thresholded_relu", lambda x, a: np.where(x < a, 0, x), alpha=(-2, 2)),
    shaped("threshold", np.maximum, alpha=(-2, 2)),
    shaped(
        "clamped_relu",
        lambda x, a, b: np.minimum(b, np.where(x >= 0, x, a * x)),
        alpha=(0.1, 2), beta=(0.5, 3),
    ),
    shaped("linear_activation", lambda x, a, b: a * x + b, alpha=(-2, 2), beta=(-2, 2)),
    shaped("scaled_tanh", lambda x, a, b: a * np.tanh(b * x), alpha=(-2, 2), beta=(-2, 2)),
    shaped(
        "sigmoid_hard", lambda x, a, b: np.clip(a * x + b, 0, 1), alpha=(-1, 1), beta=(-1, 1)
    ),
    by_channel("prelu", lambda x, a: np.where(x < 0, a * x, x), ("alpha",), (3, 5)),
    by_channel(
        "softplus_parametric", lambda x, a, b: a * softplus(b * x), ("alpha", "beta"), (4, 4)
    ),
    binary("add", np.add), any_pair("add", np.add),
    binary("sub", np.subtract), any_pair("sub", np.subtract),
    binary("mul", np.multiply), any_pair("mul", np.multiply),
    divisors("real_div", divided), any_pair("real_div", divided),
    binary("maximum", np.maximum), any_pair("maximum", np.maximum),
    binary("minimum", np.minimum), any_pair("minimum", np.minimum),
    Row("pow", powers, np.power, positional=True),
    divisors("floor_div", np.floor_divide),
    divisors("mod", np.mod),
    *(
        row
        for op, meaning in (
            ("equal", np.equal), ("not_equal", np.not_equal), ("greater", np.greater),
            ("greater_equal", np.greater_equal), ("less", np.less), ("less_equal", np.less_equal),
        )
        for row in (binary(op, meaning, result="bool"), any_pair(op, meaning, result="bool"))
    ),
    binary("logical_and", np.logical_and, result="bool"),
    binary("logical_or", np.logical_or, result="bool"),
    binary("logical_xor", np.logical_xor, result="bool"),
    Row(
        "select", choices, np.where, positional=True, result="a",
        # coremltools overlooks the shape of the condition.
        oracle=lambda given: np.broadcast_shapes(given["a"].shape, given["b"].shape)
        == np.broadcast_shapes(*(array.shape for array in given.values())),
    ),
    Row("cast", casts, cast, result=lambda given: [given["dtype"]]),
]  # fmt: skip
