"""Operands and attributes at random for every op of the table that has a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Shape = tuple[int, ...]
Drawn = tuple[list[Shape], dict[str, Any]]
Random = np.random.RandomState


def some_shape(random: Random, least: int = 1, most: int = 4) -> Shape:
    return tuple(int(n) for n in random.randint(1, 5, random.randint(least, most + 1)))


def narrowed(random: Random, shape: Shape) -> Shape:
    """A shape that broadcasts to `shape`."""
    kept = shape[random.randint(len(shape) + 1) :]
    return tuple(1 if random.rand() < 0.4 else n for n in kept)


def alone(random: Random) -> Drawn:
    return [some_shape(random)], {}


def pair(random: Random) -> Drawn:
    """At least one operand has the whole shape, or each lacks what the other has."""
    shape = some_shape(random)
    return [shape, narrowed(random, shape)][:: 1 if random.rand() < 0.5 else -1], {}


def choice(random: Random) -> Drawn:
    shape = some_shape(random)
    return [narrowed(random, shape), shape, narrowed(random, shape)], {}


def reduction(random: Random) -> Drawn:
    shape = some_shape(random)
    axes = random.permutation(len(shape))[: random.randint(1, len(shape) + 1)]
    signed = tuple(int(a) - (len(shape) if random.rand() < 0.3 else 0) for a in axes)
    return [shape], {"axes": signed, "keep_dims": bool(random.randint(2))}


def along(random: Random) -> Drawn:
    shape = some_shape(random)
    return [shape], {"axis": int(random.randint(-len(shape), len(shape)))}


def matmul(random: Random) -> Drawn:
    batch = some_shape(random, 0, 2)
    m, k, n = (int(length) for length in random.randint(1, 5, 3))
    flips = [bool(flip) for flip in random.randint(0, 2, 2)]
    x, y = ((k, m) if flips[0] else (m, k)), ((n, k) if flips[1] else (k, n))
    shapes = [(*batch, *x), (*narrowed(random, batch), *y)]
    if random.rand() < 0.5:
        shapes = [(*narrowed(random, batch), *x), (*batch, *y)]
    return shapes, {"transpose_x": flips[0], "transpose_y": flips[1]}


def linear(random: Random) -> Drawn:
    batch, channels, height, width, out = (int(n) for n in random.randint(1, 5, 5))
    return [(batch, channels, height, width), (out, channels, 1, 1)], {}


def reshape(random: Random) -> Drawn:
    shape = some_shape(random)
    return [shape], {"shape": (1, int(np.prod(shape)))}


def transpose(random: Random) -> Drawn:
    shape = some_shape(random)
    return [shape], {"perm": tuple(int(i) for i in random.permutation(len(shape)))}


def split(random: Random) -> Drawn:
    shape = (*some_shape(random, 0, 2), 5, *some_shape(random, 0, 1))
    axis = shape.index(5)
    cut = int(random.randint(1, 5))
    return [shape], {"axis": axis, "sizes": (cut, 5 - cut)}


def concat(random: Random) -> Drawn:
    shape = some_shape(random)
    axis = int(random.randint(len(shape)))
    lengths = random.randint(1, 4, random.randint(1, 4))
    parts = [(*shape[:axis], int(n), *shape[axis + 1 :]) for n in lengths]
    return parts, {"axis": axis}


def slice_(random: Random) -> Drawn:
    shape = some_shape(random)
    begin = tuple(int(random.randint(n)) for n in shape)
    size = tuple(int(random.randint(1, n - b + 1)) for n, b in zip(shape, begin, strict=True))
    return [shape], {"begin": begin, "size": size}


def pad(random: Random) -> Drawn:
    shape = some_shape(random)
    return [shape], {"pad": tuple(int(n) for n in random.randint(0, 3, 2 * len(shape)))}


def norm(operands: int) -> Callable[[Random], Drawn]:
    def drawn(random: Random) -> Drawn:
        shape = some_shape(random, 2)
        axis = int(random.randint(len(shape)))
        weight = tuple(n if i == axis else 1 for i, n in enumerate(shape))
        return [shape, *[weight] * (operands - 1)], {"axis": axis, "epsilon": 1e-2}

    return drawn


def rope(random: Random) -> Drawn:
    batch, half, columns = some_shape(random, 0, 2), int(random.randint(1, 4)), 3
    table = (*narrowed(random, batch), half, columns)
    table = (*[1] * (len(batch) + 2 - len(table)), *table)
    return [(*batch, 2 * half, columns), table, table], {}


def attention(random: Random) -> Drawn:
    heads, shared, size, columns = (int(n) for n in random.randint(1, 4, 4))
    shapes: list[Shape] = [(heads, shared, size, columns)]
    for length in random.randint(1, 5, random.randint(1, 3)):
        shapes += [(heads, 1, size, int(length))] * 2 + [(1, 1, columns, int(length))]
    return shapes, {"scale": 0.7}


def with_attributes(**attributes: Any) -> Callable[[Random], Drawn]:
    return lambda random: ([some_shape(random)], attributes)


DRAW: dict[str, Callable[[Random], Drawn]] = {
    **dict.fromkeys(("add", "sub", "mul", "div", "maximum", "minimum", "pow"), pair),
    **dict.fromkeys(("exp", "sqrt", "rsqrt", "abs", "square", "sigmoid", "silu", "tanh"), alone),
    **dict.fromkeys(("relu", "erf", "identity"), alone),
    "gelu": lambda random: (
        [some_shape(random)],
        {"mode": ("EXACT", "TANH_APPROXIMATION")[random.randint(2)]},
    ),
    "clip": with_attributes(low=-0.5, high=0.8),
    "cast": with_attributes(dtype="fp32"),
    "select": choice,
    **dict.fromkeys(("reduce_sum", "reduce_mean", "reduce_max", "reduce_min"), reduction),
    "softmax": along,
    "matmul": matmul,
    "linear": linear,
    "reshape": reshape,
    "transpose": transpose,
    "split": split,
    "concat": concat,
    "slice": slice_,
    "pad": pad,
    "rms_norm": norm(2),
    "layer_norm": norm(3),
    "rope": rope,
    "attention": attention,
}
# op: from where on its operand may lie
POSITIVE = {"sqrt", "rsqrt", "pow", "div"}
# op: operands that have no gradient
WITHOUT = {"pow": {1}, "rope": {1, 2}, "select": {0}}
