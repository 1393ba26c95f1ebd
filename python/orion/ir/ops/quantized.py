"""Ops that make floats of stored integers, when a program is compiled. Symmetric: 0 is code 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..row import Attributes, Op, mil
from ..shapes import require
from ..types import TensorType

Types = Sequence[TensorType]


def by_blocks(types: Types, attributes: Attributes) -> list[TensorType]:
    codes, scale = types
    require(codes.dtype == "int8", f"expected int8 codes, got {codes}")
    fits = codes.rank == scale.rank and all(
        length % blocks == 0 for length, blocks in zip(codes.shape, scale.shape, strict=True)
    )
    require(scale.is_float and fits, f"the scales {scale} do not cut {codes} into equal blocks")
    return [TensorType(scale.dtype, codes.shape)]


def along_axis(types: Types, attributes: Attributes) -> list[TensorType]:
    codes, scale = types
    axis = attributes["axis"]
    require(codes.dtype == "int8", f"expected int8 codes, got {codes}")
    fits = 0 <= axis < codes.rank and scale.shape == (codes.shape[axis],)
    require(scale.is_float and fits, f"expected a scale for each index of axis {axis}, got {scale}")
    return [TensorType(scale.dtype, codes.shape)]


def scaled_blocks(codes: np.ndarray, scale: np.ndarray) -> np.ndarray:
    for axis, blocks in enumerate(scale.shape):
        scale = scale.repeat(codes.shape[axis] // blocks, axis=axis)
    return codes * scale


def scaled_axis(codes: np.ndarray, scale: np.ndarray, axis: int) -> np.ndarray:
    lengths = [1] * codes.ndim
    lengths[axis] = -1
    return codes * scale.reshape(lengths)


# fmt: off
ROWS = (
    # codes times the scale of the block they are in; along each axis the blocks are equally long.
    Op("dequantize",      "codes scale", "",         by_blocks,  scaled_blocks,
       None, mil("constexpr_blockwise_shift_scale data scale")),
    # codes times the scale of their index along one axis: what older opsets have.
    Op("dequantize_axis", "codes scale", "axis:int", along_axis, scaled_axis,
       None, mil("constexpr_affine_dequantize quantized_data scale", inline=True,
                 zero_point=np.int8(0))),
)
# fmt: on
