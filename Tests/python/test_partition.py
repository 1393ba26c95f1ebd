"""A graph with gradients in two programs: they compute what the one did, and keep what is cheap."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from math import inf, isinf
from typing import Any

import numpy as np
import pytest
from profiles_for_tests import CPU, M4
from random_graphs import random_graph

from orion.autodiff import gradients, part
from orion.autodiff.min_cut import Network
from orion.ir import Graph, Value, interpret, parse, verify

EDGES = list[tuple[str, str, float]]


def cut_cost(edges: EDGES, side: Iterable[str]) -> float:
    inside = set(side)
    return sum(room for start, end, room in edges if start in inside and end not in inside)


@pytest.mark.parametrize("seed", range(30))
def test_no_cut_is_cheaper(seed: int) -> None:
    random = np.random.RandomState(seed)
    inner = list("abcde")
    names = ["source", *inner, "sink"]
    edges: EDGES = [
        (start, end, inf if random.rand() < 0.15 else float(random.randint(0, 9)))
        for start in names
        for end in names
        if start != end and random.rand() < 0.4
    ]
    network = Network()
    for edge in edges:
        network.edge(*edge)
    sides = [["source", *some] for n in range(6) for some in combinations(inner, n)]
    least = min(cut_cost(edges, side) for side in sides)
    if isinf(least):
        with pytest.raises(ValueError, match="no finite cut"):
            network.source_side("source", "sink")
        return
    assert cut_cost(edges, network.source_side("source", "sink")) == least


def joined(graph: Graph) -> tuple[dict[str, Value], dict[str, Value], list[Value]]:
    """Adds the gradients of every input: outputs forward and backward, and the seeds."""
    inputs = [node.result for node in graph.inputs]
    outputs: dict[str, Value] = {}
    for output in graph.outputs:
        if not output.value.node.row.source and output.value not in outputs.values():
            outputs[output.name] = output.value
    seeds = {
        value: graph.input(f"d_{name}", value.type.dtype, value.type.shape)
        for name, value in outputs.items()
    }
    found = gradients(graph, inputs, seeds)
    backward = {f"g_{x.name}": g for x, g in zip(inputs, found, strict=True) if g is not None}
    return outputs, backward, list(seeds.values())


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("profile", [CPU, M4], ids=lambda profile: profile["name"])
def test_two_programs_compute_what_one_does(seed: int, profile: dict[str, Any]) -> None:
    graph = random_graph(seed, (1, 4, 2, 32))
    outputs, backward, seeds = joined(graph)
    if not backward:
        pytest.skip("nothing depends on an input")
    graph.outputs = []
    for name, value in {**outputs, **backward}.items():
        graph.output(name, value)
    random = np.random.RandomState(seed)
    values = {
        node.result.name: random.uniform(-1, 1, node.result.type.shape) for node in graph.inputs
    }
    weights = {"w": np.ones((1, 4, 1, 1))}
    expected = interpret(graph, values, weights)
    parts = part(graph, seeds, outputs, backward, profile)
    verify(parts.forward)
    verify(parts.backward)
    first = interpret(parts.forward, values, weights)
    assert first.keys() == outputs.keys() | set(parts.taps)
    second = interpret(parts.backward, values | first, weights)
    assert second.keys() == backward.keys()
    for name, array in {**first, **second}.items():
        if name in expected:
            np.testing.assert_array_equal(array, expected[name])


def taps_of(text: str, profile: dict[str, Any] = CPU) -> tuple[str, ...]:
    graph = parse(text)
    outputs, backward, seeds = joined(graph)
    return part(graph, seeds, outputs, backward, profile).taps


LONG = """
%x = input fp32 [1, 1, 256, 64]
%w = input fp32 [1, 1, 256, 256]
%y = matmul %w %x transpose_x=false transpose_y=false
"""


def test_elements_are_computed_again() -> None:
    """What an activation's gradient reads follows from the product, which is long to make."""
    text = LONG + "%a = silu %y\n%b = tanh %a\n%z = mul %b %x\nreturn o = %z"
    assert taps_of(text) == ("t_y",)


def test_what_is_read_is_kept_rather_than_what_it_comes_from() -> None:
    """Of a chain of sums only the end is read, and of that its slope."""
    lines = ["%a0 = add %y %x"] + [f"%a{i + 1} = add %a{i} %x" for i in range(9)]
    assert taps_of(LONG + "\n".join(lines) + "\n%z = tanh %a9\nreturn o = %z") == ("t_sub",)


def test_short_products_are_computed_again() -> None:
    text = LONG.replace("256]", "4]").replace("256, 64", "4, 64").replace("256, 4]", "4, 4]")
    assert taps_of(text + "%z = tanh %y\nreturn o = %z") == ()
    assert taps_of(LONG + "%z = tanh %y\nreturn o = %z") != ()


def test_ports_that_the_profile_refuses_are_never_kept() -> None:
    """Sums of one column cannot leave the engine; the product that they are made of can."""
    text = LONG + (
        "%s = reduce_sum %y axes=[3] keep_dims=true\n%t = tanh %s\n%z = mul %t %x\nreturn o = %z"
    )
    assert taps_of(text, CPU) in (("t_s",), ("t_t",))
    assert all(tap not in ("t_s", "t_t") for tap in taps_of(text, M4))


def test_inputs_and_constants_are_there_for_both() -> None:
    text = "%x = input fp32 [64, 64]\n%c = constant fp32 [64, 64] value=2\n%y = mul %x %c\n"
    assert taps_of(text + "%z = square %y\nreturn o = %z") == ()
