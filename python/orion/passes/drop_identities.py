"""Drop nodes that give back what they were given.

    %b = identity %a
    %c = reshape %b shape=[4]     becomes    %d = exp %a
    %d = exp %c

`identity`, a reshape to the shape that is there, a transpose that moves nothing, a concat of one
value and a split into one. A reshape of a reshape reads the first one's operand.
"""

from collections.abc import Mapping
from typing import Any

from ..ir import Graph, Node, Value


def drop_identities(graph: Graph, profile: Mapping[str, Any]) -> None:
    dropped = []
    for node in graph.walk("identity", "reshape", "transpose", "concat", "split"):
        if node.op == "reshape" and node.x.node.op == "reshape":
            redirect(node, node.x.node.x)
        if len(node.results) == 1 and same_value(node):
            graph.replace(node.result, node.operands[0])
            dropped.append(node)
    graph.drop(dropped)


def same_value(node: Node) -> bool:
    if node.op == "transpose":
        return tuple(node["perm"]) == tuple(range(node.x.type.rank))
    if node.op == "reshape":
        return bool(node.x.type == node.result.type)
    return node.op in ("identity", "split") or len(node.operands) == 1


def redirect(node: Node, source: Value) -> None:
    """Makes `node` read `source` as its only operand."""
    node.operands[0].users.remove(node)
    node.operands = [source]
    source.users.append(node)
