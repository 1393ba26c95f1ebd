"""Write `gelu` in simpler ops where the profile refuses it.

    %b = gelu %a mode="TANH_APPROXIMATION"

becomes, with c = sqrt(2 / pi),

    %b = a * 0.5 * (1 + tanh(c * a * (1 + 0.044715 * a * a)))

and the exact form 0.5 * a * (1 + erf(a / sqrt(2))), unless `erf` is refused too: then it takes the
form above, which is nowhere further off than 0.0005. Where a square leaves the range of floats,
tanh of infinity is 1 and the result is right.
"""

from collections.abc import Mapping
from math import pi, sqrt
from typing import Any

from ..ir import Graph, Value


def decompose_gelu(graph: Graph, profile: Mapping[str, Any]) -> None:
    refused = {row["op"] for row in profile["refused_ops"]}
    if "gelu" not in refused:
        return
    nodes = graph.walk("gelu")
    for node in nodes:
        exact = node["mode"] == "EXACT" and "erf" not in refused
        with graph.before(node), graph.scope(node.result.name):
            share = of_erf(graph, node.x) if exact else of_tanh(graph, node.x)
            result = graph.mul(graph.mul(node.x, 0.5), graph.add(share, 1.0))
        graph.replace(node.result, result)
    graph.drop(nodes)


def of_erf(g: Graph, x: Value) -> Value:
    return g.erf(g.mul(x, 1 / sqrt(2)))


def of_tanh(g: Graph, x: Value) -> Value:
    stretched = g.add(g.mul(g.square(x), 0.044715), 1.0)
    return g.tanh(g.mul(g.mul(x, sqrt(2 / pi)), stretched))
