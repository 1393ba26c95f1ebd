"""Compressed weights, and bytes that stand for floats at run time, as rows of the comparison."""

from typing import Any

import numpy as np
from op_case import FLOATS, Array, Draw, Row, Typed, dtype_of

# Whole numbers of narrow types, by name: lowest and highest.
NARROW = {
    "int4": (-8, 7), "uint4": (0, 15), "int8": (-128, 127), "uint8": (0, 255),
    "uint1": (0, 1), "uint2": (0, 3), "uint3": (0, 7), "uint6": (0, 63),
}  # fmt: skip


def halves(d: Draw, shape: Any, dtype: str, low: float = 0.05, high: float = 2) -> Array:
    """Numbers that fp16 holds."""
    values = np.asarray(d.random.uniform(low, high, tuple(shape)).astype(np.float16))
    return values.astype(np.float16 if dtype == "fp16" else np.float32)


def data(d: Draw, shape: Any, dtype: str) -> Typed:
    if dtype in FLOATS:
        return Typed(dtype, halves(d, shape, dtype, -4, 4))
    low, high = NARROW[dtype]
    return Typed(dtype, d.random.integers(low, high + 1, tuple(shape)))


def floats(d: Draw) -> str:
    return "fp16" if d.engine else str(d.choice(*FLOATS))


def blocks(d: Draw, shape: Any) -> list[int]:
    """For each axis a number of blocks that divides it."""
    return [d.choice(*(n for n in range(1, size + 1) if size % n == 0)) for size in shape]


