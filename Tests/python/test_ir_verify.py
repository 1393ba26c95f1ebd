"""The verifier: every rule it lists refuses a graph that breaks that rule alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from orion.ir import Graph, TensorType, VerifyError, verify
from orion.ir.graph import Node


def good() -> Graph:
    g = Graph("good")
    x = g.input("x", "fp32", (2, 3))
    y = g.exp(x, name="y")
    g.output("z", g.add(y, g.constant([1.0, 2.0, 3.0], "fp32", "c"), name="z"))
    return g


def node(g: Graph, op: str) -> Node:
    (found,) = g.walk(op)
    return found


def same_names(g: Graph) -> None:
    node(g, "exp").result.name = "x"


def bad_name(g: Graph) -> None:
    node(g, "exp").result.name = "2y"


def use_before_definition(g: Graph) -> None:
    g.nodes.reverse()


def foreign_operand(g: Graph) -> None:
    other = good().inputs[0].result
    node(g, "exp").operands = [other]


def missing_operand(g: Graph) -> None:
    node(g, "add").operands.pop()


def unknown_attribute(g: Graph) -> None:
    node(g, "exp").attributes["axis"] = 1


def missing_attribute(g: Graph) -> None:
    del node(g, "input").attributes["shape"]


def wrong_type(g: Graph) -> None:
    node(g, "exp").result.type = TensorType("fp32", (2, 4))


def wrong_array(g: Graph) -> None:
    node(g, "constant").attributes["value"] = np.zeros(3)


def forgotten_user(g: Graph) -> None:
    node(g, "exp").result.users.clear()


def extra_user(g: Graph) -> None:
    node(g, "input").result.users.append(node(g, "add"))


def no_outputs(g: Graph) -> None:
    g.outputs.clear()


def two_outputs_of_a_name(g: Graph) -> None:
    g.output("z", node(g, "exp").result)


def dead_output(g: Graph) -> None:
    g.output("w", good().inputs[0].result)


BREAKS: list[tuple[Callable[[Graph], None], str]] = [
    (same_names, "%x is defined twice"),
    (bad_name, "`2y` is no identifier"),
    (use_before_definition, "is not defined before it is used"),
    (foreign_operand, "%x is not defined before it is used"),
    (missing_operand, "add takes x y, got 1"),
    (unknown_attribute, "exp has no attribute axis"),
    (missing_attribute, "input needs the attribute shape"),
    (wrong_type, r"%y is fp32 \[2, 4\], not fp32 \[2, 3\]"),
    (wrong_array, "its array is float64"),
    (forgotten_user, "the users of %y are not its readers"),
    (extra_user, "the users of %x are not its readers"),
    (no_outputs, "graph good returns nothing"),
    (two_outputs_of_a_name, "two outputs of graph good are called z"),
    (dead_output, "output w is %x, which no node makes"),
]


def test_good_graph_passes() -> None:
    assert verify(good()) is None


@pytest.mark.parametrize(("breaks", "message"), BREAKS, ids=lambda v: getattr(v, "__name__", ""))
def test_rule(breaks: Callable[[Graph], None], message: str) -> None:
    g = good()
    breaks(g)
    with pytest.raises(VerifyError, match=message):
        verify(g)
