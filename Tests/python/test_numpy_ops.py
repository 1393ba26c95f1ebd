"""Every op of the engine against numpy, rounded once to fp16: bit for bit, on `cpu` and on `sim`.

Products of matrices may be one unit in the last place away, beside what their fp32 sums lose.
"""

import math
import re
from pathlib import Path
from typing import Any

import mil_text
import numpy as np
import pytest
from numpy_rows import COMPARISONS, LOGIC, ROWS, Array, Row, attention, draw, some_shape

from orion.errors import OrionError
from orion.runtime import Device, Program, profile

SEEDS = (1, 2, 3)
SIM = "sim:m4-macos15"
APART = {"select", "cast", "logical_not", "reduce_argmax", "reduce_argmin"}
NAMES = ("x", "y", "z", "mask")


@pytest.fixture(scope="module")
def devices() -> dict[str, Device]:
    return {name: Device(name) for name in ("cpu", SIM)}


def devices_for(*ops: str) -> list[str]:
    """`cpu` runs everything; the simulator what the engine has a way for."""
    refused = {refusal["op"] for refusal in profile("m4-macos15")["refused_ops"]}
    return ["cpu"] if refused & set(ops) else ["cpu", SIM]


def assert_bits(got: Array, exact: Array, ulps: int = 0, slack: float | Array = 0.0) -> None:
    """`got` is `exact` rounded once to fp16, or within `ulps` of that and `slack`."""
    with np.errstate(over="ignore"):
        want = np.asarray(exact, np.float64).astype(np.float16)
    assert got.dtype == np.float16
    assert got.shape == want.shape
    if not ulps:
        differing = got.view(np.uint16) != want.view(np.uint16)
        # Of two zeros either may be the larger, and any NaN is as good as another.
        differing &= ~((got == 0) & (want == 0)) & ~(np.isnan(got) & np.isnan(want))
        places = np.argwhere(differing)[:5].tolist()
        shown = [(place, got[tuple(place)], want[tuple(place)]) for place in places]
        assert not differing.any(), f"{differing.sum()} of {got.size} differ: {shown}"
        return
    distance = np.abs(got.astype(np.float64) - exact)
    allowed = ulps * np.spacing(np.abs(want)).astype(np.float64) + slack
    assert (distance <= allowed).all(), float((distance - allowed).max())


def weight_shape(kind: str, first: tuple[int, ...]) -> tuple[int, ...]:
    """`weight 48 W`: W is the width of the first input."""
    return tuple(first[3] if part == "W" else int(part) for part in kind.split()[1:])


def build(row: Row, values: list[Array], exact: list[Array], path: Path) -> tuple[str, list[Array]]:
    """The program's text, its weights written to `path`; and what is left to give at each run."""
    first = values[0].shape
    arguments = dict(row.arguments(first) if callable(row.arguments) else row.arguments)
    names = iter(NAMES)
    inputs, body, given, blob = [], "", [], bytearray(64)
    blob[0:8] = np.array([0, 2], np.uint32).tobytes()
    for kind, value, argument in zip(row.inputs, values, _operands(arguments), strict=True):
        if not kind.startswith("weight"):
            inputs.append((next(names), "fp16", value.shape))
            given.append(value)
            continue
        offset = len(blob)
        blob += np.array([0xDEADBEEF, 1], np.uint32).tobytes()
        blob += np.array([value.nbytes, offset + 64, *[0] * 5], np.uint64).tobytes()[:56]
        blob += value.tobytes() + bytes(-value.nbytes % 64)
        made = mil_text.tensor_type("fp16", value.shape)
        body += (
            f'            {made} {argument} = const()[name = string("{argument}"), val = {made}('
            f'BLOBFILE(path = string("@model_path/weights.bin"), offset = uint64({offset})))];\n'
        )
        arguments[argument] = f"%{argument}"
    blob[0:4] = np.uint32(sum(kind.startswith("weight") for kind in row.inputs)).tobytes()
    path.write_bytes(blob)
    results = [(f"out{index}", "fp16", array.shape) for index, array in enumerate(exact)]
    body += mil_text.call(row.op, arguments, results)
    outputs = [name for name, _, _ in results]
    if len(results) == 1 and results[0][2][-1] == 1:
        # Too narrow to leave the engine: repeated along the last axis.
        reps = [1] * (len(results[0][2]) - 1) + [32]
        wide = (*results[0][2][:-1], 32)
        body += mil_text.call("tile", {"x": "%out0", "reps": reps}, [("wide", "fp16", wide)])
        outputs = ["wide"]
    return mil_text.program(inputs, body, outputs), given


