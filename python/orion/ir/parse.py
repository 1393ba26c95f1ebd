"""Reads a graph's text form. A fault is a ParseError with line and column; ops are the table's."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from .graph import Graph, Value
from .ops import TABLE
from .row import Attribute, ShapeError
from .types import DTYPES, TensorType

TOKEN = re.compile(
    r"""(?P<space>[ \t]+|;.*)
      | (?P<value>%[A-Za-z_][A-Za-z0-9_@]*)
      | (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<number>[-+]?(?:inf|nan|[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?)(?![A-Za-z_0-9]))
      | (?P<word>[A-Za-z_][A-Za-z0-9_@.]*)
      | (?P<mark>[=,:\[\]])""",
    re.VERBOSE,
)


class ParseError(ValueError):
    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(f"{line}:{column}: {message}")
        self.line = line
        self.column = column


@dataclass
class Token:
    kind: str
    text: str
    column: int


def parse(text: str) -> Graph:
    graph = Graph()
    values: dict[str, Value] = {}
    returned = False
    for number, line in enumerate(text.split("\n"), 1):
        reader = Line(line, number)
        if reader.at_end:
            continue
        if returned:
            reader.fail("nothing may follow `return`")
        if reader.take("word", "graph"):
            graph.name = reader.expect("word", "the graph's name").text
        elif reader.take("word", "return"):
            read_outputs(reader, graph, values)
            returned = True
        else:
            read_node(reader, graph, values)
        if not reader.at_end:
            reader.fail(f"expected the end of the line, found `{reader.here.text}`")
    return graph


def read_node(reader: Line, graph: Graph, values: dict[str, Value]) -> None:
    names = [reader.expect("value", "`%name = op ...`, `graph` or `return`")]
    while reader.take("mark", ","):
        names.append(reader.expect("value", "another result"))
    reader.expect("mark", "`=`", "=")
    op = reader.expect("word", "an op")
    if op.text not in TABLE:
        reader.fail(f"there is no op `{op.text}`", op)
    row = TABLE[op.text]
    for name in names:
        if name.text[1:] in values:
            reader.fail(f"{name.text} is defined twice", name)
    attributes: dict[str, Any] = {}
    if row.source:
        declared = read_type(reader)
        attributes |= {"dtype": declared.dtype, "shape": declared.shape}
    operands = []
    while (token := reader.take("value")) is not None:
        operands.append(known(reader, values, token))
    rows = {attribute.name: attribute for attribute in row.attribute_rows}
    while (token := reader.take("word")) is not None:
        if token.text not in rows:
            reader.fail(f"`{op.text}` has no attribute `{token.text}`", token)
        reader.expect("mark", "`=` and a value", "=")
        attributes[token.text] = read_attribute(reader, rows[token.text], attributes)
    try:
        node = graph.node(op.text, operands, attributes, [name.text[1:] for name in names])
    except ShapeError as error:
        reader.fail(str(error), op)
    except ValueError:
        reader.fail(f"`{op.text}` does not make {len(names)} results", op)
    values |= {value.name: value for value in node.results}
    if reader.take("mark", ":"):
        check_types(reader, node.results)


def check_types(reader: Line, results: list[Value]) -> None:
    for index, value in enumerate(results):
        if index > 0:
            reader.expect("mark", "`,` and the next type", ",")
        start = reader.here
        declared = read_type(reader)
        if declared != value.type:
            reader.fail(f"%{value.name} is {value.type}, not {declared}", start)


def read_outputs(reader: Line, graph: Graph, values: dict[str, Value]) -> None:
    while True:
        name = reader.take("word")
        if name is not None:
            reader.expect("mark", "`=` after an output's name", "=")
        token = reader.expect("value", "a value to return")
        role = reader.take("text")
        value = known(reader, values, token)
        graph.output(
            name.text if name else value.name, value, unquoted(role.text) if role else None
        )
        if not reader.take("mark", ","):
            return


def known(reader: Line, values: dict[str, Value], token: Token) -> Value:
    if token.text[1:] not in values:
        reader.fail(f"{token.text} is not defined before this line", token)
    return values[token.text[1:]]


def read_type(reader: Line) -> TensorType:
    dtype = reader.expect("word", "a dtype")
    if dtype.text not in DTYPES:
        reader.fail(f"expected one of {', '.join(DTYPES)}, found `{dtype.text}`", dtype)
    shape = read_list(reader)
    for length, token in shape:
        if not length.isdigit() or int(length) < 1:
            reader.fail(f"expected a positive length, found `{length}`", token)
    return TensorType(dtype.text, tuple(int(length) for length, _ in shape))


def read_list(reader: Line) -> list[tuple[str, Token]]:
    reader.expect("mark", "`[`", "[")
    items: list[tuple[str, Token]] = []
    while not reader.take("mark", "]"):
        if items:
            reader.expect("mark", "`,` or `]`", ",")
        token = reader.take("word") or reader.expect("number", "a number")
        items.append((token.text, token))
    return items


def read_attribute(reader: Line, row: Attribute, before: dict[str, Any]) -> Any:
    start = reader.here
    try:
        if row.kind in ("ints", "shape"):
            return tuple(int(item) for item, _ in read_list(reader))
        if row.kind == "array":
            return read_array(reader, before["dtype"], before["shape"])
        if row.kind == "text":
            return unquoted(reader.expect("text", "a text in quotes").text)
        word = reader.take("word") or reader.expect("number", f"a value of kind {row.kind}")
        return SCALARS[row.kind](word.text)
    except (ValueError, KeyError) as error:
        if isinstance(error, ParseError):
            raise
        reader.fail(f"`{row.name}` is of kind {row.kind}: {error}", start)


def read_array(reader: Line, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """One number for all, a flat list, or base64 of the little-endian bytes."""
    kind = np.dtype(DTYPES[dtype])
    if (encoded := reader.take("text")) is not None:
        data = base64.b64decode(encoded.text[1:-1], validate=True)
        array = np.frombuffer(data, kind.newbyteorder("<")).astype(kind).reshape(shape)
    elif reader.here.text == "[":
        items = [element(item, dtype) for item, _ in read_list(reader)]
        array = np.array(items, kind).reshape(shape)
    else:
        word = reader.take("word") or reader.expect("number", "a number")
        array = np.full(shape, element(word.text, dtype), kind)
    array.flags.writeable = False
    return array


def element(text: str, dtype: str) -> Any:
    return SCALARS["bool"](text) if dtype == "bool" else DTYPES[dtype](text)


def unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), text[1:-1])


SCALARS: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": lambda text: {"true": True, "false": False}[text],
    "dtype": lambda text: {dtype: dtype for dtype in DTYPES}[text],
}


class Line:
    """The tokens of one line, read from left to right."""

    def __init__(self, text: str, number: int) -> None:
        self.number = number
        self.tokens: list[Token] = []
        self.index = 0
        position = 0
        while position < len(text):
            match = TOKEN.match(text, position)
            if match is None:
                raise ParseError(number, position + 1, f"unexpected `{text[position]}`")
            if match.lastgroup != "space":
                self.tokens.append(Token(str(match.lastgroup), match[0], position + 1))
            position = match.end()
        self.end = Token("end", "end of line", len(text) + 1)

    @property
    def at_end(self) -> bool:
        return self.index == len(self.tokens)

    @property
    def here(self) -> Token:
        return self.end if self.at_end else self.tokens[self.index]

    def take(self, kind: str, text: str | None = None) -> Token | None:
        token = self.here
        if token.kind != kind or (text is not None and token.text != text):
            return None
        self.index += 1
        return token

    def expect(self, kind: str, what: str, text: str | None = None) -> Token:
        token = self.take(kind, text)
        if token is not None:
            return token
        return self.fail(f"expected {what}, found `{self.here.text}`")

    def fail(self, message: str, token: Token | None = None) -> NoReturn:
        raise ParseError(self.number, (token or self.here).column, message)
