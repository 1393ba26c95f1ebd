"""Shape rules that several ops share: from operand types and attributes to result types.

A rule raises ShapeError with what was expected and what came.
"""

from __future__ import annotations

from collections.abc import Sequence

from .row import Attributes, ShapeError
from .types import TensorType

Types = Sequence[TensorType]


def same(types: Types, attributes: Attributes) -> list[TensorType]:
    return [types[0]]


def same_float(types: Types, attributes: Attributes) -> list[TensorType]:
    require(types[0].is_float, f"expected fp16 or fp32, got {types[0].dtype}")
    return [types[0]]


def broadcast(types: Types, attributes: Attributes) -> list[TensorType]:
    require_one_dtype(types)
    return [TensorType(types[0].dtype, broadcast_shapes([t.shape for t in types]))]


def select(types: Types, attributes: Attributes) -> list[TensorType]:
    condition, *values = types
    require(condition.dtype == "bool", f"expected a bool condition, got {condition.dtype}")
    require_one_dtype(values)
    return [TensorType(values[0].dtype, broadcast_shapes([t.shape for t in types]))]


def comparison(types: Types, attributes: Attributes) -> list[TensorType]:
    return [TensorType("bool", broadcast(types, attributes)[0].shape)]


def cast(types: Types, attributes: Attributes) -> list[TensorType]:
    return [TensorType(attributes["dtype"], types[0].shape)]


def source(types: Types, attributes: Attributes) -> list[TensorType]:
    return [TensorType(attributes["dtype"], tuple(attributes["shape"]))]


def along_axis(types: Types, attributes: Attributes) -> list[TensorType]:
    axis_index(attributes["axis"], types[0].rank)
    return same_float(types, attributes)


def reduction(types: Types, attributes: Attributes) -> list[TensorType]:
    x, keep = types[0], attributes["keep_dims"]
    axes = axis_indices(attributes["axes"], x.rank)
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keep or i not in axes)
    return [x.with_shape(shape)]


def matmul(types: Types, attributes: Attributes) -> list[TensorType]:
    x, y = types
    require_one_dtype(types)
    require(x.rank >= 2 and y.rank >= 2, f"expected two axes or more, got {x} and {y}")
    rows, inner_x = x.shape[-2:][:: -1 if attributes["transpose_x"] else 1]
    inner_y, columns = y.shape[-2:][:: -1 if attributes["transpose_y"] else 1]
    require(inner_x == inner_y, f"inner lengths differ: {inner_x} of {x}, {inner_y} of {y}")
    return [x.with_shape((*broadcast_shapes([x.shape[:-2], y.shape[:-2]]), rows, columns))]


def linear(types: Types, attributes: Attributes) -> list[TensorType]:
    x, weight = types
    require_one_dtype(types)
    require(x.rank == 4 and weight.rank == 4, f"expected four axes each, got {x} and {weight}")
    require(weight.shape[2:] == (1, 1), f"expected a weight [out, in, 1, 1], got {weight}")
    require(weight.shape[1] == x.shape[1], f"{weight} does not take the channels of {x}")
    return [x.with_shape((x.shape[0], weight.shape[0], *x.shape[2:]))]


def reshape(types: Types, attributes: Attributes) -> list[TensorType]:
    result = types[0].with_shape(tuple(attributes["shape"]))
    require(all(n > 0 for n in result.shape), f"lengths must be positive, got {result}")
    require(result.size == types[0].size, f"{types[0]} has not as many elements as {result}")
    return [result]


def transpose(types: Types, attributes: Attributes) -> list[TensorType]:
    perm = tuple(attributes["perm"])
    require(sorted(perm) == list(range(types[0].rank)), f"{list(perm)} does not order {types[0]}")
    return [types[0].with_shape(tuple(types[0].shape[i] for i in perm))]


def split(types: Types, attributes: Attributes) -> list[TensorType]:
    x, sizes = types[0], tuple(attributes["sizes"])
    axis = axis_index(attributes["axis"], x.rank)
    fits = all(n > 0 for n in sizes) and sum(sizes) == x.shape[axis]
    require(fits, f"sizes {list(sizes)} do not make up axis {axis} of {x}")
    return [x.with_shape((*x.shape[:axis], n, *x.shape[axis + 1 :])) for n in sizes]


def concat(types: Types, attributes: Attributes) -> list[TensorType]:
    require(len(types) > 0, "expected at least one operand")
    require_one_dtype(types)
    first = types[0]
    axis = axis_index(attributes["axis"], first.rank)
    for other in types:
        fits = other.rank == first.rank and all(
            i == axis or n == first.shape[i] for i, n in enumerate(other.shape)
        )
        require(fits, f"{other} does not fit {first} outside axis {axis}")
    length = sum(t.shape[axis] for t in types)
    return [first.with_shape((*first.shape[:axis], length, *first.shape[axis + 1 :]))]


def slice_(types: Types, attributes: Attributes) -> list[TensorType]:
    x, begin, size = types[0], tuple(attributes["begin"]), tuple(attributes["size"])
    fits = len(begin) == len(size) == x.rank and all(
        b >= 0 and n > 0 and b + n <= length
        for b, n, length in zip(begin, size, x.shape, strict=True)
    )
    require(fits, f"begin {list(begin)} and size {list(size)} do not lie inside {x}")
    return [x.with_shape(size)]


def pad(types: Types, attributes: Attributes) -> list[TensorType]:
    x, edges = types[0], tuple(attributes["pad"])
    fits = len(edges) == 2 * x.rank and all(n >= 0 for n in edges)
    require(fits, f"pad {list(edges)} has not two counts for each axis of {x}")
    counts = zip(x.shape, edges[0::2], edges[1::2], strict=True)
    return [x.with_shape(tuple(n + before + after for n, before, after in counts))]


def broadcast_shapes(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    rank = max(len(shape) for shape in shapes)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result = []
    for lengths in zip(*padded, strict=True):
        wide = {n for n in lengths if n != 1}
        if len(wide) > 1:
            names = " and ".join(str(list(shape)) for shape in shapes)
            raise ShapeError(f"shapes {names} do not broadcast")
        result.append(wide.pop() if wide else 1)
    return tuple(result)


def axis_index(axis: int, rank: int) -> int:
    require(-rank <= axis < rank, f"axis {axis} is outside {rank} axes")
    return axis % rank


def axis_indices(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    indices = tuple(axis_index(axis, rank) for axis in axes)
    require(len(set(indices)) == len(indices), f"axes {list(axes)} repeat")
    return indices


def require_one_dtype(types: Types) -> None:
    dtypes = {t.dtype for t in types}
    if len(dtypes) > 1:
        names = " and ".join(sorted(dtypes))
        raise ShapeError(f"expected operands of one dtype, got {names}")


def require(holds: bool, message: str) -> None:
    if not holds:
        raise ShapeError(message)
