"""Reverse mode over the op table's gradient column: knows no op by name, no model and no device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import OrionError
from ..ir import Graph, Node, Value
from ..ir.broadcast import sum_to
from ..ir.text import node_text


def gradients(
    graph: Graph, wrt: Sequence[Value], seeds: Mapping[Value, Value]
) -> list[Value | None]:
    """For each of `wrt` the sum over seeds of (seed times slope of the seeded value by it).

    `seeds` gives for some values the gradient that comes from outside, of the same type. New nodes
    are appended to the graph. None for a value on which no seeded value depends. OrionError names
    an op on the way that has no gradient.
    """
    wanted = depending_on(graph, wrt)
    first_new = len(graph.nodes)
    collected: dict[Value, Value] = dict(seeds)
    for node in reversed(graph.nodes[:first_new]):
        if any(value in collected for value in node.results) and wants(node, wanted):
            spread(graph, node, wanted, collected)
    found = [collected.get(value) for value in wrt]
    drop_unused(graph, graph.nodes[first_new:], [value for value in found if value is not None])
    return found


def depending_on(graph: Graph, sources: Sequence[Value]) -> set[Value]:
    """The floats that are computed from `sources`, and these themselves."""
    reached = set(sources)
    for node in graph.nodes:
        if any(value in reached for value in node.operands):
            reached |= {value for value in node.results if value.type.is_float}
    return reached


def wants(node: Node, wanted: set[Value]) -> bool:
    return any(value in wanted for value in node.operands)


def spread(graph: Graph, node: Node, wanted: set[Value], collected: dict[Value, Value]) -> None:
    """Adds what the gradients of a node's results give for its operands to what is collected."""
    if node.row.gradient is None:
        raise OrionError(f"{node.op} has no gradient: {node_text(node)}")
    dys = [
        collected[value] if value in collected else graph.full(value.type, 0.0)
        for value in node.results
    ]
    shares = node.row.gradient(graph, node, dys if node.op == "split" else dys[0])
    for operand, share in zip(node.operands, shares, strict=True):
        if operand not in wanted:
            continue
        if share is None:
            raise OrionError(f"{node.op} has no gradient for %{operand.name}: {node_text(node)}")
        whole = sum_to(graph, share, operand.type.shape)
        earlier = collected.get(operand)
        collected[operand] = whole if earlier is None else graph.add(earlier, whole)


def drop_unused(graph: Graph, nodes: Sequence[Node], kept: Sequence[Value]) -> None:
    """Takes out those of `nodes` whose results neither `kept` nor an output needs."""
    needed = {id(value) for value in kept} | {id(output.value) for output in graph.outputs}
    dead = set()
    for node in reversed(nodes):
        live = any(
            id(value) in needed or any(user not in dead for user in value.users)
            for value in node.results
        )
        if not live:
            dead.add(node)
    graph.drop([node for node in nodes if node in dead])
