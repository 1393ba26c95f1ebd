"""Make a position of the cache a row of its tensor, where the profile wants it so.

    %k = input [1, C, 1, L] role="key_cache layer=0 axis=3"

becomes

    %k = input [1, 1, L, C] role="key_cache layer=0 axis=2"
    %k_turned = transpose %k perm=[0, 3, 1, 2]

A new position is then written to one place instead of C, and a longer cache begins as a shorter
one.
"""

from collections.abc import Mapping
from typing import Any

from ..ir import Graph, Node

COLUMNS, ROWS = " axis=3", " axis=2"


def cache_rows(graph: Graph, profile: Mapping[str, Any]) -> None:
    if not profile["preferences"].get("caches_rows"):
        return
    for node in graph.inputs:
        if str(node["role"]).split()[0] in ("key_cache", "value_cache"):
            turn(graph, node)


def turn(graph: Graph, node: Node) -> None:
    name, role = node.result.name, node["role"].removesuffix(COLUMNS) + ROWS
    _, channels, _, length = node.result.type.shape
    graph.rename(node.result, f"{name}_columns")
    with graph.before(node):
        rows = graph.input(name, node.result.type.dtype, (1, 1, length, channels), role)
        columns = graph.transpose(rows, perm=(0, 3, 1, 2), name=f"{name}_turned")
    graph.replace(node.result, columns)
    graph.drop([node])