def spread(values: Array, shape: Any) -> Any:
    """A number for each block as one for each element."""
    for axis, size in enumerate(shape):
        values = np.repeat(values, size // values.shape[axis], axis)
    return values


def affine(d: Draw) -> dict[str, Any]:
    shape = d.shape(1, 4)
    axis = d.axis(len(shape))
    kind = d.choice("int8", "uint8")
    list_shape = (shape[axis],) if d.flag() else ()
    return {
        "quantized_data": data(d, shape, kind),
        "zero_point": data(d, list_shape, kind),
        "scale": Typed((dtype := floats(d)), halves(d, list_shape, dtype)),
        "axis": axis,
    }


def affine_dequantize(quantized_data: Array, zero_point: Array, scale: Array, axis: int) -> Any:
    wide = [-1 if a == axis % quantized_data.ndim else 1 for a in range(quantized_data.ndim)]
    scale, zero_point = scale.reshape(wide), zero_point.reshape(wide)
    return (quantized_data - zero_point) * scale


def blockwise(d: Draw) -> dict[str, Any]:
    shape = d.shape(1, 4)
    kind = d.choice("int4", "uint4", "int8", "uint8", floats(d))
    cut = blocks(d, shape)
    dtype = kind if kind in FLOATS else floats(d)
    given = {"data": data(d, shape, kind), "scale": Typed(dtype, halves(d, cut, dtype))}
    return given | ({"offset": data(d, cut, kind)} if d.flag() else {})


def shift_scale(data: Array, scale: Array, offset: Array | None = None) -> Any:
    shifted = data if offset is None else data - spread(offset, data.shape)
    return shifted * spread(scale, data.shape)


def packed(bits: int, values: Array) -> Array:
    """Whole numbers of some bits each as bytes, lowest bit first."""
    columns = (values.reshape(-1, 1) >> np.arange(bits)) & 1
    return np.packbits(columns.reshape(-1).astype(np.uint8), bitorder="little")


def look_ups(d: Draw) -> dict[str, Any]:
    shape = d.shape(1, 3)
    kind = d.choice(*FLOATS, "int8", "uint8") if not d.engine else "fp16"
    if d.opset < "ios18":
        bits = d.choice(1, 2, 4, 6, 8)
        indices = d.random.integers(0, 1 << bits, shape)
        return {
            "indices": Typed("uint8", packed(bits, indices)),
            "lut": data(d, (1 << bits,), kind),
            "shape": Typed("uint32", np.array(shape)),
        }
    bits = d.choice(1, 2, 3, 4, 6, 8)
    cut = blocks(d, shape)
    count = d.choice(1, 1, 2, 3)
    axis = {"vector_axis": d.axis(len(shape))} if count > 1 else {}
    return {
        "indices": data(d, shape, f"uint{bits}"),
        "lut": data(d, (*cut, 1 << bits, count), kind),
    } | axis


def look_up(
    indices: Array, lut: Array, shape: Array | None = None, vector_axis: int | None = None
) -> Any:
    if shape is not None:
        bits = int(lut.size).bit_length() - 1
        count = int(np.prod(shape))
        stream = np.unpackbits(indices.astype(np.uint8), bitorder="little")[: count * bits]
        values = (stream.reshape(count, bits).astype(np.int64) << np.arange(bits)).sum(1)
        return lut[values].reshape(shape)
    tables = spread(lut, (*indices.shape, *lut.shape[-2:]))
    entries = np.take_along_axis(tables, indices[..., None, None], -2)[..., 0, :]
    if lut.shape[-1] == 1:
        return entries[..., 0]
    axis = (vector_axis or 0) % indices.ndim
    moved = np.moveaxis(entries, -1, axis + 1)
    whole = list(indices.shape)
    whole[axis] *= lut.shape[-1]
    return moved.reshape(whole)


def mask_of(d: Draw, shape: Any) -> Array:
    mask = d.random.integers(0, 2, tuple(shape))
    mask.reshape(-1)[d.integer(0, mask.size - 1)] = 1
    return np.asarray(mask)


def sparse(d: Draw) -> dict[str, Any]:
    shape = d.shape(1, 3)
    mask = mask_of(d, shape)
    # The sets of ios18 hold four bits too, but no program gives them out.
    kind = "fp16" if d.engine else d.choice(*FLOATS, "int8", "uint8")
    values = data(d, (int(mask.sum()),), kind)
    if d.opset == "ios18":
        return {"nonzero_data": values, "mask": Typed("uint1", mask)}
    return {
        "nonzero_data": values,
        "mask": Typed("uint8", packed(1, mask)),
        "shape": Typed("uint32", np.array(shape)),
    }


def sparse_to_dense(nonzero_data: Array, mask: Array, shape: Array | None = None) -> Any:
    if shape is not None:
        bits = np.unpackbits(mask.astype(np.uint8), bitorder="little")
        mask = bits[: int(np.prod(shape))].reshape(shape)
    dense = np.zeros(mask.shape, nonzero_data.dtype)
    dense[mask != 0] = nonzero_data
    return dense


def quantized(d: Draw) -> dict[str, Any]:
    shape = d.shape(1, 4)
    axis = d.axis(len(shape))
    list_shape = (shape[axis],) if d.flag() else ()
    kind = d.choice("int8", "uint8")
    source = d.dtype("SrcT")
    given = {"input": d.array(shape, source, -40, 40), "scale": halves(d, list_shape, source)}
    zero = {"zero_point": data(d, list_shape, kind)} if d.flag() else {}
    return given | zero | ({"axis": axis} if list_shape else {}) | {"output_dtype": kind}


def along(array: Any, axis: int | None, rank: int) -> Any:
    if axis is None:
        return array
    return array.reshape([-1 if a == axis % rank else 1 for a in range(rank)])


def quantize(
    input: Array, scale: Array, output_dtype: str, zero_point: Any = None, axis: int | None = None
) -> Any:
    low, high = NARROW[output_dtype]
    zero = 0 if zero_point is None else along(zero_point, axis, input.ndim)
    steps = np.round(input / along(scale, axis, input.ndim)) + zero
    return np.clip(steps, low, high).astype(np.int64)


def quantized_input(d: Draw) -> dict[str, Any]:
    shape = d.shape(1, 4)
    axis = d.axis(len(shape))
    list_shape = (shape[axis],) if d.flag() else ()
    kind = d.choice("int8", "uint8")
    numbers = np.asarray(data(d, shape, kind).value, np.int8 if kind == "int8" else np.uint8)
    zero = {"zero_point": data(d, list_shape, kind)} if d.flag() else {}
    dtype = floats(d)
    scale = {"scale": Typed(dtype, halves(d, list_shape, dtype))}
    return {"input": numbers} | scale | zero | ({"axis": axis} if list_shape else {})


def dequantize(input: Array, scale: Array, zero_point: Any = None, axis: int | None = None) -> Any:
    zero = 0 if zero_point is None else along(zero_point, axis, input.ndim)
    return (input - zero) * along(scale, axis, input.ndim)


def casts(d: Draw) -> dict[str, Any]:
    dtype = floats(d)
    return {"source_val": Typed(dtype, halves(d, d.shape(0), dtype)), "output_dtype": floats(d)}


def never(given: dict[str, Any]) -> bool:
    return False


def like_scale(given: dict[str, Any]) -> list[str]:
    return [dtype_of(given["scale"])]


ROWS: list[Row] = [
    Row("constexpr_affine_dequantize", affine, affine_dequantize, result=like_scale, oracle=never),
    Row("constexpr_blockwise_shift_scale", blockwise, shift_scale, result=like_scale, oracle=never),
    Row("constexpr_lut_to_dense", look_ups, look_up, result="lut", oracle=never),
    Row("constexpr_sparse_to_dense", sparse, sparse_to_dense, result="nonzero_data", oracle=never),
    Row(
        "constexpr_cast", casts, lambda source_val, output_dtype: source_val,
        result=lambda given: [given["output_dtype"]], oracle=never,
    ),
    Row("quantize", quantized, quantize, result=lambda given: [given["output_dtype"]]),
    Row("dequantize", quantized_input, dequantize, result=like_scale),
]  # fmt: skip
