"""Write `rms_norm` and `layer_norm`, and their gradients, in simpler ops.

    %n = rms_norm %x %w axis=1 epsilon=e

becomes, where the range of floats is wide,

    %n = x * rate * w, rate = rsqrt(reduce_mean(square(x)) + e)

and on profiles that prefer scaled norms, where squares would leave the range of fp16,

    %top = maximum(reduce_max(abs(x)), floor)
    %y = x / top
    %n = y * rate * w, rate = rsqrt(reduce_mean(square(y)) + square(sqrt(e) / top))

The two are equal for any positive `top`. The largest |y| is 1, so no square overflows and the
mean of squares is at least 1 / C; `floor` keeps a column of zeros from dividing by zero.
`layer_norm` subtracts the mean first and adds its bias last.

    %dx, %dw = rms_norm_gradient %x %w %dy axis=1 epsilon=e

becomes, with unit = x * rate or y * rate, slope = dy * w, and a last division by top where there
is one,

    %dx = rate * (slope - unit * reduce_mean(slope * unit))
    %dw = reduce_sum(dy * unit)         over the axes along which w repeats

of which `layer_norm_gradient` takes x without its mean, and gives dx without its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from ..ir import Graph, Node, Value
from ..ir.broadcast import sum_to

# Below this fp16 has fewer than 11 bits.
SMALLEST_NORMAL = 2.0**-14


@dataclass(frozen=True)
class Unit:
    """`value`, with a root mean square of 1, is x times `rate` over `top`."""

    value: Value
    rate: Value
    top: Value | None = None


def decompose_norms(graph: Graph, profile: Mapping[str, Any]) -> None:
    make = scaled_unit if profile["preferences"]["scales_norms"] else plain_unit
    nodes = graph.walk(*FORMS)
    for node in nodes:
        axis = node["axis"]
        with graph.before(node), graph.scope(node.results[0].name):
            x = without_mean(graph, node.x, axis) if node.op.startswith("layer") else node.x
            results = FORMS[node.op](graph, node, make(graph, x, axis, node["epsilon"]))
        for old, new in zip(node.results, results, strict=True):
            graph.replace(old, new)
    graph.drop(nodes)


def rms_norm(g: Graph, node: Node, unit: Unit) -> tuple[Value, ...]:
    return (g.mul(unit.value, node.weight),)


def layer_norm(g: Graph, node: Node, unit: Unit) -> tuple[Value, ...]:
    return (g.add(g.mul(unit.value, node.weight), node.bias),)


def rms_norm_gradient(g: Graph, node: Node, unit: Unit) -> tuple[Value, ...]:
    slope = g.mul(node.dy, node.weight)
    shared = g.reduce_mean(g.mul(slope, unit.value), axes=(node["axis"],))
    dx = g.mul(g.sub(slope, g.mul(unit.value, shared)), unit.rate)
    if unit.top is not None:
        dx = g.div(dx, unit.top)
    return dx, sum_to(g, g.mul(node.dy, unit.value), node.weight.type.shape)


def layer_norm_gradient(g: Graph, node: Node, unit: Unit) -> tuple[Value, ...]:
    dx, dweight = rms_norm_gradient(g, node, unit)
    return without_mean(g, dx, node["axis"]), dweight


FORMS = {
    "rms_norm": rms_norm,
    "layer_norm": layer_norm,
    "rms_norm_gradient": rms_norm_gradient,
    "layer_norm_gradient": layer_norm_gradient,
}


def without_mean(g: Graph, x: Value, axis: int) -> Value:
    return g.sub(x, g.reduce_mean(x, axes=(axis,)))


def plain_unit(g: Graph, x: Value, axis: int, epsilon: float) -> Unit:
    mean = g.reduce_mean(g.square(x), axes=(axis,))
    rate = g.rsqrt(g.add(mean, epsilon))
    return Unit(g.mul(x, rate), rate)


def scaled_unit(g: Graph, x: Value, axis: int, epsilon: float) -> Unit:
    """As `plain_unit`, through x over its largest magnitude."""
    # The square of sqrt(epsilon) / floor is at most 256, far inside the range of fp16.
    floor = max(sqrt(epsilon) / 16, SMALLEST_NORMAL)
    top = g.maximum(g.reduce_max(g.abs(x), axes=(axis,)), floor)
    y = g.div(x, top)
    mean = g.reduce_mean(g.square(y), axes=(axis,))
    share = g.square(g.div(sqrt(epsilon), top))
    rate = g.rsqrt(g.add(mean, share))
    return Unit(g.mul(y, rate), rate, top)
