"""Write `attention` in matrix products and a softmax over all its segments.

    %o = attention %q %k0 %v0 %m0 %k1 %v1 %m1 scale=s

The query is scaled, then score_i = q^T k_i + m_i. With one segment, p = softmax(score). With
more, where concat may be emitted, the scores are joined and the probabilities split again:

    %p0, %p1 = split(softmax(concat(score_0, score_1)))

and elsewhere the softmax is taken apart, which joins nothing:

    %top = maximum(reduce_max(score_0), reduce_max(score_1))
    %e_i = exp(score_i - top)
    %p_i = e_i / (reduce_sum(e_0) + reduce_sum(e_1))

In both o = sum of v_i p_i^T. Keys and values, the long operands, are never copied. Dividing
before the last product keeps its sums within the largest value, inside the range of any float.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from ..ir import Graph, Node, Value


def decompose_attention(graph: Graph, profile: Mapping[str, Any]) -> None:
    softmax = joined_softmax if profile["preferences"]["emits_concat"] else split_softmax
    nodes = graph.walk("attention")
    for node in nodes:
        with graph.before(node), graph.scope(node.result.name):
            result = mix(graph, node, softmax)
        graph.replace(node.result, result)
    graph.drop(nodes)


def mix(g: Graph, node: Node, softmax: Any) -> Value:
    query, *segments = node.operands
    keys, values, masks = segments[0::3], segments[1::3], segments[2::3]
    query = g.mul(query, node["scale"])
    scores = [
        g.add(g.matmul(query, key, transpose_x=True), mask)
        for key, mask in zip(keys, masks, strict=True)
    ]
    weights = softmax(g, scores) if len(scores) > 1 else [g.softmax(scores[0], axis=3)]
    parts = [
        g.matmul(value, weight, transpose_y=True)
        for value, weight in zip(values, weights, strict=True)
    ]
    return reduce(g.add, parts)


def joined_softmax(g: Graph, scores: Sequence[Value]) -> Sequence[Value]:
    sizes = tuple(score.type.shape[3] for score in scores)
    joined = g.softmax(g.concat(list(scores), axis=3), axis=3)
    return tuple(g.split(joined, axis=3, sizes=sizes))


def split_softmax(g: Graph, scores: Sequence[Value]) -> Sequence[Value]:
    top = reduce(g.maximum, [g.reduce_max(score, axes=(3,)) for score in scores])
    powers = [g.exp(g.sub(score, top)) for score in scores]
    total = reduce(g.add, [g.reduce_sum(power, axes=(3,)) for power in powers])
    return [g.div(power, total) for power in powers]
