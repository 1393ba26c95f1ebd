"""Compute equal things once.

    %b = exp %a
    %c = exp %a          becomes    %b = exp %a
    %d = add %b %c                  %d = add %b %b

Nodes are equal when op, operands and attributes are; constants when their bits are. Inputs are
not merged.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from ..ir import Graph, Node


def share_common_subexpressions(graph: Graph, profile: Mapping[str, Any]) -> None:
    first: dict[Hashable, Node] = {}
    repeated = []
    for node in graph.nodes:
        if node.op == "input":
            continue
        earlier = first.setdefault(identity(node), node)
        if earlier is not node:
            for old, new in zip(node.results, earlier.results, strict=True):
                graph.replace(old, new)
            repeated.append(node)
    graph.drop(repeated)


def identity(node: Node) -> Hashable:
    attributes = tuple(
        value.tobytes() if isinstance(value, np.ndarray) else value
        for value in node.attributes.values()
    )
    return node.op, tuple(id(value) for value in node.operands), attributes
