"""The verifier: whether a graph is well formed. Run before and after every pass.

A graph is well formed when
 1. every value is defined once, and its name is an identifier that no other value has;
 2. every operand is a result of an earlier node of this graph;
 3. every node's op is a row of the table, with its count of operands and exactly its attributes;
 4. every result has the type that the row's rule infers;
 5. a constant's array has the declared dtype and shape;
 6. `users` of every value holds exactly the nodes that read it;
 7. there is at least one output; outputs and inputs have names that no other output or input has;
 8. every output's value is a value of this graph.
"""

from __future__ import annotations

import re
from collections import Counter

from .graph import Graph, Node, Value, complete_attributes, infer
from .ops import TABLE
from .row import ShapeError
from .text import node_text
from .types import DTYPES

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_@]*\Z")


class VerifyError(Exception):
    """A broken rule, with the node that breaks it."""


def verify(graph: Graph) -> None:
    names: set[str] = set()
    defined: dict[int, Value] = {}
    readers: dict[int, Counter[int]] = {}
    for node in graph.nodes:
        check_operands(node, defined)
        check_row(node)
        for operand in node.operands:
            readers.setdefault(id(operand), Counter())[id(node)] += 1
        for value in node.results:
            require(value.node is node, node, f"%{value.name} names another node as its own")
            require(value.name not in names, node, f"%{value.name} is defined twice")
            require(IDENTIFIER.match(value.name), node, f"`{value.name}` is no identifier")
            names.add(value.name)
            defined[id(value)] = value
    for key, value in defined.items():
        held = Counter(id(user) for user in value.users)
        agrees = held == readers.get(key, Counter())
        require(agrees, value.node, f"the users of %{value.name} are not its readers")
    check_ports(graph, defined)


def check_operands(node: Node, defined: dict[int, Value]) -> None:
    for operand in node.operands:
        earlier = id(operand) in defined
        require(earlier, node, f"%{operand.name} is not defined before it is used")


def check_row(node: Node) -> None:
    row = node.row
    require(TABLE.get(row.name) is row, node, f"{row.name} is no row of the op table")
    try:
        require(
            complete_attributes(row, node.attributes).keys() == node.attributes.keys(),
            node,
            "an attribute is missing",
        )
        types = infer(row, [value.type for value in node.operands], node.attributes)
    except ShapeError as error:
        raise VerifyError(f"{error}\n  in {node_text(node)}") from None
    for value, expected in zip(node.results, types, strict=True):
        require(value.type == expected, node, f"%{value.name} is {value.type}, not {expected}")
    if row.name == "constant":
        array = node["value"]
        fits = array.dtype == DTYPES[node["dtype"]] and array.shape == node["shape"]
        require(fits, node, f"its array is {array.dtype} {list(array.shape)}")


def check_ports(graph: Graph, defined: dict[int, Value]) -> None:
    if not graph.outputs:
        raise VerifyError(f"graph {graph.name} returns nothing")
    for output in graph.outputs:
        if id(output.value) not in defined:
            raise VerifyError(f"output {output.name} is %{output.value.name}, which no node makes")
    for kind, names in (
        ("outputs", [output.name for output in graph.outputs]),
        ("inputs", [node.result.name for node in graph.inputs]),
    ):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise VerifyError(f"two {kind} of graph {graph.name} are called {twice[0]}")


def require(holds: object, node: Node, message: str) -> None:
    if not holds:
        raise VerifyError(f"{message}\n  in {node_text(node)}")
