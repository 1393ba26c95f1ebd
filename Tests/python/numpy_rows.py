"""The engine's ops as rows: arguments, meaning in numpy over float64, inputs. Runs nothing."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray
erf = np.vectorize(math.erf, otypes=[np.float64])


@dataclass(frozen=True)
class Row:
    """An op: its arguments, its meaning in numpy over float64, what it is fed.

    `arguments` and `meaning` may depend on the shape of the first input. Arguments that are
    inputs are written "%x".
    """

    op: str
    arguments: Callable[[tuple[int, ...]], dict[str, Any]] | dict[str, Any]
    meaning: Callable[..., Any]
    # How each input is drawn.
    inputs: Sequence[str] = ("any",)
    # Units in the last place, beside the loss of an fp32 sum over `inner` terms.
    ulps: int = 0
    inner: Callable[[tuple[int, ...]], int] = field(default=lambda shape: 0)
    shapes: Callable[[np.random.Generator], list[tuple[int, ...]]] | None = None
    name: str = ""

    @property
    def title(self) -> str:
        return self.name or self.op


def some_shape(random: np.random.Generator) -> tuple[int, ...]:
    """[1, C, H, W] with a width that the engine takes as it is."""
    return (
        1,
        int(random.integers(1, 9)),
        int(random.integers(1, 5)),
        32 * int(random.integers(1, 3)),
    )


def draw(kind: str, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """fp16 values: `any` finite bits, `small` ones, `positive` ones, `choice` of five."""
    if kind == "any":
        bits = random.integers(0, 1 << 16, shape, dtype=np.uint16)
        values = bits.view(np.float16)
        return np.where(np.isfinite(values), values, np.float16(0.5)).astype(np.float16)
    if kind == "choice":
        return random.integers(-2, 3, shape).astype(np.float16)
    values = random.normal(0, 2, shape)
    return (np.abs(values) + 0.01 if kind == "positive" else values).astype(np.float16)


def unary(op: str, meaning: Callable[[Array], Array], kind: str = "any", **more: Any) -> Row:
    return Row(op, {"x": "%x", **more}, meaning, (kind,), name=f"{op}{more or ''}")


def binary(op: str, meaning: Callable[[Array, Array], Array], kind: str = "any") -> Row:
    return Row(op, {"x": "%x", "y": "%y"}, meaning, (kind, kind))


def reduction(op: str, meaning: Callable[..., Array], kind: str = "small") -> list[Row]:
    return [
        Row(
            op,
            {"x": "%x", "axes": list(axes), "keep_dims": keep},
            lambda x, axes=axes, keep=keep: meaning(x, axis=axes, keepdims=keep),
            (kind,),
            name=f"{op} {axes} {'keep' if keep else 'drop'}",
        )
        for axes, keep in (((1,), True), ((3,), True), ((1, 3), True), ((2,), False))
    ]


def log_sum_exp(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    top = x.max(axis=axis, keepdims=True)
    total = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis)


def softmax(x: Array, axis: int) -> Array:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def layer_norm(x: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    centred = x - x.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)
    return centred / spread * gamma[:, None, None] + beta[:, None, None]


def attention(query: Array, key: Array, value: Array, mask: Array | float = 0.0) -> Array:
    scores = query @ np.swapaxes(key, -1, -2) / math.sqrt(query.shape[-1])
    return softmax(scores + mask, -1) @ value


def interleave(x: Array, y: Array) -> Array:
    return np.stack([x, y], 2).reshape(x.shape[0], -1, *x.shape[2:])


def convolution(x: Array, weight: Array, bias: Array) -> Array:
    """Groups 2, stride 1, one row and column of zeros around, kernel 3 x 3."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    halves = []
    for group in range(2):
        channels, outputs = x.shape[1] // 2, weight.shape[0] // 2
        part = windows[:, group * channels : (group + 1) * channels]
        halves.append(
            np.einsum("nchwij,ocij->nohw", part, weight[group * outputs : (group + 1) * outputs])
        )
    return np.concatenate(halves, 1) + bias[:, None, None]


def matrix_shapes(random: np.random.Generator) -> list[tuple[int, ...]]:
    batch, rows, inner = (int(random.integers(1, high)) for high in (5, 40, 4))
    return [(1, batch, rows, 32 * inner), (1, batch, 32 * inner, 64)]


