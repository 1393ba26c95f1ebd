"""What the engine's arithmetic does to numbers: saturation, and masks that it ignores."""

import mil_text
import numpy as np
import pytest
from op_case import Array
from op_rows_products import attention

from orion.runtime import Device, Program

SIM = "sim:m4-macos15"


def assert_bits(got: Array, exact: Array) -> None:
    """`got` is `exact` rounded once to fp16; either zero will do, and any NaN."""
    with np.errstate(over="ignore"):
        want = np.asarray(exact, np.float64).astype(np.float16)
    assert got.dtype == np.float16
    assert got.shape == want.shape
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    places = [tuple(place) for place in np.argwhere(~same)[:5].tolist()]
    assert same.all(), [(place, got[place], want[place]) for place in places]


@pytest.mark.parametrize(("name", "heeded"), [("cpu", True), (SIM, False)])
def test_attention_heeds_its_mask_on_cpu_and_not_on_the_engine(name: str, heeded: bool) -> None:
    random = np.random.default_rng(7)
    query, key, value = (
        random.normal(0, 2, (1, 2, rows, 32)).astype(np.float16) for rows in (4, 64, 64)
    )
    mask = np.where(random.random((1, 1, 4, 64)) < 0.5, -10000, 0).astype(np.float16)
    arguments = {"query": "%x", "key": "%y", "value": "%z", "attn_mask": "%mask"}
    body = mil_text.call("scaled_dot_product_attention", arguments, [("out", "fp16", query.shape)])
    inputs = {"x": query, "y": key, "z": value, "mask": mask}
    types = [(port, "fp16", array.shape) for port, array in inputs.items()]
    got = Program(Device(name), mil_text.program(types, body, ["out"])).run(inputs)["out"]
    wide = [array.astype(np.float64) for array in (query, key, value)]
    exact = attention(*wide, mask.astype(np.float64) if heeded else None)
    np.testing.assert_allclose(got, exact, rtol=2e-3, atol=1e-3)


def test_products_overflow_early_on_the_engine() -> None:
    """From 32,768 on a product of matrices is infinite there; 32,752 is the last number."""
    shape = (1, 1, 1, 32)
    body = mil_text.call(
        "matmul",
        {"x": "%x", "y": "%y", "transpose_x": True, "transpose_y": False},
        [("out", "fp16", (1, 1, 32, 32))],
    )
    text = mil_text.program([("x", "fp16", shape), ("y", "fp16", shape)], body, ["out"])
    x = np.full(shape, 2.0, np.float16)
    y = np.resize(np.array([16376, 16384, -16384, 20000], np.float16), shape)
    expected = {
        "cpu": y.astype(np.float64) * 2,
        SIM: np.where(np.abs(y) < 16384, y.astype(np.float64) * 2, np.copysign(np.inf, y)),
    }
    for name, exact in expected.items():
        got = Program(Device(name), text).run([x, y])["out"]
        assert_bits(got, np.broadcast_to(exact, (1, 1, 32, 32)))


@pytest.mark.parametrize("op", ["reduce_sum", "add"])
def test_sums_use_the_whole_range(op: str) -> None:
    """65,504 is the last number of sums, on every device."""
    x = np.full((1, 2, 1, 32), 30000, np.float16)
    x[0, 1, 0, :3] = [35504, 35520, -30000]
    arguments = {"x": "%x", "axes": [1], "keep_dims": True} if op == "reduce_sum" else (
        {"x": "%x", "y": "%y"}
    )  # fmt: skip
    shape = (1, 1, 1, 32) if op == "reduce_sum" else x.shape
    body = mil_text.call(op, arguments, [("out", "fp16", shape)])
    inputs = [("x", "fp16", x.shape)] + ([("y", "fp16", x.shape)] if op == "add" else [])
    text = mil_text.program(inputs, body, ["out"])
    given = {"x": x} | ({"y": x[:, ::-1].copy()} if op == "add" else {})
    wide = x.astype(np.float64)
    exact = wide.sum(1, keepdims=True) if op == "reduce_sum" else wide + wide[:, ::-1]
    assert exact.max() >= 65520
    for name in ("cpu", SIM):
        assert_bits(Program(Device(name), text).run(given)["out"], exact)
