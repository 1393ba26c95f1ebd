"""Weights that are stored narrow stand for numpy's numbers, rounded to fp16, on every device."""

import re
from collections.abc import Callable
from pathlib import Path

import mil_text
import numpy as np
import pytest
from test_numpy_ops import SIM, assert_bits

from orion.runtime import Device, Program

SHAPE = (1, 4, 2, 32)


def literal(array: np.ndarray) -> str:
    """Nested brackets, one pair an axis."""
    if array.ndim:
        return f"[{', '.join(map(literal, array))}]"
    return str(int(array)) if array.dtype.kind in "iu" else float(array).hex()


def typed(dtype: str, array: np.ndarray) -> str:
    kind = mil_text.tensor_type(dtype, array.shape) if array.ndim else dtype
    return f"{kind}({literal(array)})"


def affine(random: np.random.Generator) -> tuple[str, str, np.ndarray]:
    data = random.integers(-128, 128, SHAPE).astype(np.int8)
    scale = random.uniform(0.01, 0.1, SHAPE[1]).astype(np.float16)
    zero = random.integers(-8, 8, SHAPE[1]).astype(np.int8)
    text = (
        f'constexpr_affine_dequantize()[axis = int32(1), name = string("w"), quantized_data ='
        f" {typed('int8', data)}, scale = {typed('fp16', scale)}, zero_point ="
        f" {typed('int8', zero)}]"
    )
    column = (slice(None), None, None)
    exact = (data.astype(np.float64) - zero[column]) * scale.astype(np.float64)[column]
    return "ios16", text, exact


def blockwise(random: np.random.Generator) -> tuple[str, str, np.ndarray]:
    """Blocks of two channels."""
    data = random.integers(-8, 8, SHAPE).astype(np.int8)
    scale = random.uniform(0.01, 0.5, (1, 2, 1, 1)).astype(np.float16)
    offset = random.integers(-8, 8, (1, 2, 1, 1)).astype(np.int8)
    text = (
        f"constexpr_blockwise_shift_scale(data = {typed('int4', data)}, offset ="
        f' {typed("int4", offset)}, scale = {typed("fp16", scale)})[name = string("w")]'
    )
    shifted = data.astype(np.float64) - np.repeat(offset, 2, 1)
    return "ios18", text, shifted * np.repeat(scale.astype(np.float64), 2, 1)


def looked_up(random: np.random.Generator) -> tuple[str, str, np.ndarray]:
    """A table of four for each of the four channels; with one axis more a table has too many."""
    indices = random.integers(0, 4, SHAPE[1:]).astype(np.uint8)
    tables = random.normal(size=(4, 1, 1, 4, 1)).astype(np.float16)
    text = (
        f"constexpr_lut_to_dense(indices = {typed('uint2', indices)}, lut ="
        f' {typed("fp16", tables)})[name = string("w")]'
    )
    channels = np.arange(4)[:, None, None]
    return "ios18", text, tables.reshape(4, 4)[channels, indices].astype(np.float64)


def converted(random: np.random.Generator) -> tuple[str, str, np.ndarray]:
    wide = random.normal(size=SHAPE).astype(np.float32)
    text = (
        f'constexpr_cast()[name = string("w"), output_dtype = string("fp16"), source_val ='
        f" {typed('fp32', wide)}]"
    )
    return "ios16", text, wide.astype(np.float64)


MAKERS = (affine, blockwise, looked_up, converted)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("name", ["cpu", SIM])
def test_a_narrow_weight_is_its_numbers(
    name: str, make: Callable[..., tuple[str, str, np.ndarray]]
) -> None:
    opset, text, exact = make(np.random.default_rng(11))
    body = f"            {mil_text.tensor_type('fp16', exact.shape)} w = {text};\n"
    body += mil_text.call("maximum", {"x": "%x", "y": "%w"}, [("out", "fp16", SHAPE)])
    program = mil_text.program([("x", "fp16", SHAPE)], body, ["out"])
    lowest = np.full(SHAPE, -np.inf, np.float16)
    got = Program(Device(name), program.replace("ios18", opset)).run([lowest])["out"]
    assert_bits(got, np.broadcast_to(exact, SHAPE))


def test_each_op_of_the_engine_is_tested(root: Path) -> None:
    source = (root / "Sources/MILEngine/Ops/Compressed.swift").read_text()
    random = np.random.default_rng(1)
    used = {make(random)[1].split("(")[0] for make in MAKERS}
    assert used == set(re.findall(r'"(constexpr_\w+)"', source))
