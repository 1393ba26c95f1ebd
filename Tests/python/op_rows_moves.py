"""Ops that move elements and compute nothing, as rows of the comparison."""

from typing import Any

import numpy as np
from op_case import Array, Draw, Row


def reshapes(d: Draw) -> dict[str, Any]:
    x = d.shape(0)
    parts = [size for size in x if size > 1]
    d.random.shuffle(parts)
    shape = list(parts) + [1] * d.integer(0 if parts else 1, 2)
    d.random.shuffle(shape)
    shape = shape[:5] if np.prod(shape[:5]) == np.prod(x) else list(parts) or [1]
    if d.flag():
        shape[d.integer(0, len(shape) - 1)] = -1
    if len(shape) == len(x) and d.flag() and -1 not in shape and shape[0] == x[0]:
        shape[0] = 0
    return {"x": d.array(x), "shape": shape}


def reshape(x: Array, shape: list[int]) -> Any:
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(shape)])


def expansions(d: Draw) -> dict[str, Any]:
    x = d.shape(0, 3)
    rank = len(x) + d.integer(1, 2)
    chosen = d.random.permutation(rank)[: rank - len(x)]
    return {"x": d.array(x), "axes": [int(a) - (rank if d.flag() else 0) for a in chosen]}


def squeezes(d: Draw) -> dict[str, Any]:
    x = tuple(1 if d.flag() else size for size in d.shape(1))
    axes = [a - (len(x) if d.flag() else 0) for a in range(len(x)) if x[a] == 1 and d.flag()]
    return {"x": d.array(x)} | (d.some(axes=axes) if axes else {})


def squeeze(x: Array, axes: list[int] | None = None) -> Any:
    return np.squeeze(x, None if axes is None else tuple(axes))


def flattenings(d: Draw) -> dict[str, Any]:
    x = d.shape(1)
    return {"x": d.array(x)} | d.some(axis=d.integer(-len(x), len(x)))


def flatten(x: Array, axis: int = 1) -> Any:
    before = int(np.prod(x.shape[: axis + x.ndim if axis < 0 else axis]))
    return x.reshape(before, -1)


def likenesses(d: Draw) -> dict[str, Any]:
    """Runs of two shapes that make up the shape of x."""
    shape = d.shape(2, 4)
    at = d.integer(1, len(shape) - 1)
    first, second = shape[:at], shape[at:]
    before, after = d.integer(0, 1), d.integer(0, 1)
    whole = d.flag()
    x = d.array((int(np.prod(shape)),))
    return {
        "x": x,
        "ref_tensors": (
            d.array((*first, *[2] * after)), d.array((*[3] * before, *second)),
        ),
        "begins": (np.int32(0), np.int32(before)),
        "ends": (np.int32(at), np.int32(0 if whole else before + len(second))),
        "end_masks": (np.bool_(False), np.bool_(whole)),
    }  # fmt: skip


def reshape_like(x: Array, ref_tensors: Any, begins: Any, ends: Any, end_masks: Any) -> Any:
    shape: list[int] = []
    for like, begin, end, whole in zip(ref_tensors, begins, ends, end_masks, strict=True):
        shape += like.shape[int(begin) : None if whole else int(end)]
    return x.reshape(shape)


def transposes(d: Draw) -> dict[str, Any]:
    x = d.shape(1)
    perm = [int(a) - (len(x) if d.flag() else 0) for a in d.random.permutation(len(x))]
    return {"x": d.array(x), "perm": perm}


def joins(d: Draw) -> dict[str, Any]:
    x = d.shape(1)
    axis = d.axis(len(x))
    dtype = d.choice(*(("fp16",) if d.engine else ("fp16", "fp32", "int32", "bool")))
    interleave = d.flag()
    parts = []
    for _ in range(d.integer(1, 4)):
        shape = list(x)
        shape[axis] = x[axis] if interleave else d.integer(1, 4)
        parts.append(d.array(shape, dtype))
    return {"values": tuple(parts), "axis": axis} | (
        {"interleave": True} if interleave else d.some(interleave=False)
    )


