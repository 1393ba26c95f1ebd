"""Drop nodes whose results nobody reads.

    %a = input fp16 [4]
    %b = exp %a              becomes    %a = input fp16 [4]
    %c = abs %a                         %c = abs %a
    return %c                           return %c

Inputs stay: they are ports that the host fills by name.
"""

from collections.abc import Mapping
from typing import Any

from ..ir import Graph


def drop_dead_nodes(graph: Graph, profile: Mapping[str, Any]) -> None:
    live = {id(output.value.node) for output in graph.outputs}
    dead = []
    for node in reversed(graph.nodes):
        if id(node) in live or node.op == "input":
            live |= {id(value.node) for value in node.operands}
        else:
            dead.append(node)
    graph.drop(dead)
