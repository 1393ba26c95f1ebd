"""Takes a part of a graph out as a graph of its own."""

from __future__ import annotations

from collections.abc import Mapping

from .graph import Graph, Node, Value


def extract(
    graph: Graph, name: str, given: Mapping[Value, str], outputs: Mapping[str, Value]
) -> Graph:
    """A new graph with what `outputs` need, down to sources and to the values in `given`.

    Each of `given` that is needed becomes an input under the name it has there.
    """
    needed = needed_nodes(graph, given, outputs)
    part = Graph(name)
    copies: dict[Value, Value] = {}
    for node in graph.nodes:
        for value in node.results:
            if value in given and value in needed:
                role = node["role"] if node.op == "input" else None
                copies[value] = part.input(
                    given[value], value.type.dtype, value.type.shape, role=role
                )
        if node in needed:
            operands = [copies[value] for value in node.operands]
            names = [value.name for value in node.results]
            made = part.node(node.op, operands, dict(node.attributes), names)
            for old, new in zip(node.results, made.results, strict=True):
                copies.setdefault(old, new)
    for output, value in outputs.items():
        part.output(output, copies[value])
    return part


def needed_nodes(
    graph: Graph, given: Mapping[Value, str], outputs: Mapping[str, Value]
) -> set[Node | Value]:
    """The nodes to run, and the given values that they or the outputs read."""
    found: set[Node | Value] = set()
    pending = list(outputs.values())
    while pending:
        value = pending.pop()
        if value in given:
            found.add(value)
        elif value.node not in found:
            found.add(value.node)
            pending += value.node.operands
    return found
