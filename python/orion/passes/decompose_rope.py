"""Write `rope` in simpler ops.

    %r = rope %x %cos %sin

becomes, where concat may be emitted,

    %a, %b = split %x
    %r = concat (a * cos - b * sin) (b * cos + a * sin)

and elsewhere, with constant matrices of 0, 1 and -1 that move elements and lose nothing,

    %turned = matmul %P %x        which is -b above a
    %r = x * (E cos) + turned * (E sin)     where E repeats the rows of a half for the other half
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..ir import Graph, Value


def decompose_rope(graph: Graph, profile: Mapping[str, Any]) -> None:
    form = joined if profile["preferences"]["emits_concat"] else permuted
    nodes = graph.walk("rope")
    for node in nodes:
        with graph.before(node), graph.scope(node.result.name):
            result = form(graph, node.x, node.cos, node.sin)
        graph.replace(node.result, result)
    graph.drop(nodes)


def joined(g: Graph, x: Value, cos: Value, sin: Value) -> Value:
    axis = x.type.rank - 2
    half = x.type.shape[axis] // 2
    a, b = g.split(x, axis=axis, sizes=(half, half))
    first = g.sub(g.mul(a, cos), g.mul(b, sin))
    second = g.add(g.mul(b, cos), g.mul(a, sin))
    return g.concat([first, second], axis=axis)


def permuted(g: Graph, x: Value, cos: Value, sin: Value) -> Value:
    half = x.type.shape[-2] // 2
    batch = (1,) * (x.type.rank - 2)
    one, none = np.eye(half), np.zeros((half, half))
    turn = np.block([[none, none - one], [one, none]]).reshape(*batch, 2 * half, 2 * half)
    repeat = np.concatenate([one, one]).reshape(*batch, 2 * half, half)
    turned = g.matmul(g.constant(turn, x.type.dtype, "turn"), x)
    repeated = g.constant(repeat, x.type.dtype, "repeat")
    return g.add(
        g.mul(x, g.matmul(repeated, cos)),
        g.mul(turned, g.matmul(repeated, sin)),
    )
