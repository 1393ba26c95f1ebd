"""Gradients of ops that devices lack or take apart: written in simpler ops by profile.

Letters: D head size, G query heads per key head, K key heads, L positions, S new positions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..row import Attributes, Op
from ..shapes import require, require_one_dtype
from ..types import TensorType
from .composite import attention_shape, norm_shape
from .elementwise import erf
from .reduction import softmax

Array = np.ndarray
Types = Sequence[TensorType]


def gelu(x: Array, dy: Array, mode: str) -> Array:
    """With gelu(x) = x share(x): share(x) + x share'(x)."""
    if mode == "TANH_APPROXIMATION":
        root, cube = math.sqrt(2 / math.pi), 0.044715
        share = 0.5 * (1 + np.tanh(root * (x + cube * x**3)))
        slope = 2 * share * (1 - share) * root * (1 + 3 * cube * x * x)
    else:
        share = 0.5 * (1 + erf(x / math.sqrt(2)).astype(x.dtype))
        slope = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return dy * (share + x * slope)


def gelu_shape(types: Types, attributes: Attributes) -> list[TensorType]:
    require_one_dtype(types)
    require(types[0] == types[1], f"expected dy like {types[0]}, got {types[1]}")
    return [types[0]]


def rms_norm(x: Array, weight: Array, dy: Array, axis: int, epsilon: float) -> tuple[Array, Array]:
    """With unit = x rate, rate = 1 / sqrt(mean of squares + epsilon), and slope = dy weight:

    dx = rate (slope - unit mean(slope unit)), dweight = sum of dy unit.
    """
    rate = 1 / np.sqrt(np.mean(x * x, axis=axis, keepdims=True) + epsilon)
    unit, slope = x * rate, dy * weight
    shared = np.mean(slope * unit, axis=axis, keepdims=True)
    return rate * (slope - unit * shared), summed_to(dy * unit, weight.shape)


def layer_norm(
    x: Array, weight: Array, dy: Array, axis: int, epsilon: float
) -> tuple[Array, Array]:
    """As `rms_norm` of x without its mean, and dx without its own."""
    centred = x - np.mean(x, axis=axis, keepdims=True)
    dx, dweight = rms_norm(centred, weight, dy, axis, epsilon)
    return dx - np.mean(dx, axis=axis, keepdims=True), dweight


def norm_gradient_shape(types: Types, attributes: Attributes) -> list[TensorType]:
    x, weight, dy = types
    norm_shape(types, attributes)
    require(dy == x, f"expected dy like {x}, got {dy}")
    return [x, weight]


def attention(
    query: Array, dy: Array, segments: Sequence[Array], scale: float
) -> tuple[Array, ...]:
    """dquery, then for each segment dkey, dvalue, dmask.

    With p the weights, q the query, k keys, v values and t = sum over all positions of p (dy^T v):
    dscore = p (dy^T v - t), dq = scale k dscore^T, dk = scale q dscore, dv = dy p.
    """
    keys, values, masks = segments[0::3], segments[1::3], segments[2::3]
    lengths = np.cumsum([key.shape[-1] for key in keys])[:-1]
    turned = query.swapaxes(-1, -2)
    scores = [np.matmul(turned, key) * scale + mask for key, mask in zip(keys, masks, strict=True)]
    weights = softmax(np.concatenate(scores, axis=-1), axis=-1)
    dweights = np.matmul(dy.swapaxes(-1, -2), np.concatenate(values, axis=-1))
    dscores = weights * (dweights - (dweights * weights).sum(axis=-1, keepdims=True))
    dquery = np.matmul(np.concatenate(keys, axis=-1), dscores.swapaxes(-1, -2)) * scale
    results = [dquery]
    parts = zip(np.split(weights, lengths, -1), np.split(dscores, lengths, -1), strict=True)
    for weight, dscore in parts:
        results.append(np.matmul(query, dscore).sum(axis=1, keepdims=True) * scale)
        results.append(np.matmul(dy, weight).sum(axis=1, keepdims=True))
        results.append(dscore.sum(axis=(0, 1), keepdims=True))
    return tuple(results)


def attention_gradient_shape(types: Types, attributes: Attributes) -> list[TensorType]:
    query, dy, *segments = types
    attention_shape([query, *segments], attributes)
    require(dy == query, f"expected dy like {query}, got {dy}")
    return [query, *segments]


def summed_to(array: Array, shape: tuple[int, ...]) -> Array:
    """The sum over the axes along which `shape` was repeated."""
    array = array.sum(axis=tuple(range(array.ndim - len(shape))))
    folded = tuple(i for i, n in enumerate(shape) if n == 1 and array.shape[i] != 1)
    return array.sum(axis=folded, keepdims=True)


# fmt: off
ROWS = (
    Op("gelu_gradient",       "x dy", "mode:text=EXACT", gelu_shape, gelu, composite=True),
    # dx and dweight
    Op("rms_norm_gradient",   "x weight dy", "axis:int epsilon:float", norm_gradient_shape,
       rms_norm, composite=True),
    # dx and dweight; that of the bias is dy
    Op("layer_norm_gradient", "x weight dy", "axis:int epsilon:float", norm_gradient_shape,
       layer_norm, composite=True),
    # query, dy [K, G, D, S] and the segments of `attention` to a gradient for each but dy
    Op("attention_gradient",  "query dy segments*", "scale:float", attention_gradient_shape,
       attention, composite=True),
)
# fmt: on
