"""Write `attention` and its gradient in matrix products and a softmax over all their segments.

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

    %dq, %dk0, %dv0, %dm0, ... = attention_gradient %q %dy %k0 %v0 %m0 ... scale=s

makes the probabilities p again, and with q scaled

    %dp_i = dy^T v_i
    %ds_i = p_i * (dp_i - sum over all positions of p dp)
    %dq = s * sum of k_i ds_i^T        %dk_i = q ds_i        %dv_i = dy p_i        %dm_i = ds_i

where those of keys and values are summed over the query heads that share them, and those of masks
over all heads.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from ..ir import Graph, Node, Value
from ..ir.broadcast import sum_to


def decompose_attention(graph: Graph, profile: Mapping[str, Any]) -> None:
    softmax = joined_softmax if profile["preferences"]["emits_concat"] else split_softmax
    nodes = graph.walk(*FORMS)
    for node in nodes:
        with graph.before(node), graph.scope(node.results[0].name):
            results = FORMS[node.op](graph, node, softmax)
        for old, new in zip(node.results, results, strict=True):
            graph.replace(old, new)
    graph.drop(nodes)


def mix(g: Graph, node: Node, softmax: Any) -> Sequence[Value]:
    query, *segments = node.operands
    _, weights = probabilities(g, query, segments, node["scale"], softmax)
    parts = [
        g.matmul(value, weight, transpose_y=True)
        for value, weight in zip(segments[1::3], weights, strict=True)
    ]
    return [reduce(g.add, parts)]


def mix_gradient(g: Graph, node: Node, softmax: Any) -> Sequence[Value]:
    query, dy, *segments = node.operands
    scaled, weights = probabilities(g, query, segments, node["scale"], softmax)
    dweights = [g.matmul(dy, value, transpose_x=True) for value in segments[1::3]]
    pairs = list(zip(weights, dweights, strict=True))
    means = [g.reduce_sum(g.mul(weight, dweight), axes=(3,)) for weight, dweight in pairs]
    mean = reduce(g.add, means)
    dscores = [g.mul(weight, g.sub(dweight, mean)) for weight, dweight in pairs]
    parts = [
        g.matmul(key, dscore, transpose_y=True)
        for key, dscore in zip(segments[0::3], dscores, strict=True)
    ]
    results = [g.mul(reduce(g.add, parts), node["scale"])]
    for index, (weight, dscore) in enumerate(zip(weights, dscores, strict=True)):
        key, value, mask = segments[3 * index : 3 * index + 3]
        results.append(sum_to(g, g.matmul(scaled, dscore), key.type.shape))
        results.append(sum_to(g, g.matmul(dy, weight), value.type.shape))
        results.append(sum_to(g, dscore, mask.type.shape))
    return results


FORMS = {"attention": mix, "attention_gradient": mix_gradient}


def probabilities(
    g: Graph, query: Value, segments: Sequence[Value], scale: float, softmax: Any
) -> tuple[Value, Sequence[Value]]:
    """The scaled query, and for each segment how much every column takes of its positions."""
    query = g.mul(query, scale)
    scores = [
        g.add(g.matmul(query, key, transpose_x=True), mask)
        for key, mask in zip(segments[0::3], segments[2::3], strict=True)
    ]
    if len(scores) == 1:
        return query, [g.softmax(scores[0], axis=3)]
    return query, softmax(g, scores)


def joined_softmax(g: Graph, scores: Sequence[Value]) -> Sequence[Value]:
    sizes = tuple(score.type.shape[3] for score in scores)
    joined = g.softmax(g.concat(list(scores), axis=3), axis=3)
    return tuple(g.split(joined, axis=3, sizes=sizes))


def split_softmax(g: Graph, scores: Sequence[Value]) -> Sequence[Value]:
    top = reduce(g.maximum, [g.reduce_max(score, axes=(3,)) for score in scores])
    powers = [g.exp(g.sub(score, top)) for score in scores]
    total = reduce(g.add, [g.reduce_sum(power, axes=(3,)) for power in powers])
    return [g.div(power, total) for power in powers]
