"""Store the weights of linear layers in the type that the profile asks for.

    %w = weight fp32 [8, 4, 1, 1] key="k"
    %y = linear %x %w

becomes, for fp16 beside activations in fp32,

    %w_stored = weight fp16 [8, 4, 1, 1] key="k"
    %w_cast = cast %w_stored dtype=fp32
    %y = linear %x %w_cast

and for int8, with a scale for each output channel,

    %w_codes = weight int8 [8, 4, 1, 1] key="k" part="codes"
    %w_scales = weight fp32 [8, 1, 1, 1] key="k" part="scales"
    %w_dequantize = dequantize %w_codes %w_scales
    %y = linear %x %w_dequantize

Opsets before ios18 have `dequantize_axis` instead. Weights of other ops are few, and stay floats.
"""

from collections.abc import Mapping
from typing import Any

from ..ir import Graph, Node, Value

# Opsets that have scales by block.
BLOCKWISE = ("ios18",)


def store_weights(graph: Graph, profile: Mapping[str, Any]) -> None:
    preferences = profile["preferences"]
    wanted = preferences.get("weights", preferences["activation"])
    if wanted == preferences["activation"]:
        return
    blockwise = profile["dialect"]["opset"] in BLOCKWISE
    replaced = [node for node in graph.walk("weight") if is_of_linears(node.result)]
    for node in replaced:
        with graph.before(node):
            stored = quantized(graph, node, blockwise) if wanted == "int8" else half(graph, node)
        graph.replace(node.result, stored)
    graph.drop(replaced)


def is_of_linears(value: Value) -> bool:
    return bool(value.users) and all(
        user.op == "linear" and user.x is not value for user in value.users
    )


def half(g: Graph, node: Node) -> Value:
    name, shape = node.result.name, node["shape"]
    stored = g.weight(node["key"], "fp16", shape, f"{name}_stored", node["first"])
    return g.cast(stored, dtype=node["dtype"], name=f"{name}_cast")


def quantized(g: Graph, node: Node, blockwise: bool) -> Value:
    name, shape, key, first = node.result.name, node["shape"], node["key"], node["first"]
    by_channel = (shape[0], *[1] * (len(shape) - 1)) if blockwise else shape[:1]
    codes = g.weight(key, "int8", shape, f"{name}_codes", first, part="codes")
    scales = g.weight(key, node["dtype"], by_channel, f"{name}_scales", first, part="scales")
    if blockwise:
        return g.dequantize(codes, scales, name=f"{name}_dequantize")
    return g.dequantize_axis(codes, scales, axis=0, name=f"{name}_dequantize")
