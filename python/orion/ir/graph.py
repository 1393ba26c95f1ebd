"""The graph: values in single assignment, each made by one node; knows no device and no MIL.

    graph = Graph("double")
    x = graph.input("x", "fp32", (1, 4, 1, 16))
    graph.output("y", graph.add(x, x))

Every row of the op table is a method: operands by position, attributes and `name` by keyword.
A Python number or array among the operands becomes a constant. Nodes stay in an order in which
every operand comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .ops import TABLE
from .row import Op, ShapeError
from .types import DTYPES, TensorType


@dataclass(eq=False)
class Value:
    """What a node makes. `users` holds a node once for every operand that is this value."""

    name: str
    type: TensorType
    node: Node
    users: list[Node]

    def __repr__(self) -> str:
        return f"%{self.name}: {self.type}"


@dataclass(eq=False)
class Node:
    """One use of an op. Operands are also attributes under the row's names: `node.x`."""

    row: Op
    operands: list[Value]
    attributes: dict[str, Any]
    results: list[Value]

    @property
    def op(self) -> str:
        return self.row.name

    @property
    def result(self) -> Value:
        (only,) = self.results
        return only

    def __getitem__(self, attribute: str) -> Any:
        return self.attributes[attribute]

    def __getattr__(self, name: str) -> Value:
        names = self.row.operand_names
        if name in names:
            return self.operands[names.index(name)]
        raise AttributeError(f"{self.row.name} has no operand {name}")


@dataclass(eq=False)
class Output:
    """A value that the graph gives back. `role` is what the host does with it: "hidden"."""

    name: str
    value: Value
    role: str | None = None


