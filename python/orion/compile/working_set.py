"""How much memory a program touches: its weights, its activations at their most, its largest op.

An engine is fast while an op's operands, and a program as a whole, stay in its own memory. These
are counts over the graph; what a device really keeps where is its own affair.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..ir import Graph, Node, Value
from ..ir.types import DTYPES


@dataclass(frozen=True)
class WorkingSet:
    """In bytes. `activations`: ports and values alive at once, at the op where they are most."""

    weights: int
    activations: int
    largest_op: int
    largest_op_name: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def working_set(graph: Graph) -> WorkingSet:
    computed = [node for node in graph.nodes if not node.row.source and not is_stored(node)]
    largest = max(computed, key=op_bytes)
    return WorkingSet(
        weights=sum(size(node.result) for node in graph.walk("weight", "constant")),
        activations=most_alive(graph, computed),
        largest_op=op_bytes(largest),
        largest_op_name=largest.results[0].name,
    )


def size(value: Value) -> int:
    return value.type.size * np.dtype(DTYPES[value.type.dtype]).itemsize


def is_stored(node: Node) -> bool:
    """Whether it makes a layer's weight of what is stored, before anything runs."""
    return bool(node.operands) and all(
        value.node.op == "weight" or is_stored(value.node) for value in node.operands
    )


def stored_bytes(value: Value) -> int:
    """Of a weight what the file holds, of anything else what it is."""
    return sum(map(stored_bytes, value.node.operands)) if is_stored(value.node) else size(value)


def op_bytes(node: Node) -> int:
    operands = {id(value): value for value in node.operands}
    return sum(map(stored_bytes, operands.values())) + sum(map(size, node.results))


def most_alive(graph: Graph, computed: list[Node]) -> int:
    """Inputs are alive all the time, as outputs are from where they are made."""
    returned = {id(output.value) for output in graph.outputs}
    pending = {id(value): len(value.users) for node in graph.nodes for value in node.results}
    alive = most = sum(size(node.result) for node in graph.inputs)
    for node in computed:
        alive += sum(map(size, node.results))
        most = max(most, alive)
        for value in node.operands:
            pending[id(value)] -= 1
            kept = value.node.row.source or is_stored(value.node) or id(value) in returned
            if pending[id(value)] == 0 and not kept:
                alive -= size(value)
    return most
