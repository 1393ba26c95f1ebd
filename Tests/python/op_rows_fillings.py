"""Ops that fill values, order elements and add them up, as rows of the comparison."""

from typing import Any

import numpy as np
from op_case import Array, Draw, Row, dtype_of


def value(d: Draw, argument: str, dtype: str | None = None) -> Array:
    return d.array((), dtype or d.like(argument))


def fills(d: Draw) -> dict[str, Any]:
    return {"shape": list(d.shape(1))} | d.some(value=value(d, "value"))


def fill_likes(d: Draw) -> dict[str, Any]:
    return {"ref_tensor": d.array(d.shape(0))} | d.some(value=value(d, "value"))


def filled(given: dict[str, Any]) -> list[str]:
    kinds = {"e": "fp16", "f": "fp32", "i": "int32", "?": "bool"}
    return [kinds[given["value"].dtype.char] if "value" in given else "fp32"]


def ranges(d: Draw) -> dict[str, Any]:
    dtype = d.dtype()
    step = d.choice(1, 2, -1, -3, 0.5 if dtype != "int32" else 3)
    start = d.integer(-9, 9)
    end = start + step * d.integer(1, 9) - (0 if d.flag() else step / 2)
    if dtype == "int32":
        end = int(np.ceil(end)) if step > 0 else int(np.floor(end))
    kind = {"fp16": np.float16, "fp32": np.float32, "int32": np.int32}[dtype]
    return {
        name: np.asarray(number, kind)
        for name, number in (("end", end), ("start", start), ("step", step))
    }


def range_1d(end: Array, start: Array, step: Array) -> Any:
    count = int(np.ceil((end - start) / step))
    return start + np.arange(count) * step


def one_hots(d: Draw) -> dict[str, Any]:
    shape = d.shape(0, 3)
    size = d.integer(1, 6)
    given = {
        "indices": d.random.integers(-1, size + 1, shape).astype(np.int32),
        "one_hot_vector_size": np.asarray(size, np.int32),
    }
    values = {"on_value": value(d, "on_value"), "off_value": value(d, "off_value")}
    more = values if d.flag() else {}
    return {name: np.asarray(part) for name, part in (given | more).items()} | d.some(
        axis=d.axis(len(shape) + 1)
    )


def one_hot(
    indices: Array,
    one_hot_vector_size: Array,
    axis: int = -1,
    on_value: Any = 1,
    off_value: Any = 0,
) -> Any:
    size = int(one_hot_vector_size)
    axis %= indices.ndim + 1
    wide = np.arange(size).reshape([-1 if a == axis else 1 for a in range(indices.ndim + 1)])
    return np.where(np.expand_dims(indices, axis) == wide, on_value, off_value)


def hot(given: dict[str, Any]) -> list[str]:
    return filled({"value": given["on_value"]}) if "on_value" in given else ["int32"]


def bands(d: Draw) -> dict[str, Any]:
    return {"x": d.array(d.shape(2))} | d.some(lower=d.integer(-1, 3), upper=d.integer(-1, 3))


def band_part(x: Array, lower: int = -1, upper: int = -1) -> Any:
    row, column = np.indices(x.shape[-2:])
    kept = ((lower < 0) | (row - column <= lower)) & ((upper < 0) | (column - row <= upper))
    return np.where(kept, x, np.zeros((), x.dtype))


def sparse(d: Draw) -> dict[str, Any]:
    x = d.array(d.shape(1, 4))
    x[d.random.random(x.shape) < 0.5] = 0
    x.reshape(-1)[0] = 1
    return {"x": x}


def distinct(d: Draw) -> Array:
    """No two elements of a line are equal, so that their order is sure."""
    shape = d.shape(1, 4)
    order = d.random.permutation(int(np.prod(shape))).reshape(shape)
    dtype = d.dtype()
    kind = {"fp16": np.float16, "fp32": np.float32, "int32": np.int32, "int16": np.int16,
            "uint16": np.uint16, "int8": np.int8, "uint8": np.uint8}[dtype]  # fmt: skip
    return (order if order.size < 120 else order % 120).astype(kind)


def sorts(d: Draw) -> dict[str, Any]:
    x = distinct(d)
    return {"x": x} | d.some(axis=d.axis(x.ndim), ascending=d.flag())


def argsort(x: Array, axis: int = -1, ascending: bool = False) -> Any:
    return np.argsort(x if ascending else -x, axis, kind="stable")


def tops(d: Draw) -> dict[str, Any]:
    x = distinct(d)
    axis = d.axis(x.ndim)
    given = {"x": x, "k": np.asarray(d.integer(1, x.shape[axis]), d.choice(np.int32))}
    more = d.some(ascending=d.flag(), sort=True, return_indices=not d.engine and d.flag())
    if more.get("return_indices", True) and not d.engine:
        more |= d.some(output_indices_dtype=d.choice("int32", "uint16"))
    return given | {"axis": axis} | more


def topk(
    x: Array, k: Array, axis: int, ascending: bool = False, sort: bool = True,
    return_indices: bool = True, output_indices_dtype: str = "int32",
) -> Any:  # fmt: skip
    order = np.argsort(x if ascending else -x, axis, kind="stable")
    order = np.take(order, range(int(k)), axis)
    values = np.take_along_axis(x, order, axis)
    return [values, order] if return_indices else [values]


def top_types(given: dict[str, Any]) -> list[str]:
    kinds = [dtype_of(given["x"]), given.get("output_indices_dtype", "int32")]
    return kinds if given.get("return_indices", True) else kinds[:1]


def sums(d: Draw) -> dict[str, Any]:
    x = d.shape(1)
    axis = d.integer(-1, len(x) - 1)
    return {"x": d.array(x)} | d.some(axis=axis, exclusive=d.flag(), reverse=d.flag())


def cumsum(x: Array, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Any:
    data = np.flip(x, axis) if reverse else x
    total = np.cumsum(data, axis) - (data if exclusive else 0)
    return np.flip(total, axis) if reverse else total


ROWS: list[Row] = [
    Row("fill", fills, lambda shape, value=0.0: np.full(shape, value), result=filled),
    Row(
        "fill_like", fill_likes, lambda ref_tensor, value=0.0: np.full(ref_tensor.shape, value),
        result=filled,
    ),
    Row("range_1d", ranges, range_1d, result="start"),
    Row("one_hot", one_hots, one_hot, result=hot, known=("one_hot_vector_size",)),
    Row(
        "shape", lambda d: {"x": d.array(d.shape(1))}, lambda x: np.array(x.shape), result="int32"
    ),
    Row("non_zero", sparse, np.argwhere, positional=True, result="int32"),
    Row("band_part", bands, band_part),
    Row("argsort", sorts, argsort, result="int32"),
    Row("topk", tops, topk, result=top_types),
    # coremltools fails at sums without the element itself.
    Row("cumsum", sums, cumsum, cancels=True, oracle=lambda given: not given.get("exclusive")),
]  # fmt: skip
