"""Merge casts that lose nothing on the way.

    %b = cast %a dtype=fp32     (%a is fp16)
    %c = cast %b dtype=fp16                     becomes    %d = exp %a
    %d = exp %c

A cast of a cast reads the first one's operand when the first one only widened; a cast to the
dtype that is there goes. fp32 to fp16 and back stays: it rounds.
"""

from collections.abc import Mapping
from typing import Any

from ..ir import Graph
from .drop_identities import redirect

# (from, to) pairs that keep every value
WIDENING = {("fp16", "fp32"), ("bool", "fp16"), ("bool", "fp32"), ("bool", "int32")}


def merge_casts(graph: Graph, profile: Mapping[str, Any]) -> None:
    dropped = []
    for node in graph.walk("cast"):
        inner = node.x.node
        if inner.op == "cast" and (inner.x.type.dtype, inner["dtype"]) in WIDENING:
            redirect(node, inner.x)
        if node.x.type.dtype == node["dtype"]:
            graph.replace(node.result, node.x)
            dropped.append(node)
    graph.drop(dropped)