def concat(values: tuple[Array, ...], axis: int, interleave: bool = False) -> Any:
    if not interleave:
        return np.concatenate(values, axis)
    axis %= values[0].ndim
    joined = np.stack(values, axis + 1)
    shape = values[0].shape
    return joined.reshape(*shape[:axis], -1, *shape[axis + 1 :])


def stacks(d: Draw) -> dict[str, Any]:
    x = d.shape(0, 4)
    dtype = d.choice(*(("fp16",) if d.engine else ("fp16", "fp32", "int32", "bool")))
    parts = tuple(d.array(x, dtype) for _ in range(d.integer(1, 4)))
    return {"values": parts, "axis": d.axis(len(x) + 1)}


def splits(d: Draw) -> dict[str, Any]:
    x = list(d.shape(1))
    axis = d.axis(len(x))
    if d.flag():
        count = d.integer(2, 4)
        x[axis] = count * d.integer(1, 3)
        return {"x": d.array(x), "num_splits": count, "axis": axis}
    sizes = [d.integer(1, 3) for _ in range(d.integer(2, 4))]
    x[axis] = sum(sizes)
    return {"x": d.array(x), "split_sizes": sizes, "axis": axis} | d.some(num_splits=len(sizes))


def split(x: Array, axis: int, num_splits: int = 0, split_sizes: list[int] | None = None) -> Any:
    places = num_splits if split_sizes is None else list(np.cumsum(split_sizes)[:-1])
    return np.split(x, places, axis)


def tiles(d: Draw) -> dict[str, Any]:
    x = d.shape(1, 4)
    return {"x": d.array(x), "reps": [d.integer(1, 3) for _ in x]}


def pads(d: Draw) -> dict[str, Any]:
    x = d.shape(1, 4)
    mode = d.choice("constant", "reflect", "replicate")
    axes = d.integer(1, len(x))
    most = [size - 1 if mode == "reflect" else size for size in x[len(x) - axes :]]
    pad = [d.integer(0, high) for high in most for _ in range(2)]
    value = np.float16(d.random.uniform(-2, 2)).astype(
        np.float16 if d.dtype() == "fp16" else np.float32
    )
    given = {"x": d.array(x), "pad": pad}
    if mode == "constant":
        return given | d.some(mode=mode) | d.some(constant_val=np.asarray(value))
    return given | {"mode": mode} | ({"constant_val": np.asarray(value)} if d.engine else {})


def pad(x: Array, pad: list[int], mode: str = "constant", constant_val: Any = 0.0) -> Any:
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[::2], pad[1::2], strict=True))
    if mode == "constant":
        return np.pad(x, widths, constant_values=constant_val)
    return np.pad(x, widths, "edge" if mode == "replicate" else mode)


def never(given: dict[str, Any]) -> bool:
    return False


ROWS: list[Row] = [
    Row("reshape", reshapes, reshape),
    Row("expand_dims", expansions, lambda x, axes: np.expand_dims(x, tuple(axes))),
    # coremltools drops one axis only of a value with nothing but axes of 1.
    Row("squeeze", squeezes, squeeze, oracle=lambda given: given["x"].size > 1),
    # coremltools multiplies no sizes to a number that is not whole.
    Row(
        "flatten2d", flattenings, flatten,
        oracle=lambda given: given.get("axis", 1) % given["x"].ndim > 0,
    ),
    Row("reshape_like", likenesses, reshape_like, oracle=never),
    Row("transpose", transposes, np.transpose, positional=True),
    # coremltools joins values one after the other even where it is told to interleave.
    Row(
        "concat", joins, concat, result="values",
        oracle=lambda given: not given.get("interleave", False),
    ),
    Row("stack", stacks, np.stack, positional=True, result="values"),
    Row("split", splits, split),
    Row("tile", tiles, np.tile, positional=True),
    Row("pad", pads, pad),
]  # fmt: skip
