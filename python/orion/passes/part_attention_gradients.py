"""Take the gradient of attention some heads at a time, so that their scores stay in the cache.

    %dq, %dk, %dv, %dm = attention_gradient %q %dy %k %v %m scale=s        q [K, G, D, S]

becomes, for two parts of K/2 key heads each,

    %q0 = slice %q begin=[0, 0, 0, 0] size=[K/2, G, D, S]
    ...
    %dq0, %dk0, %dv0, %dm0 = attention_gradient %q0 %dy0 %k0 %v0 %m scale=s
    ...
    %dq = concat %dq0 %dq1 axis=0
    %dm = add %dm0 %dm1

A part has as many heads, a divisor of K, as have at most a mebibyte of scores. Nothing is summed in
another order but masks. Where concat is not emitted everything stays whole; so does the gradient
over one segment on profiles that compute in the declared types, which run it as one step and never
have the scores of all queries.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from ..ir import Graph, Node, Value

SCORE_BYTES = 1 << 20
BYTES = {"fp16": 2, "fp32": 4}


def part_attention_gradients(graph: Graph, profile: Mapping[str, Any]) -> None:
    if not profile["preferences"]["emits_concat"]:
        return
    nodes = [
        node
        for node in graph.walk("attention_gradient")
        if heads_of_part(node) < heads(node)
        and not (runs_as_one(profile) and has_one_segment(node))
    ]
    for node in nodes:
        with graph.before(node), graph.scope(node.results[0].name):
            results = in_parts(graph, node, heads_of_part(node))
        for old, new in zip(node.results, results, strict=True):
            graph.replace(old, new)
    graph.drop(nodes)


def runs_as_one(profile: Mapping[str, Any]) -> bool:
    return bool(profile["arithmetic"]["storage"] == "declared")


def has_one_segment(node: Node) -> bool:
    return len(node.operands) == 5


def heads(node: Node) -> int:
    return int(node.query.type.shape[0])


def heads_of_part(node: Node) -> int:
    _, shared, _, columns = node.query.type.shape
    positions = sum(key.type.shape[-1] for key in node.operands[2::3])
    score_bytes = shared * columns * positions * BYTES[node.query.type.dtype]
    fitting = max(1, SCORE_BYTES // score_bytes)
    return max(n for n in range(1, heads(node) + 1) if heads(node) % n == 0 and n <= fitting)


def in_parts(g: Graph, node: Node, size: int) -> list[Value]:
    parts = []
    for first in range(0, heads(node), size):
        query, dy, *segments = (
            value if is_mask(index) else some_heads(g, value, first, size)
            for index, value in enumerate(node.operands)
        )
        parts.append(g.attention_gradient(query, dy, segments, scale=node["scale"]))
    # There is no result for dy, the operand after the query.
    masks = [is_mask(index) for index in range(len(node.operands)) if index != 1]
    return [
        reduce(g.add, results) if mask else g.concat(list(results), axis=0)
        for results, mask in zip(zip(*parts, strict=True), masks, strict=True)
    ]


def is_mask(index: int) -> bool:
    """query, dy, then key, value and mask of each segment."""
    return index >= 2 and (index - 2) % 3 == 2


def some_heads(g: Graph, value: Value, first: int, size: int) -> Value:
    rest = value.type.shape[1:]
    return g.slice(value, begin=(first, 0, 0, 0), size=(size, *rest))
