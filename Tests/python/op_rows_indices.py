"""Ops that take and put elements, as rows of the comparison."""

from collections.abc import Callable
from typing import Any

import numpy as np
from op_case import Array, Draw, Row

MODES = ("add", "update", "sub", "mul", "div", "max", "min")


def indices(d: Draw, shape: tuple[int, ...], size: int, argument: str = "indices") -> Array:
    """Places in an axis; before ios17 some are counted from its end."""
    kind = d.like(argument) if not d.engine else "int32"
    kind = "int32" if argument not in d.version.arguments else kind
    negative = d.opset < "ios17" and not kind.startswith("u")
    found = d.random.integers(-size if negative else 0, size, shape)
    return np.asarray(found, {"int32": np.int32, "int16": np.int16, "uint16": np.uint16,
                              "int8": np.int8, "uint8": np.uint8}[kind])  # fmt: skip


def gathers(d: Draw) -> dict[str, Any]:
    x = d.shape(1, 4)
    axis = d.integer(0, len(x) - 1)
    batch = d.integer(0, axis) if "batch_dims" in d.version.arguments else 0
    places = indices(d, (*x[:batch], *d.shape(0, 2, 3)), x[axis])
    given = {"x": d.array(x), "indices": places, "axis": axis}
    more = {"batch_dims": batch} if batch else d.some(batch_dims=0)
    return given | more | d.some(validate_indices=d.flag())


def gather(
    x: Array, indices: Array, axis: int, batch_dims: int = 0, validate_indices: bool = False
) -> Any:
    if not batch_dims:
        return np.take(x, indices, axis)
    return np.stack(
        [gather(a, b, axis - 1, batch_dims - 1) for a, b in zip(x, indices, strict=True)]
    )


def along(d: Draw) -> dict[str, Any]:
    x = d.shape(1, 4)
    axis = d.axis(len(x))
    shape = list(x)
    shape[axis] = d.integer(1, 6)
    return {"x": d.array(x), "indices": indices(d, tuple(shape), x[axis]), "axis": axis} | d.some(
        validate_indices=d.flag()
    )


def gather_along_axis(x: Array, indices: Array, axis: int, validate_indices: bool = False) -> Any:
    return np.take_along_axis(x, indices, axis)


def places(d: Draw, x: tuple[int, ...], batch: int) -> Array:
    """Rows of indices, each of which names a place in some axes after the batch."""
    depth = d.integer(1, len(x) - batch)
    shape = (*x[:batch], *d.shape(0 if batch else 1, 2, 3))
    parts = [indices(d, shape, x[batch + axis]) for axis in range(depth)]
    return np.stack(parts, -1)


def gather_places(d: Draw) -> dict[str, Any]:
    x = d.shape(1, 4)
    batch = d.integer(0, len(x) - 1) if "batch_dims" in d.version.arguments else 0
    more = {"batch_dims": batch} if batch else d.some(batch_dims=0)
    return {"x": d.array(x), "indices": places(d, x, batch)} | more | d.some(validate_indices=False)


def gather_nd(x: Array, indices: Array, batch_dims: int = 0, validate_indices: bool = False) -> Any:
    if batch_dims:
        return np.stack([gather_nd(a, b, batch_dims - 1) for a, b in zip(x, indices, strict=True)])
    return x[tuple(np.moveaxis(indices, -1, 0))]


def put(data: Array, place: Any, value: Any, mode: str) -> None:
    old = data[place]
    if mode == "update":
        data[place] = value
    elif mode == "div" and data.dtype.kind == "i":
        data[place] = np.trunc(old / value)
    else:
        combine: Callable[..., Any] = {
            "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
            "max": np.maximum, "min": np.minimum,
        }[mode]  # fmt: skip
        data[place] = combine(old, value)


def scattered(d: Draw, data: tuple[int, ...], updates: tuple[int, ...]) -> dict[str, Any]:
    """Halves that no mode loses digits of, one update to a place where division would."""
    dtype = d.dtype()
    new = d.array(updates, dtype, 1, 4)
    whole = np.round(d.array(data, dtype, -8, 8)).astype(new.dtype)
    return {"data": whole, "updates": np.round(new).astype(new.dtype)}


def scatters(d: Draw) -> dict[str, Any]:
    data = d.shape(1, 4)
    axis = d.integer(0, len(data) - 1)
    mode = d.choice(*MODES)
    count = d.integer(1, data[axis] if mode == "div" else 5)
    found = d.random.permutation(data[axis])[:count] if mode == "div" else (
        indices(d, (count,), data[axis])
    )  # fmt: skip
    shape = (*data[:axis], len(found), *data[axis + 1 :])
    given = scattered(d, data, shape)
    return {
        "data": given["data"], "indices": found.astype(np.int32), "updates": given["updates"],
        "axis": axis, "mode": mode,
    } | d.some(validate_indices=d.flag())  # fmt: skip


def scatter(
    data: Array, indices: Array, updates: Array, axis: int, mode: str,
    validate_indices: bool = False,
) -> Any:  # fmt: skip
    result = data.copy()
    for row, place in enumerate(indices):
        before = (slice(None),) * axis
        put(result, (*before, int(place)), updates[(*before, row)], mode)
    return result


def scatters_along(d: Draw) -> dict[str, Any]:
    data = d.shape(1, 4)
    axis = d.axis(len(data))
    mode = d.choice(*MODES)
    shape = list(data)
    shape[axis] = d.integer(1, data[axis] if mode == "div" else 5)
    found = indices(d, tuple(shape), data[axis])
    if mode == "div":
        lines = np.zeros(shape, np.int64)
        for place in np.ndindex(*shape):
            lines[place] = place[axis % len(data)]
        found = lines
    given = scattered(d, data, tuple(shape))
    return {
        "data": given["data"], "indices": found.astype(np.int32), "updates": given["updates"],
        "axis": axis, "mode": mode,
    } | d.some(validate_indices=d.flag())  # fmt: skip


def scatter_along_axis(
    data: Array, indices: Array, updates: Array, axis: int, mode: str,
    validate_indices: bool = False,
) -> Any:  # fmt: skip
    result = data.copy()
    for place in np.ndindex(*indices.shape):
        target = list(place)
        target[axis] = int(indices[place])
        put(result, tuple(target), updates[place], mode)
    return result


def scatters_nd(d: Draw) -> dict[str, Any]:
    data = d.shape(1, 4)
    mode = d.choice(*(mode for mode in MODES if mode != "div"))
    found = places(d, data, 0).astype(np.int32)
    given = scattered(d, data, (*found.shape[:-1], *data[found.shape[-1] :]))
    return {
        "data": given["data"], "indices": found, "updates": given["updates"], "mode": mode,
    } | d.some(validate_indices=False)  # fmt: skip


def scatter_nd(
    data: Array, indices: Array, updates: Array, mode: str, validate_indices: bool = False
) -> Any:
    result = data.copy()
    for place in np.ndindex(*indices.shape[:-1]):
        put(result, tuple(int(index) for index in indices[place]), updates[place], mode)
    return result


ROWS: list[Row] = [
    Row("gather", gathers, gather),
    Row("gather_along_axis", along, gather_along_axis),
    Row("gather_nd", gather_places, gather_nd),
    Row("scatter", scatters, scatter, result="data"),
    # coremltools always updates, whatever the mode.
    Row(
        "scatter_along_axis", scatters_along, scatter_along_axis, result="data",
        oracle=lambda given: given["mode"] == "update",
    ),
    Row("scatter_nd", scatters_nd, scatter_nd, result="data"),
]  # fmt: skip
