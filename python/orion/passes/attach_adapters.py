"""Give the chosen linear layers a low-rank path beside them, its matrices inputs of the program.

    %y = linear %x %w                       w = weight key="M.weight"

becomes, when `places` has M, with I inputs, O outputs and rank R,

    %a = input [1, I, 1, R] role="adapter module=M matrix=a"
    %b = input [1, R, 1, O] role="adapter module=M matrix=b first=0"
    %product = linear %x %w
    %low = matmul %a %x                     a turned: [R, I] x [I, S]
    %y = add %product (matmul %b %low)      b turned: [O, R] x [R, S]

One program serves every adapter of that rank or less: rows and columns beyond an adapter's rank are
zero, and so is everything when none is in use. Scale is part of `b`. Where a checkpoint holds
several layers side by side in one tensor, `places` says in which, and at which of its outputs M
begins: the layers share `a`, and each takes its part of `b`.
"""

from collections.abc import Mapping
from typing import Any

from ..ir import Graph, Node, Value

# The end of a linear layer's key, after its module's name.
KEY_END = ".weight"


def attach_adapters(graph: Graph, profile: Mapping[str, Any]) -> None:
    wanted = profile["preferences"].get("adapters")
    if wanted is None:
        return
    for node in graph.walk("linear"):
        place = wanted["places"].get(module_of(node))
        if place is not None:
            attach(graph, node, place, wanted["rank"])


def module_of(node: Node) -> str | None:
    """The module whose weight a linear layer multiplies by."""
    weight = node.weight.node
    key = weight["key"] if weight.op == "weight" else ""
    return key.removesuffix(KEY_END) if key.endswith(KEY_END) else None


def attach(graph: Graph, node: Node, place: tuple[str, int], rank: int) -> None:
    module, first = place
    _, inputs, _, columns = node.x.type.shape
    outputs = node.result.type.shape[1]
    name, dtype = node.result.name, node.result.type.dtype
    rows = (("a", (1, inputs, 1, rank), ""), ("b", (1, rank, 1, outputs), f" first={first}"))
    with graph.before(node):
        a, b = (
            graph.input(
                f"adapter_{kind}_{name}",
                dtype,
                shape,
                f"adapter module={module} matrix={kind}{rest}",
            )
            for kind, shape, rest in rows
        )
        product = graph.linear(node.x, node.weight, name=f"{name}_product")
        low = turned(graph, a, graph.reshape(node.x, shape=(1, 1, inputs, columns)))
        high = graph.reshape(turned(graph, b, low), shape=(1, outputs, 1, columns))
        total = graph.add(product, high, name=f"{name}_adapted")
    graph.replace(node.result, total)
    graph.drop([node])


def turned(g: Graph, matrix: Value, x: Value) -> Value:
    """[1, I, 1, O] turned, times [1, 1, I, S]."""
    _, rows, _, columns = matrix.type.shape
    return g.matmul(g.reshape(matrix, shape=(1, 1, rows, columns)), x, transpose_x=True)
