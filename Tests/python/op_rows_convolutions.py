"""Convolutions and their ways back, as rows of the comparison."""

import itertools
from typing import Any

import numpy as np
from op_case import Array, Draw, Row


def draw(d: Draw, transposed: bool) -> dict[str, Any]:
    axes = d.integer(1, 3)
    groups = d.choice(1, 1, 2, 3)
    inputs, outputs = (groups * d.integer(1, 3) for _ in range(2))
    kernel = [d.integer(1, 3) for _ in range(axes)]
    strides = [d.integer(1, 3) for _ in range(axes)]
    dilations = [d.integer(1, 2) for _ in range(axes)]
    sizes = [
        (k - 1) * s + 1 + d.integer(0, 5 - axes) for k, s in zip(kernel, dilations, strict=True)
    ]
    x = d.array((d.integer(1, 2), inputs, *sizes), low=-2, high=2)
    pair = (inputs, outputs // groups) if transposed else (outputs, inputs // groups)
    weight = d.array((*pair, *kernel), d.like("weight"), low=-2, high=2)
    given: dict[str, Any] = {"x": x, "weight": weight}
    if groups > 1 or d.engine or d.flag():
        given["groups"] = groups
    if max(strides) > 1 or d.engine or d.flag():
        given["strides"] = strides
    if max(dilations) > 1 or d.engine or d.flag():
        given["dilations"] = dilations
    given |= d.some(bias=d.array((outputs,), weight.dtype.name.replace("float", "fp"), -2, 2))
    kinds = ["valid", "custom", "same"] + (
        [] if transposed or d.opset == "ios15" else ["same_lower"]
    )
    kind = d.choice(*kinds)
    if kind != "valid" or d.engine or d.flag():
        given["pad_type"] = kind
    if kind == "custom" or d.engine:
        # Cuts of the way back leave at least one element.
        given["pad"] = [
            d.integer(0, 1 if not transposed else int(k > 2)) for k in kernel for _ in "ab"
        ]
    if transposed and kind == "same" and not d.engine and d.flag():
        whole = [s * n - d.integer(0, s - 1) for s, n in zip(strides, sizes, strict=True)]
        given["output_shape"] = [len(x), outputs, *whole]
    return given


def pads(
    kind: str, pad: Any, sizes: Any, reach: list[int], strides: list[int]
) -> list[tuple[int, int]]:
    """Zeros before and after each axis of what the forward way reads."""
    if kind == "valid":
        return [(0, 0)] * len(reach)
    if kind == "custom":
        return [(pad[2 * i], pad[2 * i + 1]) for i in range(len(reach))]
    found = []
    for size, r, s in zip(sizes, reach, strides, strict=True):
        total = max((-(-size // s) - 1) * s + r - size, 0)
        small = total // 2
        found.append((total - small, small) if kind == "same_lower" else (small, total - small))
    return found


def conv(
    x: Array,
    *,
    weight: Array,
    bias: Array | None = None,
    strides: list[int] | None = None,
    dilations: list[int] | None = None,
    pad_type: str = "valid",
    pad: list[int] | None = None,
    groups: int = 1,
) -> Array:
    axes = x.ndim - 2
    strides, dilations = strides or [1] * axes, dilations or [1] * axes
    kernel = weight.shape[2:]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    padded = np.pad(x, [(0, 0), (0, 0), *pads(pad_type, pad, x.shape[2:], reach, strides)])
    counts = [(n - r) // s + 1 for n, r, s in zip(padded.shape[2:], reach, strides, strict=True)]
    y = np.zeros((len(x), len(weight), *counts))
    for tap in itertools.product(*map(range, kernel)):
        cut = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, s, n in zip(tap, dilations, strides, counts, strict=True)
        )
        parts = np.split(padded[(slice(None), slice(None), *cut)], groups, 1)
        taps = np.split(weight[(slice(None), slice(None), *tap)], groups)
        y += np.concatenate(
            [np.einsum("nc...,oc->no...", p, w) for p, w in zip(parts, taps, strict=True)], 1
        )
    return y if bias is None else y + bias.reshape(-1, *[1] * axes)


def conv_transpose(
    x: Array,
    *,
    weight: Array,
    bias: Array | None = None,
    strides: list[int] | None = None,
    dilations: list[int] | None = None,
    pad_type: str = "valid",
    pad: list[int] | None = None,
    groups: int = 1,
    output_shape: list[int] | None = None,
) -> Array:
    """What the gradient of a convolution gives: each element spread over the kernel."""
    axes = x.ndim - 2
    strides, dilations = strides or [1] * axes, dilations or [1] * axes
    kernel, outputs = weight.shape[2:], weight.shape[1] * groups
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    whole = [(n - 1) * s + r for n, s, r in zip(x.shape[2:], strides, reach, strict=True)]
    sizes = output_shape[2:] if output_shape else None
    if pad_type == "same":
        sizes = sizes or [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
        cuts = [(max(w - n, 0) // 2, 0) for w, n in zip(whole, sizes, strict=True)]
    else:
        cuts = pads(pad_type, pad, None, reach, strides)
        sizes = [w - a - b for w, (a, b) in zip(whole, cuts, strict=True)]
    room = [max(w, a + n) for w, n, (a, _) in zip(whole, sizes, cuts, strict=True)]
    y = np.zeros((len(x), outputs, *room))
    for tap in itertools.product(*map(range, kernel)):
        place = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, s, n in zip(tap, dilations, strides, x.shape[2:], strict=True)
        )
        parts = np.split(x, groups, 1)
        taps = np.split(weight[(slice(None), slice(None), *tap)], groups)
        y[(slice(None), slice(None), *place)] += np.concatenate(
            [np.einsum("nc...,co->no...", p, w) for p, w in zip(parts, taps, strict=True)], 1
        )
    inside = tuple(slice(a, a + n) for n, (a, _) in zip(sizes, cuts, strict=True))
    y = y[(slice(None), slice(None), *inside)]
    return y if bias is None else y + bias.reshape(-1, *[1] * axes)


def terms(given: dict[str, Any]) -> int:
    return int(np.prod(given["weight"].shape))


ROWS: list[Row] = [
    Row("conv", lambda d: draw(d, False), conv, cancels=True, ulps=1, inner=terms),
    Row(
        "conv_transpose", lambda d: draw(d, True), conv_transpose, cancels=True, ulps=1, inner=terms
    ),
]
