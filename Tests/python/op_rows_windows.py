"""Pools, as rows of the comparison."""

from collections.abc import Callable
from typing import Any

import numpy as np
from op_case import Array, Draw, Row


def windows(d: Draw, ceil: bool, spatial: tuple[int, ...]) -> dict[str, Any]:
    """A kernel over some axes and the way it moves; everything fits."""
    kernel = [d.integer(1, min(3, size)) for size in spatial]
    kinds = ["valid", "custom", "same"] + (["same_lower"] if d.opset != "ios15" else [])
    kind = d.choice(*kinds)
    sides = [d.integer(0, size // 2) for size in kernel]
    rounds = ceil and len(spatial) < 3 and not kind.startswith("same") and d.flag()
    pad = [side for near in sides for side in (near, near if rounds else d.integer(0, near))]
    strides = [d.integer(1, size) for size in kernel]
    return {"kernel": kernel, "strides": strides, "pad_type": kind, "pad": pad, "ceil_mode": rounds}


def amounts(size: int, reach: int, stride: int, kind: str, pad: list[int]) -> tuple[int, int]:
    """Zeros before and after an axis."""
    if kind == "custom":
        return pad[0], pad[1]
    if kind == "valid":
        return 0, 0
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    small, large = total // 2, total - total // 2
    return (small, large) if kind == "same" else (large, small)


def pools(d: Draw) -> dict[str, Any]:
    high = 4 if d.version.op == "l2_pool" else 5
    x = d.shape(3, high)
    how = windows(d, True, x[2:])
    given = {"x": d.array(x), "kernel_sizes": how["kernel"], "pad_type": how["pad_type"]}
    given["strides"] = how["strides"]
    given["pad"] = how["pad"] if how["pad_type"] == "custom" else [0] * (2 * len(x[2:]))
    given["ceil_mode"] = how["ceil_mode"]
    return given | d.some(exclude_padding_from_average=d.flag())


def pooled(fold: Callable[[Array, Array], Any]) -> Callable[..., Any]:
    """`fold` of a window's elements and of which of them count: 2 inside, 1 padding, 0 beyond."""

    def meaning(
        x: Array,
        kernel_sizes: list[int],
        pad_type: str,
        strides: list[int],
        pad: list[int],
        ceil_mode: bool = False,
        exclude_padding_from_average: bool = False,
    ) -> Any:
        axes = range(len(kernel_sizes))
        sides = [
            amounts(x.shape[2 + a], kernel_sizes[a], strides[a], pad_type, pad[2 * a : 2 * a + 2])
            for a in axes
        ]
        counts, beyond = [], []
        for a in axes:
            room = x.shape[2 + a] + sum(sides[a]) - kernel_sizes[a]
            count = room // strides[a] + 1
            if ceil_mode:
                count = -(-room // strides[a]) + 1
                if sides[a][0] and (count - 1) * strides[a] >= x.shape[2 + a] + sides[a][0]:
                    count -= 1
            counts.append(count)
            beyond.append(max((count - 1) * strides[a] - room, 0))
        around = [(0, 0), (0, 0), *sides]
        behind = [(0, 0), (0, 0), *((0, more) for more in beyond)]
        values = np.pad(np.pad(x, around), behind)
        kinds = np.pad(np.pad(np.full(x.shape, 2), around, constant_values=1), behind)
        tiles = []
        for array in (values, kinds):
            view = np.lib.stride_tricks.sliding_window_view(
                array, kernel_sizes, tuple(range(2, x.ndim))
            )
            index = tuple(slice(0, (counts[a] - 1) * strides[a] + 1, strides[a]) for a in axes)
            part = view[(slice(None), slice(None), *index)]
            tiles.append(part.reshape(*part.shape[: x.ndim], -1))
        least = 2 if exclude_padding_from_average else 1
        return fold(tiles[0], tiles[1] if fold is not mean_of else tiles[1] >= least)

    return meaning


def largest_of(values: Array, kinds: Array) -> Any:
    return np.where(kinds == 2, values, -np.inf).max(-1)


def mean_of(values: Array, counted: Array) -> Any:
    return values.sum(-1) / counted.sum(-1)


def length_of(values: Array, kinds: Array) -> Any:
    return np.sqrt((values**2).sum(-1))


ROWS: list[Row] = [
    Row("max_pool", pools, pooled(largest_of)),
    Row("avg_pool", pools, pooled(mean_of), cancels=True),
    Row("l2_pool", pools, pooled(length_of)),
]  # fmt: skip