def attention_shapes(random: np.random.Generator) -> list[tuple[int, ...]]:
    heads, queries = int(random.integers(1, 5)), int(random.integers(1, 9))
    return [(1, heads, queries, 32), (1, heads, 64, 32), (1, heads, 64, 32)]


def same(shape: tuple[int, ...]) -> int:
    return shape[-1]


def broadcast_shapes(random: np.random.Generator) -> list[tuple[int, ...]]:
    shape = some_shape(random)
    return [shape, (1, 1, shape[2], shape[3])]


EPSILON = float(np.float16(1e-3))
HALF = float(np.float16(-1.5))

ROWS: list[Row] = [
    binary("add", np.add),
    binary("sub", np.subtract),
    binary("mul", np.multiply),
    Row("mul", {"x": "%x", "y": "%y"}, np.multiply, ("any", "any"), shapes=broadcast_shapes,
        name="mul broadcast"),
    binary("real_div", np.divide),
    binary("maximum", np.maximum),
    binary("minimum", np.minimum),
    binary("pow", np.power, "positive"),
    unary("abs", np.abs),
    unary("square", np.square),
    unary("sign", np.sign),
    unary("exp", np.exp),
    unary("exp2", np.exp2),
    unary("sqrt", np.sqrt, "positive"),
    unary("rsqrt", lambda x: 1 / np.sqrt(x + EPSILON), "positive", epsilon=EPSILON),
    unary("inverse", lambda x: 1 / (x + EPSILON), "positive", epsilon=EPSILON),
    unary("log", lambda x: np.log(x + EPSILON), "positive", epsilon=EPSILON),
    unary("sin", np.sin, "small"),
    unary("cos", np.cos, "small"),
    unary("tanh", np.tanh),
    unary("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    unary("silu", lambda x: x / (1 + np.exp(-x))),
    unary("relu", lambda x: np.maximum(x, 0)),
    unary("erf", erf),
    unary("floor", np.floor),
    unary("ceil", np.ceil),
    unary("round", np.round),
    unary("identity", lambda x: x),
    unary("gelu", lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))), "small", mode="EXACT"),
    unary("gelu", lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
          "small", mode="TANH_APPROXIMATION"),
    unary("gelu", lambda x: x / (1 + np.exp(-1.702 * x)), "small", mode="SIGMOID_APPROXIMATION"),
    unary("clip", lambda x: np.clip(x, HALF, 0.5), alpha=HALF, beta=0.5),
    *reduction("reduce_sum", np.sum),
    *reduction("reduce_mean", np.mean),
    *reduction("reduce_max", np.max),
    *reduction("reduce_min", np.min),
    *reduction("reduce_prod", np.prod),
    *reduction("reduce_sum_square", lambda x, **how: np.sum(x**2, **how)),
    *reduction("reduce_l1_norm", lambda x, **how: np.sum(np.abs(x), **how)),
    *reduction("reduce_l2_norm", lambda x, **how: np.sqrt(np.sum(x**2, **how))),
    *reduction("reduce_log_sum", lambda x, **how: np.log(np.sum(x, **how)), "positive"),
    *reduction("reduce_log_sum_exp", log_sum_exp),
    unary("softmax", lambda x: softmax(x, 3), "small", axis=-1),
    unary("softmax", lambda x: softmax(x, 1), "small", axis=1),
    Row("layer_norm",
        {"x": "%x", "axes": [1], "gamma": [0.5, 1.5, -1.0, 2.0], "beta": [0.0, 1.0, 0.25, -1.0],
         "epsilon": EPSILON},
        lambda x: layer_norm(x, np.array([0.5, 1.5, -1, 2]), np.array([0, 1, 0.25, -1]), EPSILON),
        ("small",), shapes=lambda random: [(1, 4, int(random.integers(1, 5)), 32)]),
    Row("matmul", {"x": "%x", "y": "%y", "transpose_x": False, "transpose_y": False}, np.matmul,
        ("small", "small"), 1, same, matrix_shapes),
    Row("matmul", {"x": "%x", "y": "%y", "transpose_x": False, "transpose_y": True},
        lambda x, y: x @ np.swapaxes(y, -1, -2), ("small", "small"), 1, same,
        lambda random: [(1, int(random.integers(1, 5)), 32, 64)] * 2, "matmul transpose_y"),
    Row("matmul", {"x": "%x", "y": "%y", "transpose_x": True, "transpose_y": False},
        lambda x, y: np.swapaxes(x, -1, -2) @ y, ("small", "small"), 1, lambda shape: shape[-2],
        lambda random: [some_shape(random)] * 2, "matmul transpose_x"),
    Row("linear", {"x": "%x", "weight": "weights", "bias": "weights"},
        lambda x, weight, bias: x @ weight.T + bias, ("small", "weight 64 W", "weight 64"), 1,
        same),
    Row("conv",
        {"x": "%x", "weight": "weights", "bias": "weights", "strides": [1, 1],
         "pad_type": "custom", "pad": [1, 1, 1, 1], "dilations": [1, 1], "groups": 2},
        convolution, ("small", "weight 6 2 3 3", "weight 6"), 1, lambda shape: 9 * shape[1],
        lambda random: [(1, 4, int(random.integers(1, 6)), 32)]),
    Row("scaled_dot_product_attention", {"query": "%x", "key": "%y", "value": "%z"}, attention,
        ("small", "small", "small"), 2, lambda shape: 2 * 64, attention_shapes),
    Row("reshape", lambda shape: {"x": "%x", "shape": [1, -1, 1, shape[3]]},
        lambda x: x.reshape(1, -1, 1, x.shape[3])),
    unary("expand_dims", lambda x: x[:, :, None], axes=[2]),
    unary("squeeze", lambda x: x[0], axes=[0]),
    unary("transpose", lambda x: x.transpose(0, 2, 1, 3), perm=[0, 2, 1, 3]),
    Row("concat", {"values": ("%x", "%y"), "axis": 1, "interleave": False},
        lambda x, y: np.concatenate([x, y], 1), ("any", "any")),
    Row("concat", {"values": ("%x", "%y"), "axis": 1, "interleave": True}, interleave,
        ("any", "any"), name="concat interleave"),
    Row("stack", {"values": ("%x", "%y"), "axis": 1}, lambda x, y: np.stack([x, y], 1),
        ("any", "any")),
    Row("split", {"x": "%x", "num_splits": 2, "axis": 1}, lambda x: np.split(x, 2, 1),
        shapes=lambda random: [(1, 2 * int(random.integers(1, 5)), 3, 32)]),
    unary("tile", lambda x: np.tile(x, (1, 2, 1, 2)), reps=[1, 2, 1, 2]),
    unary("pad", lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (32, 0)), constant_values=0.5),
          pad=[1, 2, 32, 0], mode="constant", constant_val=0.5),
    unary("pad", lambda x: np.pad(x, ((0, 0), (0, 0), (0, 0), (16, 16)), mode="reflect"),
          pad=[0, 0, 16, 16], mode="reflect", constant_val=0.0),
    unary("pad", lambda x: np.pad(x, ((0, 0), (0, 0), (2, 0), (0, 32)), mode="edge"),
          pad=[2, 0, 0, 32], mode="replicate", constant_val=0.0),
    Row("slice_by_index",
        lambda shape: {"x": "%x", "begin": [0, 0, 0, 0], "end": [*shape[:3], 32],
                       "stride": [1, 2, 1, 1], "begin_mask": [False] * 4,
                       "end_mask": [True, True, True, False], "squeeze_mask": [False] * 4},
        lambda x: x[:, ::2, :, :32]),
    Row("slice_by_size",
        lambda shape: {"x": "%x", "begin": [0, shape[1] - 1, 0, 0], "size": [1, 1, -1, 32]},
        lambda x: x[:, -1:, :, :32]),
    Row("gather", {"x": "%x", "indices": [2, 0, 2], "axis": 1, "batch_dims": 0,
                   "validate_indices": False},
        lambda x: x[:, [2, 0, 2]], shapes=lambda random: [(1, 3, int(random.integers(1, 9)), 32)]),
]  # fmt: skip

# Ops whose result is no fp16: followed by a choice between the inputs, or by a cast.
COMPARISONS: dict[str, Callable[[Array, Array], Array]] = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
}
LOGIC: dict[str, Callable[[Array, Array], Array]] = {
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
}
