"""The verifier: whether a graph is well formed. Run before and after every pass.

A graph is well formed when
 1. every value is defined once, and its name is an identifier that no other value has;
 2. every operand is a result of an earlier node of this graph;
 3. every node's op is a row of the table, with its count of operands and exactly its attributes;
 4. every result has the type that the row's rule infers;
 5. a constant's array has the declared dtype and shape;
 6. `users` of every value holds exactly the nodes that read it;
 7. there is at least one output, and no two have one name;
 8. every output's value is a value of this graph.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NoReturn

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
    readers: dict[int, list[int]] = {}
    for node in graph.nodes:
        for operand in node.operands:
            if id(operand) not in defined:
                fail(node, f"%{operand.name} is not defined before it is used")
            readers[id(operand)].append(id(node))
        check_row(node)
        for value in node.results:
            check_name(value, node, names)
            names.add(value.name)
            defined[id(value)] = value
            readers[id(value)] = []
    for key, value in defined.items():
        if sorted(id(user) for user in value.users) != sorted(readers[key]):
            fail(value.node, f"the users of %{value.name} are not its readers")
    check_ports(graph, defined)


def check_name(value: Value, node: Node, names: set[str]) -> None:
    if value.node is not node:
        fail(node, f"%{value.name} names another node as its own")
    if value.name in names:
        fail(node, f"%{value.name} is defined twice")
    if not IDENTIFIER.match(value.name):
        fail(node, f"`{value.name}` is no identifier")


def check_row(node: Node) -> None:
    row = node.row
    if TABLE.get(row.name) is not row:
        fail(node, f"{row.name} is no row of the op table")
    try:
        if complete_attributes(row, node.attributes).keys() != node.attributes.keys():
            fail(node, "an attribute is missing")
        types = infer(row, [value.type for value in node.operands], node.attributes)
    except ShapeError as error:
        fail(node, str(error))
    for value, expected in zip(node.results, types, strict=True):
        if value.type != expected:
            fail(node, f"%{value.name} is {value.type}, not {expected}")
    if row.name == "constant":
        array = node["value"]
        if array.dtype != DTYPES[node["dtype"]] or array.shape != node["shape"]:
            fail(node, f"its array is {array.dtype} {list(array.shape)}")


def check_ports(graph: Graph, defined: dict[int, Value]) -> None:
    if not graph.outputs:
        raise VerifyError(f"graph {graph.name} returns nothing")
    for output in graph.outputs:
        if id(output.value) not in defined:
            raise VerifyError(f"output {output.name} is %{output.value.name}, which no node makes")
    names = [output.name for output in graph.outputs]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise VerifyError(f"two outputs of graph {graph.name} are called {twice[0]}")


def fail(node: Node, message: str) -> NoReturn:
    raise VerifyError(f"{message}\n  in {node_text(node)}") from None