def _operands(arguments: dict[str, Any]) -> list[str]:
    """Names of the arguments that are inputs or weights, one for each tensor."""
    found = []
    for name, value in arguments.items():
        if isinstance(value, tuple):
            found += [name] * len(value)
        elif isinstance(value, str) and (value.startswith("%") or value == "weights"):
            found.append(name)
    return found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["cpu", SIM])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_op_equals_numpy(
    row: Row, name: str, seed: int, devices: dict[str, Device], tmp_path: Path
) -> None:
    random = np.random.default_rng([seed, *row.title.encode()])
    drawn = [kind for kind in row.inputs if not kind.startswith("weight")]
    shapes = row.shapes(random) if row.shapes else [some_shape(random)] * len(drawn)
    pending = iter(shapes)
    values = []
    for kind in row.inputs:
        weight = kind.startswith("weight")
        shape = weight_shape(kind, shapes[0]) if weight else next(pending)
        values.append(draw("small" if weight else kind, shape, random))
    wide = [value.astype(np.float64) for value in values]
    with np.errstate(all="ignore"):
        meant = row.meaning(*wide)
    exact = meant if isinstance(meant, list) else [meant]
    weights = tmp_path / "weights.bin"
    text, given = build(row, values, exact, weights)
    # An fp32 sum of n terms loses at most n units of its last place of the sum of their sizes.
    largest = math.prod(float(np.abs(value).max()) for value in wide[:2])
    terms = row.inner(shapes[0])
    slack = terms * 2.0**-24 * terms * max(largest, 1.0) if row.ulps else 0.0
    if name not in devices_for(row.op):
        with pytest.raises(OrionError, match=row.op):
            Program(devices[name], text, weights)
        return
    results = Program(devices[name], text, weights).run(given)
    for index, array in enumerate(exact):
        got = results["wide"][..., :1] if "wide" in results else results[f"out{index}"]
        assert_bits(np.ascontiguousarray(got), array, row.ulps, slack)


@pytest.mark.parametrize("op", [*sorted({**COMPARISONS, **LOGIC}), "logical_not"])
def test_truth_chooses_between_inputs(op: str, devices: dict[str, Device]) -> None:
    """select(op(…), x, y), since truth values do not leave a program."""
    random = np.random.default_rng([*op.encode()])
    shape = some_shape(random)
    x, y = (draw("choice", shape, random) for _ in range(2))
    if op in COMPARISONS:
        truth = COMPARISONS[op](x, y)
        body = mil_text.call(op, {"x": "%x", "y": "%y"}, [("truth", "bool", shape)])
        used = [op]
    else:
        body = mil_text.call("greater", {"x": "%x", "y": 0.0}, [("a", "bool", shape)])
        body += mil_text.call("less", {"x": "%y", "y": 1.0}, [("b", "bool", shape)])
        truth = LOGIC[op](x > 0, y < 1) if op in LOGIC else ~(x > 0)
        arguments = {"x": "%a", "y": "%b"} if op in LOGIC else {"x": "%a"}
        body += mil_text.call(op, arguments, [("truth", "bool", shape)])
        used = [op, "greater", "less"]
    body += mil_text.call(
        "select", {"cond": "%truth", "a": "%x", "b": "%y"}, [("out", "fp16", shape)]
    )
    text = mil_text.program([("x", "fp16", shape), ("y", "fp16", shape)], body, ["out"])
    for name in devices_for(*used):
        got = Program(devices[name], text).run([x, y])["out"]
        assert_bits(got, np.where(truth, x, y))


