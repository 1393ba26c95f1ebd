"""Ops that models speak in and that no device has: a pass writes each in simpler ops, by profile.

Letters: D head size, G query heads per key head, K key heads, L positions, S new positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..row import Attributes, Op
from ..shapes import broadcast_shapes, require, require_one_dtype, same_float
from ..types import TensorType
from .reduction import softmax

Array = np.ndarray
Types = Sequence[TensorType]


def rms_norm(x: Array, weight: Array, axis: int, epsilon: float) -> Array:
    mean = np.mean(x * x, axis=axis, keepdims=True)
    return x / np.sqrt(mean + epsilon) * weight


def layer_norm(x: Array, weight: Array, bias: Array, axis: int, epsilon: float) -> Array:
    centred = x - np.mean(x, axis=axis, keepdims=True)
    variance = np.mean(centred * centred, axis=axis, keepdims=True)
    return centred / np.sqrt(variance + epsilon) * weight + bias


def norm_shape(types: Types, attributes: Attributes) -> list[TensorType]:
    require_one_dtype(types)
    shape = broadcast_shapes([t.shape for t in types])
    require(shape == types[0].shape, f"a weight of {types[1]} is larger than {types[0]}")
    return same_float(types, attributes)


def rope(x: Array, cos: Array, sin: Array) -> Array:
    first, second = np.split(x, 2, axis=-2)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-2)


def rope_shape(types: Types, attributes: Attributes) -> list[TensorType]:
    x, cos, sin = types
    require_one_dtype(types)
    require(x.rank >= 2 and cos == sin, f"expected cos and sin alike, got {cos} and {sin}")
    half = (*x.shape[:-2], x.shape[-2] // 2, x.shape[-1])
    fits = x.shape[-2] % 2 == 0 and broadcast_shapes([half, cos.shape]) == half
    require(fits, f"cos of {cos} does not turn the halves of {x}")
    return [x]


def attention(query: Array, segments: Sequence[Array], scale: float) -> Array:
    keys, values, masks = segments[0::3], segments[1::3], segments[2::3]
    turned = query.swapaxes(-1, -2)
    scores = [np.matmul(turned, key) * scale + mask for key, mask in zip(keys, masks, strict=True)]
    weights = softmax(np.concatenate(scores, axis=-1), axis=-1)
    return np.matmul(np.concatenate(values, axis=-1), weights.swapaxes(-1, -2))


def attention_shape(types: Types, attributes: Attributes) -> list[TensorType]:
    query, *segments = types
    require_one_dtype(types)
    require(query.rank == 4, f"expected a query [K, G, D, S], got {query}")
    require(
        len(segments) > 0 and len(segments) % 3 == 0,
        f"expected key, value and mask for each segment, got {len(segments)} operands",
    )
    key_heads, _, size, new = query.shape
    for key, value, mask in zip(segments[0::3], segments[1::3], segments[2::3], strict=True):
        length = key.shape[-1]
        require(
            key.shape == (key_heads, 1, size, length) == value.shape,
            f"expected key, value [{key_heads}, 1, {size}, L] for {query}, got {key}, {value}",
        )
        require(
            mask.shape == (1, 1, new, length),
            f"expected a mask [1, 1, {new}, {length}] for {key}, got {mask}",
        )
    return [query]


def rms_norm_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    return tuple(g.rms_norm_gradient(n.x, n.weight, dy, axis=n["axis"], epsilon=n["epsilon"]))


def layer_norm_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    dx, dweight = g.layer_norm_gradient(n.x, n.weight, dy, axis=n["axis"], epsilon=n["epsilon"])
    return (dx, dweight, dy)


def rope_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    """Turned back by the same angles, which are no variables."""
    return (g.rope(dy, n.cos, g.mul(n.sin, -1.0)), None, None)


def attention_gradient(g: Any, n: Any, dy: Any) -> tuple[Any, ...]:
    query, *segments = n.operands
    return tuple(g.attention_gradient(query, dy, segments, scale=n["scale"]))


# fmt: off
ROWS = (
    # x / sqrt(mean of squares along axis + epsilon) * weight
    Op("rms_norm",   "x weight",      "axis:int epsilon:float", norm_shape, rms_norm,
       rms_norm_gradient, composite=True),
    # (x - mean) / sqrt(variance + epsilon) * weight + bias
    Op("layer_norm", "x weight bias", "axis:int epsilon:float", norm_shape, layer_norm,
       layer_norm_gradient, composite=True),
    # x [.., D, S], cos and sin [.., D/2, S]: elements i and i + D/2 of a column turn as a pair by
    # that column's angle i.
    Op("rope",       "x cos sin",     "", rope_shape, rope, rope_gradient, composite=True),
    # query [K, G, D, S]; segments of key [K, 1, D, L], value [K, 1, D, L], mask [1, 1, S, L]:
    # softmax over all segments' positions of key . query * scale + mask, then values so weighted.
    Op("attention",  "query segments*", "scale:float", attention_shape, attention,
       attention_gradient, composite=True),
)
# fmt: on
