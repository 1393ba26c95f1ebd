"""Reverse mode against differences: every op at random, graphs at random, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawn_ops import DRAW, POSITIVE, WITHOUT
from random_graphs import random_graph

from orion.autodiff import gradients
from orion.errors import OrionError
from orion.ir import Graph, interpret, parse, to_text, verify
from orion.ir.ops import TABLE

Arrays = dict[str, np.ndarray]
STEP = 1e-6


def drawn_graph(op: str, seed: int) -> tuple[Graph, Arrays]:
    random = np.random.RandomState(seed)
    shapes, attributes = DRAW[op](random)
    graph, values = Graph(op), {}
    operands = []
    for index, shape in enumerate(shapes):
        is_condition = op == "select" and index == 0
        operands.append(graph.input(f"i{index}", "bool" if is_condition else "fp32", shape))
        low = 0.3 if op in POSITIVE else -1.5
        value = random.uniform(low, 1.5, shape)
        values[f"i{index}"] = value > 0 if is_condition else value
    node = graph.node(op, operands, attributes)
    for index, value in enumerate(node.results):
        graph.output(f"o{index}", value)
    return graph, values


def differentiate(graph: Graph, names: list[str], seeds: Arrays) -> Graph:
    """`graph` with outputs `g_<input>`; `seeds` has one array for each output."""
    inputs = {node.result.name: node.result for node in graph.inputs}
    given = {}
    for output in list(graph.outputs):
        seed = graph.input(f"d_{output.name}", output.value.type.dtype, output.value.type.shape)
        # An output may stand twice.
        known = given.get(output.value)
        given[output.value] = seed if known is None else graph.add(known, seed)
    found = gradients(graph, [inputs[name] for name in names], given)
    for name, value in zip(names, found, strict=True):
        if value is not None:
            assert value.type == inputs[name].type
            graph.output(f"g_{name}", value)
    verify(graph)
    return graph


def assert_slopes(graph: Graph, names: list[str], values: Arrays, weights: Any = None) -> None:
    """Along a random direction of each input, by central differences in float64."""
    random = np.random.RandomState(9)
    outputs = [output.name for output in graph.outputs]
    seeds = {
        f"d_{output.name}": random.standard_normal(output.value.type.shape)
        for output in graph.outputs
    }
    differentiate(graph, names, seeds)
    results = interpret(graph, values | seeds, weights)

    def loss(at: Arrays) -> float:
        found = interpret(graph, values | at | seeds, weights)
        return sum(float((found[name] * seeds[f"d_{name}"]).sum()) for name in outputs)

    for name in names:
        direction = random.standard_normal(values[name].shape)
        ends = [loss({name: values[name] + sign * STEP * direction}) for sign in (1, -1)]
        slope = (ends[0] - ends[1]) / (2 * STEP)
        gradient = results.get(f"g_{name}", np.zeros(1))
        expected = float((gradient * direction).sum())
        size = float(np.abs(gradient * direction).sum())
        assert slope == pytest.approx(expected, rel=1e-5, abs=1e-6 * max(size, 1.0)), (
            f"{name} of {to_text(graph)}"
        )


def test_every_op_with_a_gradient_is_drawn() -> None:
    assert set(DRAW) == {name for name, row in TABLE.items() if row.gradient is not None}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("op", DRAW)
def test_gradient_of_an_op(op: str, seed: int) -> None:
    graph, values = drawn_graph(op, seed)
    without = WITHOUT.get(op, set())
    names = [name for index, name in enumerate(values) if index not in without]
    assert_slopes(graph, names, values)


@pytest.mark.parametrize("seed", range(40))
def test_gradient_of_a_graph(seed: int) -> None:
    graph = random_graph(seed)
    random = np.random.RandomState(seed)
    values = {
        node.result.name: random.uniform(-1, 1, node.result.type.shape) for node in graph.inputs
    }
    assert_slopes(graph, list(values), values, {"w": random.uniform(0.5, 1, (1, 4, 1, 1))})


def test_a_value_used_often_gets_the_sum() -> None:
    graph = parse("%x = input fp32 [3]\n%y = mul %x %x\n%z = add %y %x\nreturn o = %z")
    differentiate(graph, ["x"], {})
    x = np.array([1.0, -2.0, 0.5])
    found = interpret(graph, {"x": x, "d_o": np.ones(3)})["g_x"]
    np.testing.assert_allclose(found, 2 * x + 1)


def test_equal_extremes_share_a_gradient() -> None:
    for op, first in (("reduce_max", 2.0), ("reduce_min", -2.0)):
        graph = parse(f"%x = input fp32 [4]\n%y = {op} %x axes=[0] keep_dims=true\nreturn o = %y")
        differentiate(graph, ["x"], {})
        x = np.array([first, 0.0, first, 0.0])
        found = interpret(graph, {"x": x, "d_o": np.ones(1)})["g_x"]
        np.testing.assert_allclose(found, [0.5, 0, 0.5, 0])


@pytest.mark.parametrize("op", ["maximum", "minimum"])
def test_equal_operands_share_a_gradient(op: str) -> None:
    graph = parse(f"%x = input fp32 [2]\n%y = input fp32 [2]\n%z = {op} %x %y\nreturn o = %z")
    differentiate(graph, ["x", "y"], {})
    found = interpret(graph, {"x": np.ones(2), "y": np.ones(2), "d_o": np.ones(2)})
    np.testing.assert_allclose(found["g_x"] + found["g_y"], 1)


def test_only_what_is_asked_for_is_computed() -> None:
    text = "%x = input fp32 [4, 4]\n%w = input fp32 [4, 4]\n%y = matmul %x %w\nreturn o = %y"
    text = text.replace("%w\nreturn", "%w transpose_x=false transpose_y=false\nreturn")
    graph = differentiate(parse(text), ["x"], {})
    assert len(graph.walk("matmul")) == 2
    assert [output.name for output in graph.outputs] == ["o", "g_x"]


def test_what_does_not_depend_has_no_gradient() -> None:
    graph = parse("%x = input fp32 [4]\n%y = input fp32 [4]\n%z = exp %x\nreturn o = %z")
    seed = graph.input("d", "fp32", (4,))
    x, y, _ = (node.result for node in graph.inputs)
    found = gradients(graph, [x, y], {graph.outputs[0].value: seed})
    assert found[0] is not None
    assert found[1] is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%z = pow %y %x", "pow has no gradient for %x: %z = pow %y %x"),
        ("%c = cast %x dtype=int32\n%z = cast %c dtype=fp32", None),
        (
            "%q = constant int8 [4] value=1\n%z = dequantize %q %x",
            "dequantize has no gradient: %z = dequantize %q %x",
        ),
    ],
)
def test_ops_without_gradients(line: str, message: str | None) -> None:
    """An error names them on the way; whole numbers end the way."""
    graph = parse(f"%x = input fp32 [4]\n%y = input fp32 [4]\n{line}\nreturn o = %z")
    x = graph.inputs[0].result
    seed = graph.input("d", "fp32", (4,))
    if message is None:
        assert gradients(graph, [x], {graph.outputs[0].value: seed}) == [None]
        return
    with pytest.raises(OrionError, match=message):
        gradients(graph, [x], {graph.outputs[0].value: seed})
