"""Graphs compiled to MIL and run on devices, against their meaning in numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_ir_ops
from numpy_session import NumpySession
from profiles_for_tests import CPU, M4
from random_graphs import random_graph

from orion import weights
from orion.ir import Arithmetic, Graph, interpret, parse, to_text
from orion.ir.ops import TABLE
from orion.mil import BlobWriter, to_mil
from orion.passes import run_passes
from orion.runtime import Device, Program, profile
from orion.weights import tiny

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def devices() -> dict[str, Device]:
    return {"cpu": Device("cpu"), "m4-macos15": Device("sim:m4-macos15")}


def on_device(device: Device, graph: Graph, inputs: Arrays, tensors: Arrays, path: Path) -> Arrays:
    dialect = profile(device.profile)["dialect"]
    blob = BlobWriter()
    text = to_mil(graph, dialect, blob, tensors)
    with (path / "weights.bin").open("wb") as file:
        blob.write(file)
    return Program(device, text, path / "weights.bin").run(inputs)


def drawn(graph: Graph, low: float = -2.0) -> tuple[Arrays, Arrays]:
    random = np.random.RandomState(0)
    inputs, tensors = {}, {}
    for node in graph.nodes:
        if node.op in ("input", "weight"):
            array = random.uniform(low, 2, node.result.type.shape).astype(np.float16)
            holder = inputs if node.op == "input" else tensors
            holder[node.result.name if node.op == "input" else node["key"]] = array
    return inputs, tensors


@pytest.mark.parametrize("literal", [M4, CPU], ids=lambda p: p["name"])
def test_profiles_for_tests_are_the_real_ones(literal: dict[str, Any]) -> None:
    real = profile(literal["name"])
    assert literal["preferences"] == real["preferences"]
    assert literal["dialect"] == real["dialect"]
    assert literal["arithmetic"].items() <= real["arithmetic"].items()
    assert literal["limits"].items() <= real["limits"].items()
    refused = {row["op"]: row["rule"] for row in real["refused_ops"]}
    assert {row["op"]: row["rule"] for row in literal["refused_ops"]}.items() <= refused.items()


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs_are_numpy_to_the_bit_in_fp16(
    devices: dict[str, Device], seed: int, tmp_path: Path
) -> None:
    graph = run_passes(random_graph(seed, (1, 4, 2, 32)), profile("m4-macos15"))
    inputs, tensors = drawn(graph)
    expected = interpret(graph, inputs, tensors, Arithmetic.of(M4))
    found = on_device(devices["m4-macos15"], graph, inputs, tensors, tmp_path)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array.astype(np.float16), err_msg=to_text(graph))


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs_are_numpy_within_rounding_in_fp32(
    devices: dict[str, Device], seed: int, tmp_path: Path
) -> None:
    graph = run_passes(random_graph(seed), profile("cpu"))
    inputs, tensors = drawn(graph)
    expected = interpret(graph, inputs, tensors)
    found = on_device(devices["cpu"], graph, inputs, tensors, tmp_path)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=2e-5, atol=2e-5, err_msg=to_text(graph))


FLOAT_CASES = [
    case
    for case in test_ir_ops.CASES
    if case.values[0] not in ("select", "cast", "greater_equal", *test_ir_ops.CONSTANT_ALONE)
]


@pytest.mark.parametrize(("op", "shapes", "attributes"), FLOAT_CASES)
def test_every_row_is_numpy_on_cpu(
    devices: dict[str, Device], op: str, shapes: Any, attributes: Any, tmp_path: Path
) -> None:
    graph, node, values = test_ir_ops.build(op, shapes, attributes)
    if any(len(shape) == 0 for shape in shapes) or node.results[0].type.dtype == "bool":
        pytest.skip("ports are tensors of floats")
    values = {name: value.astype(np.float32) for name, value in values.items()}
    expected = interpret(graph, values)
    graph = run_passes(parse(to_text(graph)), profile("cpu"))
    found = on_device(devices["cpu"], graph, values, {}, tmp_path)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "%y = select %c %a %b",
        "%d = cast %c dtype=fp32\n%y = mul %d %a",
        "%i = cast %a dtype=int32\n%y = cast %i dtype=fp32",
        "%e = equal %a %a\n%y = select %e %a %b",
    ],
)
def test_bools_and_integers_inside_a_graph(
    devices: dict[str, Device], text: str, tmp_path: Path
) -> None:
    start = "%a = input fp32 [2, 8]\n%b = input fp32 [1, 8]\n%c = greater_equal %a %b\n"
    graph = parse(f"{start}{text}\nreturn %y")
    inputs, _ = drawn(graph)
    expected = interpret(graph, inputs)["y"]
    found = on_device(devices["cpu"], run_passes(graph, profile("cpu")), inputs, {}, tmp_path)
    np.testing.assert_allclose(found["y"], expected, rtol=1e-6)


@pytest.mark.parametrize(("name", "bound"), [("cpu", 1e-4), ("m4-macos15", 0.05)])
def test_steps_of_a_model_are_numpys(
    devices: dict[str, Device], name: str, bound: float, tmp_path: Path
) -> None:
    checkpoint = weights.load(tiny.write(tmp_path / "model"))
    facts = profile(name)
    session = NumpySession(checkpoint, facts)
    session.feed(list(range(3, 30)), 32, 0)
    ids = [270, 260, 7]
    columns = 32
    graph = session.graph(columns, 128)
    inputs = {
        n.result.name: session.fill(n["role"], n.result.type.shape, ids) for n in graph.inputs
    }
    tensors = dict(checkpoint.tensors)
    expected = interpret(graph, inputs, tensors, Arithmetic.of(facts))
    found = on_device(devices[name], graph, inputs, tensors, tmp_path)
    assert found.keys() == expected.keys()
    for port, array in expected.items():
        assert np.abs(found[port].astype(np.float64) - array)[..., : len(ids)].max() < bound, port


def test_every_op_with_a_spelling_compiles_on_cpu() -> None:
    covered = {case.values[0] for case in FLOAT_CASES} | {"select", "cast", "greater_equal"}
    covered |= set(test_ir_ops.CONSTANT_ALONE)
    assert covered == {name for name, row in TABLE.items() if not row.source}
