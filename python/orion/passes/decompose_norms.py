"""Write `rms_norm` and `layer_norm` in simpler ops.

    %n = rms_norm %x %w axis=1 epsilon=e

becomes, where the range of floats is wide,

    %n = x * rsqrt(reduce_mean(square(x)) + e) * w

and on profiles that prefer scaled norms, where squares would leave the range of fp16,

    %top = maximum(reduce_max(abs(x)), floor)
    %y = x / top
    %n = y * rsqrt(reduce_mean(square(y)) + square(sqrt(e) / top)) * w

The two are equal for any positive `top`. The largest |y| is 1, so no square overflows and the
mean of squares is at least 1 / C; `floor` keeps a column of zeros from dividing by zero.
`layer_norm` subtracts the mean first and adds its bias last.
"""

from collections.abc import Mapping
from math import sqrt
from typing import Any

from ..ir import Graph, Value

# Below this fp16 has fewer than 11 bits.
SMALLEST_NORMAL = 2.0**-14


def decompose_norms(graph: Graph, profile: Mapping[str, Any]) -> None:
    scaled = profile["preferences"]["scales_norms"]
    nodes = graph.walk("rms_norm", "layer_norm")
    for node in nodes:
        with graph.before(node), graph.scope(node.result.name):
            x = node.x
            if node.op == "layer_norm":
                x = graph.sub(x, graph.reduce_mean(x, axes=(node["axis"],)))
            unit = scaled_unit if scaled else plain_unit
            result = graph.mul(unit(graph, x, node["axis"], node["epsilon"]), node.weight)
            if node.op == "layer_norm":
                result = graph.add(result, node.bias)
        graph.replace(node.result, result)
    graph.drop(nodes)


def plain_unit(g: Graph, x: Value, axis: int, epsilon: float) -> Value:
    """`x` with a root mean square of 1 along `axis`."""
    mean = g.reduce_mean(g.square(x), axes=(axis,))
    return g.mul(x, g.rsqrt(g.add(mean, epsilon)))


def scaled_unit(g: Graph, x: Value, axis: int, epsilon: float) -> Value:
    """As `plain_unit`, through x over its largest magnitude."""
    # The square of sqrt(epsilon) / floor is at most 256, far inside the range of fp16.
    floor = max(sqrt(epsilon) / 16, SMALLEST_NORMAL)
    top = g.maximum(g.reduce_max(g.abs(x), axes=(axis,)), floor)
    y = g.div(x, top)
    mean = g.reduce_mean(g.square(y), axes=(axis,))
    share = g.square(g.div(sqrt(epsilon), top))
    return g.mul(y, g.rsqrt(g.add(mean, share)))
