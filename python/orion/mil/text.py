"""A graph as MIL text, as Apple's compiler prints it; every argument is a named constant.

Weights and large constants are records of `@model_path/weights.bin`, through a BlobWriter that
several programs may share. Equal argument constants of a program are written once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import OrionError
from ..ir import Graph, Node, Value
from ..ir.interpret import weight_part
from .blob import BlobWriter
from .literals import Literals

WEIGHT_PATH = "@model_path/weights.bin"
# Apple's tools put a constant into the file from this many elements on.
BLOB_ELEMENTS_MIN = 10
BUILD_INFO = {"coremlc-component-MIL": "3510.2.1", "coremlc-version": "3505.4.1"}
OP_INDENT = " " * 12

# kind of attribute: MIL dtype ("" is the dtype of the first operand)
KIND_DTYPES = {
    "int": "int32",
    "ints": "int32",
    "bool": "bool",
    "text": "string",
    "dtype": "string",
    "float": "",
}


def to_mil(
    graph: Graph,
    dialect: Mapping[str, str],
    blob: BlobWriter | None = None,
    tensors: Mapping[str, Any] | None = None,
) -> str:
    """The program. Weights are taken from `tensors` into `blob`; OrionError when one is missing."""
    return Writer(graph, Literals(dialect["program"]), blob or BlobWriter(), tensors or {}).program(
        dialect
    )


class Writer:
    """Collects the lines of one program."""

    def __init__(
        self,
        graph: Graph,
        literals: Literals,
        blob: BlobWriter,
        tensors: Mapping[str, Any],
    ) -> None:
        self.graph = graph
        self.literals = literals
        self.blob = blob
        self.tensors = tensors
        self.lines: list[str] = []
        self.names = {value.name for node in graph.nodes for value in node.results}
        self.shared: dict[str, str] = {}

    def program(self, dialect: Mapping[str, str]) -> str:
        ports = sorted(self.graph.inputs, key=lambda node: node.result.name)
        parameters = ", ".join(self.declaration(node.result) for node in ports)
        for node in self.graph.nodes:
            self.write(node)
        returned = ", ".join(output.value.name for output in self.graph.outputs)
        return "\n".join(
            [
                f"program({dialect['program']})",
                f"[buildInfo = {self.literals.build_info(BUILD_INFO)}]",
                "{",
                f"    func main<{dialect['opset']}>({parameters}) {{",
                *self.lines,
                f"        }} -> ({returned});",
                "}",
            ]
        )

    def write(self, node: Node) -> None:
        if node.op == "input":
            return
        if node.op in ("weight", "constant"):
            self.write_constant(node)
            return
        results = ", ".join(self.declaration(value) for value in node.results)
        spelling = node.row.mil
        assert spelling is not None
        name = {"name": self.text(node.results[0].name)}
        if spelling.inline:
            self.line(f"{results} = {spelling.op}()", {**self.literal_arguments(node), **name})
            return
        arguments = ", ".join(f"{k} = {v}" for k, v in sorted(self.arguments(node).items()))
        self.line(f"{results} = {spelling.op}({arguments})", name)

    def write_constant(self, node: Node) -> None:
        value = node.result
        if value.users and all(is_inline(user) for user in value.users):
            return
        attributes = {"name": self.text(value.name), "val": self.constant_literal(node)}
        self.line(f"{self.declaration(value)} = const()", attributes)

    def constant_literal(self, node: Node) -> str:
        value = node.result
        if node.op == "weight":
            offset = self.blob.add(node["key"], self.tensor(node), value.type.dtype)
            return self.blob_literal(value, offset)
        if value.type.is_float and value.type.size >= BLOB_ELEMENTS_MIN:
            offset = self.blob.add_constant(value.name, node["value"], value.type.dtype)
            return self.blob_literal(value, offset)
        return self.literals.literal(value.type.dtype, node["value"])

    def blob_literal(self, value: Value, offset: int) -> str:
        return self.literals.blob(value.type.dtype, value.type.shape, WEIGHT_PATH, offset)

    def tensor(self, node: Node) -> Any:
        key = node["key"]
        if key not in self.tensors:
            raise OrionError(f"the checkpoint has no tensor {key}, which the model needs")
        array = weight_part(node, self.tensors[key])
        if array.shape != node.result.type.shape:
            raise OrionError(
                f"tensor {key} has shape {list(self.tensors[key].shape)}, the model reads it as"
                f" {node.result.type}"
            )
        return array

    def arguments(self, node: Node) -> dict[str, str]:
        """Every argument by MIL's name: operands, attributes, and what the row fixes."""
        spelling = node.row.mil
        assert spelling is not None
        names = [value.name for value in node.operands]
        if node.row.is_variadic:
            arguments = {spelling.operands[0]: f"({', '.join(names)})"}
        else:
            arguments = dict(zip(spelling.operands, names, strict=True))
        for row in node.row.attribute_rows:
            argument = spelling.renames.get(row.name, row.name)
            dtype = KIND_DTYPES[row.kind]
            arguments[argument] = self.argument(node, argument, dtype, node[row.name])
        for argument, value in spelling.fixed.items():
            arguments[argument] = self.argument(node, argument, fixed_dtype(value), value)
        return arguments

    def literal_arguments(self, node: Node) -> dict[str, str]:
        """As `arguments`, with each constant where its name would stand."""
        spelling = node.row.mil
        assert spelling is not None
        literals = {
            argument: self.constant_literal(value.node)
            for argument, value in zip(spelling.operands, node.operands, strict=True)
        }
        for row in node.row.attribute_rows:
            argument = spelling.renames.get(row.name, row.name)
            literals[argument] = self.literals.literal(KIND_DTYPES[row.kind], node[row.name])
        for argument, value in spelling.fixed.items():
            literals[argument] = self.literals.literal(fixed_dtype(value), value)
        return literals

    def argument(self, node: Node, argument: str, dtype: str, value: Any) -> str:
        """Name of the constant for an argument, written before its first use."""
        literal = self.literals.literal(dtype or node.operands[0].type.dtype, value)
        key = f"{argument} {literal}"
        if key not in self.shared:
            self.shared[key] = self.fresh(argument)
            declared = literal[: literal.index("(")]
            attributes = {"name": self.text(self.shared[key]), "val": literal}
            self.line(f"{declared} {self.shared[key]} = const()", attributes)
        return self.shared[key]

    def fresh(self, base: str) -> str:
        number = 0
        while f"{base}_{number}" in self.names:
            number += 1
        self.names.add(f"{base}_{number}")
        return f"{base}_{number}"

    def declaration(self, value: Value) -> str:
        return f"{self.literals.type(value.type.dtype, value.type.shape)} {value.name}"

    def text(self, value: str) -> str:
        return self.literals.literal("string", value)

    def line(self, statement: str, attributes: Mapping[str, str]) -> None:
        pairs = ", ".join(f"{k} = {v}" for k, v in sorted(attributes.items()))
        self.lines.append(f"{OP_INDENT}{statement}[{pairs}];")


def is_inline(node: Node) -> bool:
    return node.row.mil is not None and node.row.mil.inline


def fixed_dtype(value: Any) -> str:
    """MIL's dtype of an argument that a row fixes."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, np.int8):
        return "int8"
    return "" if isinstance(value, float) else "int32"
