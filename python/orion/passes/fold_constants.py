"""Compute what depends on constants alone.

    %a = constant fp32 [2] value=[1.0, 2.0]
    %b = mul %a %a                               becomes    %b = constant fp32 [2] value=[1.0, 4.0]

In float64, rounded once to the dtype. Results above 65,536 elements stay computed: a constant of
that size costs more to store and read than to make. Weights are no constants here; they may
change.
"""

from collections.abc import Mapping
from typing import Any

from ..ir import Graph
from ..ir.interpret import EXACT, run

ELEMENTS_MAX = 1 << 16


def fold_constants(graph: Graph, profile: Mapping[str, Any]) -> None:
    folded = []
    for node in list(graph.nodes):
        small = all(value.type.size <= ELEMENTS_MAX for value in node.results)
        if node.row.source or not small or any(v.node.op != "constant" for v in node.operands):
            continue
        folded.append(node)
        arrays = [EXACT.store(value.node["value"], value.type) for value in node.operands]
        for value, array in zip(node.results, run(node, arrays, {}, {}, EXACT), strict=True):
            with graph.before(node):
                constant = graph.constant(array, value.type.dtype, f"{value.name}_folded")
            graph.replace(value, constant)
    graph.drop(folded)
