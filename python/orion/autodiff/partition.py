"""Parts a graph that holds gradients into a forward and a backward program.

Values that the backward program needs of the forward one are either kept (taps: outputs of the
one, inputs of the other) or computed again from what is kept. The rule: the sum of

    keeping a value           4 passes over its bytes: written, read, and held in memory
    computing a node again    its multiplications at a third of the profile's rate, and one pass
                              over its results, or a quarter of one when it is element-wise: such
                              ops run fused

is the least there is, found as a minimum cut. So norms, activations and other element-wise ops are
computed again, products of matrices are kept where their inner axis is long, and one of several
values that tell the same is kept once, the smallest. Inputs, weights and constants cost nothing:
they are there for both. What the profile does not take as a port is never kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from ..ir import Graph, Node, Value
from ..ir.extract import extract
from .cost import Costs
from .min_cut import Network


@dataclass(frozen=True)
class Parts:
    """`taps` are outputs of the forward graph and inputs of the backward one, by the same name."""

    forward: Graph
    backward: Graph
    taps: tuple[str, ...]


def part(
    graph: Graph,
    seeds: Iterable[Value],
    forward: Mapping[str, Value],
    backward: Mapping[str, Value],
    profile: Mapping[str, Any],
) -> Parts:
    """`seeds` are inputs that exist in the backward program alone; the mappings name outputs."""
    late = computed_from(graph, seeds)
    taps = choose_taps(graph, late, backward.values(), Costs(profile))
    names = {value: f"t_{value.name}" for value in taps}
    ports = {node.result: node.result.name for node in graph.inputs}
    kept = {name: value for value, name in names.items()}
    return Parts(
        extract(graph, f"{graph.name}_forward", ports, {**forward, **kept}),
        extract(graph, f"{graph.name}_backward", {**ports, **names}, backward),
        tuple(kept),
    )


def computed_from(graph: Graph, seeds: Iterable[Value]) -> set[Value]:
    found = set(seeds)
    for node in graph.nodes:
        if any(value in found for value in node.operands):
            found |= set(node.results)
    return found


def choose_taps(
    graph: Graph, late: set[Value], outputs: Iterable[Value], costs: Costs
) -> list[Value]:
    """The values to keep, in the order of the graph."""
    needed = early_values_needed(graph, late, outputs)
    network = Network()
    for value in needed:
        network.edge((value, "out"), "backward", inf)
    pending, seen = list(needed), set(needed)
    while pending:
        value = pending.pop()
        node = value.node
        network.edge((value, "in"), (value, "out"), costs.keep(value))
        network.edge("forward", (value, "in"), costs.again(node) / len(node.results))
        for operand in node.operands:
            if operand.node.row.source:
                continue
            network.edge((operand, "out"), (value, "in"), inf)
            if operand not in seen:
                seen.add(operand)
                pending.append(operand)
    side = network.source_side("forward", "backward")
    return [
        value
        for node in graph.nodes
        for value in node.results
        if (value, "in") in side and (value, "out") not in side
    ]


def early_values_needed(
    graph: Graph, late: set[Value], outputs: Iterable[Value]
) -> dict[Value, None]:
    """What late nodes on the way to `outputs` read that is not late itself, and no source."""
    pending = list(outputs)
    visited: set[Node] = set()
    needed: dict[Value, None] = {}
    while pending:
        value = pending.pop()
        if value not in late:
            if not value.node.row.source:
                needed[value] = None
        elif value.node not in visited:
            visited.add(value.node)
            pending += value.node.operands
    return needed
