"""Compressed weights within each other, as joint compression makes them, on both devices."""

from collections.abc import Callable

import mil_text
import numpy as np
import pytest
from op_rows_weights import look_up, shift_scale, sparse_to_dense
from op_text import literal
from test_engine_arithmetic import SIM, assert_bits

from orion.runtime import Device, Program

SHAPE = (1, 4, 2, 32)
Random = np.random.Generator


def line(results: str, op: str, **arguments: str) -> str:
    given = ", ".join(f"{name} = {value}" for name, value in arguments.items())
    return f'            {results} = {op}({given})[name = string("{op}")];\n'


def tensor(dtype: str, shape: tuple[int, ...], name: str) -> str:
    return f"{mil_text.tensor_type(dtype, shape)} {name}"


def looked_up_sparse(random: Random) -> tuple[str, np.ndarray]:
    """A mask, tables for two blocks of channels, and entries of two neighbouring rows."""
    mask = random.integers(0, 2, (4, 1, 32))
    indices = random.integers(0, 4, int(mask.sum()))
    tables = random.normal(size=(2, 1, 1, 4, 2)).astype(np.float16)
    count = 2 * len(indices)
    text = line(
        f"{tensor('uint1', SHAPE[1:], 'm')}, {tensor('fp16', (count,), 'v')}",
        "constexpr_lut_to_sparse",
        indices_mask=literal("uint1", mask),
        indices_nonzero_data=literal("uint2", indices),
        lut=literal("fp16", tables),
        vector_axis="int32(1)",
    )
    text += line(
        tensor("fp16", SHAPE[1:], "w"), "constexpr_sparse_to_dense", nonzero_data="v", mask="m"
    )
    dense = look_up(sparse_to_dense(indices, mask), tables, vector_axis=1)
    return text, np.where(np.repeat(mask, 2, 1) != 0, dense, 0)


def scaled_sparse(random: Random) -> tuple[str, np.ndarray]:
    """Four bits where the mask is set, with a scale and an offset for each two channels."""
    mask = random.integers(0, 2, SHAPE)
    data = random.integers(-8, 8, int(mask.sum()))
    scale = random.uniform(0.05, 2, (1, 2, 1, 1)).astype(np.float16)
    offset = random.integers(-8, 8, (1, 2, 1, 1))
    text = line(
        f"{tensor('uint1', SHAPE, 'm')}, {tensor('fp16', data.shape, 'v')}",
        "constexpr_sparse_blockwise_shift_scale",
        data_mask=literal("uint1", mask),
        nonzero_data=literal("int4", data),
        scale=literal("fp16", scale),
        offset=literal("int4", offset),
    )
    text += line(
        tensor("fp16", SHAPE, "w"), "constexpr_sparse_to_dense", nonzero_data="v", mask="m"
    )
    dense = shift_scale(sparse_to_dense(data, mask), scale.astype(np.float64), offset)
    return text, np.where(mask != 0, dense, 0)


def scaled_tables(random: Random) -> tuple[str, np.ndarray]:
    """Tables of bytes whose entries are scaled afterwards."""
    indices = random.integers(0, 8, SHAPE)
    tables = random.integers(-128, 128, (1, 1, 1, 1, 8, 1))
    scale = random.uniform(0.01, 0.1, (1, 4, 1, 1)).astype(np.float16)
    text = line(
        tensor("int8", SHAPE, "d"),
        "constexpr_lut_to_dense",
        indices=literal("uint3", indices),
        lut=literal("int8", tables),
    )
    text += line(
        tensor("fp16", SHAPE, "w"),
        "constexpr_blockwise_shift_scale",
        data="d",
        scale=literal("fp16", scale),
    )
    return text, shift_scale(look_up(indices, tables), scale.astype(np.float64))


def sparse_scaled_tables(random: Random) -> tuple[str, np.ndarray]:
    """Three forms in a row."""
    mask = random.integers(0, 2, SHAPE)
    indices = random.integers(0, 2, int(mask.sum()))
    tables = random.integers(-128, 128, (1, 1, 1, 1, 2, 1))
    scale = random.uniform(0.01, 0.1, (1, 1, 2, 1)).astype(np.float16)
    text = line(
        f"{tensor('uint1', SHAPE, 'a')}, {tensor('int8', indices.shape, 'b')}",
        "constexpr_lut_to_sparse",
        indices_mask=literal("uint1", mask),
        indices_nonzero_data=literal("uint1", indices),
        lut=literal("int8", tables),
    )
    text += line(
        f"{tensor('uint1', SHAPE, 'c')}, {tensor('fp16', indices.shape, 'd')}",
        "constexpr_sparse_blockwise_shift_scale",
        data_mask="a",
        nonzero_data="b",
        scale=literal("fp16", scale),
    )
    text += line(
        tensor("fp16", SHAPE, "w"), "constexpr_sparse_to_dense", nonzero_data="d", mask="c"
    )
    dense = shift_scale(look_up(sparse_to_dense(indices, mask), tables), scale.astype(np.float64))
    return text, np.where(mask != 0, dense, 0)


@pytest.mark.parametrize(
    "make", [looked_up_sparse, scaled_sparse, scaled_tables, sparse_scaled_tables]
)
@pytest.mark.parametrize("name", ["cpu", SIM])
def test_forms_within_each_other(
    name: str, make: Callable[[Random], tuple[str, np.ndarray]]
) -> None:
    body, exact = make(np.random.default_rng(11))
    body += mil_text.call("maximum", {"x": "%x", "y": "%w"}, [("out", "fp16", SHAPE)])
    program = mil_text.program([("x", "fp16", SHAPE)], body, ["out"])
    lowest = np.full(SHAPE, -np.inf, np.float16)
    got = Program(Device(name), program).run([lowest])["out"]
    assert_bits(got, np.broadcast_to(exact, SHAPE))


@pytest.mark.parametrize("name", ["cpu", SIM])
def test_a_sparse_matrix_multiplies(name: str) -> None:
    """Weights of a product are made the same way before they are packed."""
    random = np.random.default_rng(3)
    mask = random.integers(0, 2, (8, 32))
    values = random.normal(size=int(mask.sum())).astype(np.float16)
    body = line(
        tensor("fp16", mask.shape, "w"),
        "constexpr_sparse_to_dense",
        nonzero_data=literal("fp16", values),
        mask=literal("uint1", mask),
    )
    body += mil_text.call("linear", {"x": "%x", "weight": "%w"}, [("y", "fp16", (1, 1, 32, 8))])
    body += mil_text.call(
        "transpose", {"x": "%y", "perm": [0, 1, 3, 2]}, [("out", "fp16", (1, 1, 8, 32))]
    )
    x = random.normal(size=(1, 1, 32, 32)).astype(np.float16)
    program = Program(Device(name), mil_text.program([("x", "fp16", x.shape)], body, ["out"]))
    exact = sparse_to_dense(values, mask).astype(np.float64) @ x[0, 0].T.astype(np.float64)
    np.testing.assert_allclose(program.run([x])["out"][0, 0], exact, rtol=2e-3, atol=1e-2)
