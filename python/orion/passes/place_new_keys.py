"""Put new keys and values among the cached ones, so that attention has one segment.

    %o = attention %q %k_cache %v_cache %mask_cache %k_new %v_new %mask_new scale=s

becomes, with D the head size, S new positions, L slots of the cache,

    %placement = input [1, 1, S, L] role="placement"
    %mask = input [1, 1, S, L] role="mask over=slots"
    %k = add %k_cache (matmul %k_new %placement)        [.., D, L]
    %v = add %v_cache (matmul %v_new %placement)
    %o = attention %q %k %v %mask scale=s

Row s of the placement has a single 1, at the slot that column s takes; rows of unused columns are
zero, and so are slots that nobody took. Every sum then has one term, and nothing is rounded. A
token's numbers are the same whether the tokens before it lie in the cache or come in the same
step. It is for profiles that do not join segments by concat.
"""

from collections.abc import Mapping
from typing import Any

from ..ir import Graph, Node, Value

SEGMENTS = ("mask over=cache", "mask over=new")


def place_new_keys(graph: Graph, profile: Mapping[str, Any]) -> None:
    if profile["preferences"]["emits_concat"]:
        return
    nodes = [node for node in graph.walk("attention") if has_segments(node)]
    if not nodes:
        return
    _, _, _, mask_cache, _, _, mask_new = nodes[0].operands
    dtype, shape = mask_cache.type.dtype, mask_cache.type.shape
    with graph.before(mask_cache.node):
        placement = graph.input("placement", dtype, shape, "placement")
        mask = graph.input("mask", dtype, shape, "mask over=slots")
    for node in nodes:
        query, key_cache, value_cache, _, key_new, value_new, _ = node.operands
        with graph.before(node), graph.scope(node.result.name):
            key = place(graph, key_cache, key_new, placement)
            value = place(graph, value_cache, value_new, placement)
            result = graph.attention(query, [key, value, mask], scale=node["scale"])
        graph.replace(node.result, result)
    graph.drop(nodes)
    graph.drop([mask.node for mask in (mask_cache, mask_new) if not mask.users])


def has_segments(node: Node) -> bool:
    """Whether its segments are those of a step: cached positions, then new ones."""
    masks = [value.node for value in node.operands[3::3]]
    return tuple(mask.attributes.get("role") for mask in masks) == SEGMENTS


def place(g: Graph, cached: Value, new: Value, placement: Value) -> Value:
    return g.add(cached, g.matmul(new, placement))
