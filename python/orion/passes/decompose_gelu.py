"""Write `gelu` in simpler ops where the profile refuses it, and `gelu_gradient` always.

    %b = gelu %a mode="TANH_APPROXIMATION"

becomes, with c = sqrt(2 / pi),

    %b = a * 0.5 * (1 + tanh(c * a * (1 + 0.044715 * a * a)))

and the exact form 0.5 * a * (1 + erf(a / sqrt(2))), unless `erf` is refused too: then it takes the
form above, which is nowhere further off than 0.0005. Where a square leaves the range of floats,
tanh of infinity is 1 and the result is right.

    %d = gelu_gradient %a %dy        becomes    %d = dy * (share(c) + c * slope(c)), c = clip(a)

where gelu(a) = a * share(a), and slope is the derivative of the share. Beyond 10 on either side
the share is 0 or 1 to more digits than any float has, so clipping loses nothing, and no square
leaves the range of floats.
"""

from collections.abc import Collection, Mapping
from math import pi, sqrt
from typing import Any

from ..ir import Graph, Value

# Where a share is 0 or 1.
FLAT = 10.0


def decompose_gelu(graph: Graph, profile: Mapping[str, Any]) -> None:
    refused = {row["op"] for row in profile["refused_ops"]}
    decompose_gradients(graph, refused)
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


def decompose_gradients(graph: Graph, refused: Collection[str]) -> None:
    nodes = graph.walk("gelu_gradient")
    for node in nodes:
        exact = node["mode"] == "EXACT" and "erf" not in refused
        with graph.before(node), graph.scope(node.result.name):
            x = graph.clip(node.x, low=-FLAT, high=FLAT)
            share, slope = by_erf(graph, x) if exact else by_tanh(graph, x)
            derivative = graph.add(share, graph.mul(x, slope))
            result = graph.mul(node.dy, derivative)
        graph.replace(node.result, result)
    graph.drop(nodes)


def by_erf(g: Graph, x: Value) -> tuple[Value, Value]:
    """The share, and its derivative."""
    share = g.mul(g.add(of_erf(g, x), 1.0), 0.5)
    bell = g.exp(g.mul(g.square(x), -0.5))
    return share, g.mul(bell, 1 / sqrt(2 * pi))


def by_tanh(g: Graph, x: Value) -> tuple[Value, Value]:
    tanh = of_tanh(g, x)
    share = g.mul(g.add(tanh, 1.0), 0.5)
    inner = g.add(g.mul(g.square(x), 3 * 0.044715 * sqrt(2 / pi)), sqrt(2 / pi))
    rest = g.sub(0.5, g.mul(g.square(tanh), 0.5))
    return share, g.mul(rest, inner)