class Graph:
    def __init__(self, name: str = "main") -> None:
        self.name = name
        self.nodes: list[Node] = []
        self.outputs: list[Output] = []
        self._names: set[str] = set()
        self._counters: dict[str, int] = {}
        self._scope = ""
        self._pending: list[Node] | None = None

    # ---- building ----

    def __getattr__(self, op: str) -> Callable[..., Any]:
        if op not in TABLE:
            raise AttributeError(f"there is no op {op}")

        def build(*operands: Any, name: str | None = None, **attributes: Any) -> Any:
            node = self.node(op, self._values(TABLE[op], operands), attributes, name)
            many = op == "split" or len(node.results) > 1
            return tuple(node.results) if many else node.results[0]

        return build

    def node(
        self,
        op: str,
        operands: Sequence[Value],
        attributes: dict[str, Any],
        name: str | Sequence[str] | None = None,
    ) -> Node:
        """Appends a node, or puts it where `before` says. ShapeError when its row refuses it."""
        row = TABLE[op]
        attributes = complete_attributes(row, attributes)
        types = infer(row, [value.type for value in operands], attributes)
        node = Node(row, list(operands), attributes, [])
        names = [name] * len(types) if name is None or isinstance(name, str) else list(name)
        scoped = op != "input"  # a port's name is what the host calls it
        for result_type, hint in zip(types, names, strict=True):
            value = Value(self._fresh(hint or op, scoped), result_type, node, [])
            node.results.append(value)
        for value in operands:
            value.users.append(node)
        (self.nodes if self._pending is None else self._pending).append(node)
        return node

    def input(self, name: str, dtype: str, shape: Sequence[int], role: str | None = None) -> Value:
        attributes = {"dtype": dtype, "shape": tuple(shape), "role": role}
        return self.node("input", [], attributes, name).result

    def weight(
        self,
        key: str,
        dtype: str,
        shape: Sequence[int],
        name: str,
        first: int | None = None,
        *,
        part: str | None = None,
    ) -> Value:
        """The checkpoint's tensor `key`, or what begins at its row `first`, as `shape`.

        `part` is "codes" or "scales" of its quantised form.
        """
        attributes = {
            "dtype": dtype,
            "shape": tuple(shape),
            "key": key,
            "first": first,
            "part": part,
        }
        return self.node("weight", [], attributes, name).result

    def constant(self, value: Any, dtype: str, name: str | None = None) -> Value:
        array = np.array(value, DTYPES[dtype])  # a copy, so that nobody changes it later
        array.flags.writeable = False
        attributes = {"dtype": dtype, "shape": array.shape, "value": array}
        return self.node("constant", [], attributes, name or "constant").result

    def full(self, type: TensorType, value: float) -> Value:
        """A constant of `type` whose elements are all `value`."""
        return self.constant(np.full(type.shape, value), type.dtype)

    def output(self, name: str, value: Value, role: str | None = None) -> None:
        self.outputs.append(Output(name, value, role))

    @contextmanager
    def scope(self, prefix: str) -> Iterator[None]:
        """Names given inside start with `prefix_`."""
        outer = self._scope
        self._scope = f"{outer}{prefix}_"
        try:
            yield
        finally:
            self._scope = outer

    @contextmanager
    def before(self, node: Node) -> Iterator[None]:
        """Nodes made inside come right before `node`."""
        outer, self._pending = self._pending, []
        try:
            yield
        finally:
            index = self.nodes.index(node)
            self.nodes[index:index] = self._pending
            self._pending = outer

    # ---- rewriting ----

    @property
    def inputs(self) -> list[Node]:
        return [node for node in self.nodes if node.op == "input"]

    def walk(self, *ops: str) -> list[Node]:
        """The nodes of these ops, in order, as they are now."""
        return [node for node in self.nodes if node.op in ops]

    def replace(self, old: Value, new: Value) -> None:
        """Everyone who used `old` uses `new`; the node of `old` stays until it is dropped."""
        for user in old.users:
            user.operands = [new if value is old else value for value in user.operands]
            new.users.append(user)
        old.users = []
        for output in self.outputs:
            if output.value is old:
                output.value = new

    def drop(self, nodes: Sequence[Node]) -> None:
        """Takes nodes out of the graph. None of their results may be in use outside them."""
        gone = {id(node) for node in nodes}
        for node in nodes:
            for value in node.operands:
                value.users.remove(node)
        self.nodes = [node for node in self.nodes if id(node) not in gone]
        self._names -= {value.name for node in nodes for value in node.results}

    def rename(self, value: Value, name: str) -> None:
        self._names.discard(value.name)
        value.name = self._fresh(name, scoped=False)

    # ---- names and operands ----

    def _fresh(self, base: str, scoped: bool = True) -> str:
        base = self._scope + base if scoped else base
        name = base
        while name in self._names:
            self._counters[base] = self._counters.get(base, 0) + 1
            name = f"{base}_{self._counters[base]}"
        self._names.add(name)
        return name

    def _values(self, row: Op, operands: Sequence[Any]) -> list[Value]:
        flat: list[Any] = []
        for operand in operands:
            flat.extend(operand if isinstance(operand, (list, tuple)) else [operand])
        dtypes = [value.type.dtype for value in flat if isinstance(value, Value)]
        dtype = next((dtype for dtype in dtypes if dtype != "bool"), "fp32")
        return [v if isinstance(v, Value) else self.constant(v, dtype) for v in flat]


def complete_attributes(row: Op, given: dict[str, Any]) -> dict[str, Any]:
    """The attributes in the row's order, defaults filled in. ShapeError: missing or unknown."""
    known = {attribute.name for attribute in row.attribute_rows}
    for name in given:
        if name not in known:
            raise ShapeError(f"{row.name} has no attribute {name}")
    complete = {}
    for attribute in row.attribute_rows:
        if attribute.required and attribute.name not in given:
            raise ShapeError(f"{row.name} needs the attribute {attribute.name}")
        value = given.get(attribute.name, attribute.default)
        lists = attribute.kind in ("ints", "shape")
        complete[attribute.name] = tuple(int(n) for n in value) if lists else value
    return complete


def infer(row: Op, types: Sequence[TensorType], attributes: dict[str, Any]) -> list[TensorType]:
    """Result types by the row's rule. ShapeError starts with the op's name."""
    expected = len(row.operand_names)
    enough = len(types) >= expected - 1 if row.is_variadic else len(types) == expected
    if not enough:
        raise ShapeError(f"{row.name} takes {row.operands or 'no operands'}, got {len(types)}")
    try:
        return row.infer(types, attributes)
    except ShapeError as error:
        raise ShapeError(f"{row.name}: {error}") from None