@pytest.mark.parametrize("op", ["reduce_argmax", "reduce_argmin"])
def test_place_of_the_extreme(op: str, devices: dict[str, Device]) -> None:
    random = np.random.default_rng([*op.encode()])
    x = draw("choice", (1, 7, 2, 32), random)
    arguments = {"x": "%x", "axis": 1, "keep_dims": True, "output_dtype": "int32"}
    body = mil_text.call(op, arguments, [("out", "int32", (1, 1, 2, 32))])
    text = mil_text.program([("x", "fp16", x.shape)], body, ["out"])
    got = Program(devices["cpu"], text).run([x])["out"]
    meaning = np.argmax if op == "reduce_argmax" else np.argmin
    np.testing.assert_array_equal(got, meaning(x, axis=1, keepdims=True))
    assert got.dtype == np.int32


@pytest.mark.parametrize("dtype", ["fp32", "int32", "bool"])
def test_cast_equals_numpy(dtype: str, devices: dict[str, Device]) -> None:
    """fp16 to a type and back; a whole number is cut towards zero, a truth value is 0 or 1."""
    numpy_type = {"fp32": np.float32, "int32": np.int32, "bool": np.bool_}[dtype]
    x = draw("any", (1, 8, 4, 64), np.random.default_rng(5))
    body = mil_text.call("cast", {"x": "%x", "dtype": dtype}, [("between", dtype, x.shape)])
    body += mil_text.call("cast", {"x": "%between", "dtype": "fp16"}, [("out", "fp16", x.shape)])
    text = mil_text.program([("x", "fp16", x.shape)], body, ["out"])
    for name in ["cpu", SIM] if dtype == "fp32" else ["cpu"]:
        got = Program(devices[name], text).run([x])["out"]
        assert_bits(got, x.astype(numpy_type).astype(np.float64))


@pytest.mark.parametrize(("name", "heeded"), [("cpu", True), (SIM, False)])
def test_attention_heeds_its_mask_on_cpu_and_not_on_the_engine(
    name: str, heeded: bool, devices: dict[str, Device]
) -> None:
    random = np.random.default_rng(7)
    query, key, value = (draw("small", (1, 2, rows, 32), random) for rows in (4, 64, 64))
    mask = np.where(random.random((1, 1, 4, 64)) < 0.5, -10000, 0).astype(np.float16)
    arguments = {"query": "%x", "key": "%y", "value": "%z", "attn_mask": "%mask"}
    body = mil_text.call("scaled_dot_product_attention", arguments, [("out", "fp16", query.shape)])
    inputs = {"x": query, "y": key, "z": value, "mask": mask}
    types = [(port, "fp16", array.shape) for port, array in inputs.items()]
    got = Program(devices[name], mil_text.program(types, body, ["out"])).run(inputs)["out"]
    wide = [array.astype(np.float64) for array in (query, key, value)]
    exact = attention(*wide, mask.astype(np.float64) if heeded else 0.0)
    assert_bits(got, exact, ulps=2, slack=1e-4)


def test_products_overflow_early_on_the_engine(devices: dict[str, Device]) -> None:
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
        "cpu": np.broadcast_to(y.astype(np.float64) * 2, (1, 1, 32, 32)),
        SIM: np.where(np.abs(y) < 16384, y.astype(np.float64) * 2, np.copysign(np.inf, y)),
    }
    for name, exact in expected.items():
        got = Program(devices[name], text).run([x, y])["out"]
        assert_bits(got, np.broadcast_to(exact, (1, 1, 32, 32)))


def test_every_op_of_the_engine_has_a_row(root: Path) -> None:
    makers = "OpRow|unary|binary|withEpsilon|compare|logic|reduce|argument"
    sources = (root / "Sources/MILEngine/Ops").glob("*.swift")
    known = {
        op
        for source in sources
        for op in re.findall(rf'\b(?:{makers})\(\s*"(\w+)"', source.read_text())
    }
    tested = {row.op for row in ROWS} | set(COMPARISONS) | set(LOGIC) | APART
    assert len(known) > 50
    # How compressed weights are read has a file of its own.
    narrow = {op for op in known if op.startswith("constexpr_")}
    assert known - narrow <= tested, sorted(known - narrow - tested)
