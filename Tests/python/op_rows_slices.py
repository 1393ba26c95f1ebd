"""Slices, their updates, and windows, as rows of the comparison."""

from typing import Any

import numpy as np
from op_case import Array, Draw, Row
from op_rows_moves import never


def slices(d: Draw) -> dict[str, Any]:
    x = d.shape(1)
    begin, end, stride, drop = [], [], [], []
    masks: dict[str, list[bool]] = {"begin_mask": [], "end_mask": []}
    for size in x:
        back = d.random.random() < 0.25
        first, last = sorted((d.integer(0, size - 1), d.integer(0, size - 1)))
        low, high = first, last + 1
        step = d.integer(1, 3)
        begin.append(last if back else low)
        # The end before the first element can only be said by the mask.
        end.append((first - 1 if first else 0) if back else high)
        stride.append(-step if back else step)
        masks["begin_mask"].append(d.random.random() < 0.2)
        masks["end_mask"].append((back and not first) or d.random.random() < 0.2)
        drop.append(d.random.random() < 0.15)
    if all(drop):
        drop[0] = False
    for axis, size in enumerate(x):
        if drop[axis]:
            begin[axis], stride[axis], masks["begin_mask"][axis] = (
                d.integer(-size, size - 1),
                1,
                False,
            )
        elif stride[axis] > 0 and d.flag() and not masks["begin_mask"][axis]:
            begin[axis] -= size
    given = {"begin": begin, "end": end, "stride": stride, **masks}
    if any(drop) or d.engine:
        given["squeeze_mask"] = drop
    return {"x": d.array(x)} | given


def index(
    rank: int,
    begin: list[int],
    end: list[int],
    stride: list[int],
    begin_mask: list[bool],
    end_mask: list[bool],
    squeeze_mask: list[bool] | None = None,
) -> tuple[Any, ...]:
    drop = squeeze_mask or [False] * rank
    return tuple(
        int(begin[a])
        if drop[a]
        else slice(
            None if begin_mask[a] else int(begin[a]),
            None if end_mask[a] else int(end[a]),
            int(stride[a]),
        )
        for a in range(rank)
    )


def slice_by_index(x: Array, **how: Any) -> Any:
    return x[index(x.ndim, **how)]


def updates(d: Draw) -> dict[str, Any]:
    given = slices(d)
    x = given.pop("x")
    shape = x[index(x.ndim, **given)].shape
    return {"x": x, "update": d.array(shape)} | given


def slice_update(x: Array, update: Array, **how: Any) -> Any:
    result = x.copy()
    result[index(x.ndim, **how)] = update
    return result


def sizes(d: Draw) -> dict[str, Any]:
    x = d.shape(1)
    begin = [d.integer(0, size - 1) for size in x]
    size = [
        -1 if d.random.random() < 0.3 else d.integer(1, whole - first)
        for whole, first in zip(x, begin, strict=True)
    ]
    return {"x": d.array(x), "begin": begin, "size": size}


def slice_by_size(x: Array, begin: Any, size: Any) -> Any:
    return x[
        tuple(
            slice(first, None if count == -1 else first + count)
            for first, count in zip(begin, size, strict=True)
        )
    ]


def moving_slices(d: Draw) -> dict[str, Any]:
    """The place is only known at run time."""
    given = sizes(d)
    given["size"] = [
        whole - first if count == -1 else count
        for whole, first, count in zip(given["x"].shape, given["begin"], given["size"], strict=True)
    ]
    return given | {"begin": np.array(given["begin"], np.int32)}


def moving_updates(d: Draw) -> dict[str, Any]:
    given = moving_slices(d)
    end = given["begin"] + np.array(given.pop("size"), np.int32)
    shape = end - given["begin"]
    return {"x": given["x"], "update": d.array(tuple(int(size) for size in shape))} | {
        "begin": given["begin"], "end": end.astype(np.int32)
    }  # fmt: skip


def moving_update(x: Array, update: Array, begin: Array, end: Array) -> Any:
    result = x.copy()
    result[tuple(map(slice, begin, end))] = update
    return result


def windows(d: Draw) -> dict[str, Any]:
    x = d.shape(1, 4)
    axis = d.axis(len(x))
    return {"x": d.array(x), "axis": axis, "size": d.integer(1, x[axis])} | d.some(
        stride=d.integer(1, 3)
    )


def sliding_windows(x: Array, axis: int, size: int, stride: int = 1) -> Any:
    axis %= x.ndim
    view = np.lib.stride_tricks.sliding_window_view(x, size, axis)
    view = np.moveaxis(view, -1, axis + 1)
    return view[(*[slice(None)] * axis, slice(None, None, stride))]


ROWS: list[Row] = [
    # coremltools loses the first element of a step back that a mask ends.
    Row("slice_by_index", slices, slice_by_index, oracle=lambda given: min(given["stride"]) > 0),
    Row("slice_update", updates, slice_update, oracle=lambda given: min(given["stride"]) > 0),
    Row("slice_by_size", sizes, slice_by_size),
    Row("slice_by_size", moving_slices, slice_by_size, oracle=never, host=True,
        name="slice_by_size at run time"),
    Row("slice_update", moving_updates, moving_update, oracle=never, host=True,
        name="slice_update at run time"),
    Row("sliding_windows", windows, sliding_windows),
]  # fmt: skip
