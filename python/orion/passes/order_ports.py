"""Sort inputs and outputs by name, and give every output a node of its own.

    %b = input fp16 [4]
    %a = input fp16 [4]        becomes    %a = input fp16 [4]
    return out = %a                       %b = input fp16 [4]
                                          %out = mul %a 1.0
                                          return %out

Devices that bind ports in alphabetical order then agree with the text. An output that is an
input, or that stands twice, is multiplied by one: an identity as the last op fails on some chips.
"""

from collections.abc import Mapping
from typing import Any

from ..ir import Graph, Value


def order_ports(graph: Graph, profile: Mapping[str, Any]) -> None:
    inputs = sorted(graph.inputs, key=lambda node: node.result.name)
    graph.nodes = inputs + [node for node in graph.nodes if node.op != "input"]
    graph.outputs.sort(key=lambda output: output.name)
    ones: dict[str, Value] = {}
    seen: set[int] = set()
    for output in graph.outputs:
        if output.value.node.row.source or id(output.value) in seen:
            dtype = output.value.type.dtype
            ones[dtype] = ones.get(dtype) or graph.constant(1, dtype, "one")
            output.value = graph.mul(output.value, ones[dtype])
        seen.add(id(output.value))
    for output in graph.outputs:
        if output.value.name != output.name:
            free_name(graph, output.name)
            graph.rename(output.value, output.name)


def free_name(graph: Graph, name: str) -> None:
    """Whoever has `name` takes another."""
    for node in graph.nodes:
        for value in node.results:
            if value.name == name:
                graph.rename(value, f"{name}_inner")
