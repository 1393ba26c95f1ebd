"""A graph as text for people, tests and reports; `parse` reads it back exactly.

graph layer
%x = input fp16 [1, 4, 1, 16] role="embedding table=embedding"
%w = weight fp16 [4, 4, 1, 1] key="model.layers.0.mlp.up_proj.weight"
%y = linear %x %w : fp16 [1, 4, 1, 16]
%a, %b = split %y axis=1 sizes=[2, 2] : fp16 [1, 2, 1, 16], fp16 [1, 2, 1, 16]
return %a "hidden", logits = %b
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from .graph import Graph, Node, Output

# Longer constants are written in base64, which no one reads but which stays exact.
READABLE_ELEMENTS = 256


def to_text(graph: Graph) -> str:
    lines = [f"graph {graph.name}"]
    lines += [node_text(node) for node in graph.nodes]
    if graph.outputs:
        lines.append("return " + ", ".join(output_text(output) for output in graph.outputs))
    return "\n".join(lines) + "\n"


def node_text(node: Node) -> str:
    results = ", ".join(f"%{value.name}" for value in node.results)
    words = [results, "=", node.op]
    if node.row.source:
        words.append(str(node.result.type))
    words += [f"%{value.name}" for value in node.operands]
    for attribute in node.row.attribute_rows:
        value = node.attributes.get(attribute.name)  # a broken node prints too
        is_type = node.row.source and attribute.name in ("dtype", "shape")
        if value is not None and not is_type:
            words.append(f"{attribute.name}={attribute_text(attribute.kind, value)}")
    if not node.row.source:
        words += [":", ", ".join(str(value.type) for value in node.results)]
    return " ".join(words)


def output_text(output: Output) -> str:
    value = f"%{output.value.name}"
    text = value if output.name == output.value.name else f"{output.name} = {value}"
    return text if output.role is None else f"{text} {quoted(output.role)}"


def attribute_text(kind: str, value: Any) -> str:
    if kind == "bool":
        return "true" if value else "false"
    if kind in ("ints", "shape"):
        return f"[{', '.join(map(str, value))}]"
    if kind == "float":
        return repr(float(value))
    if kind == "text":
        return quoted(value)
    if kind == "array":
        return array_text(value)
    return str(value)


def array_text(array: np.ndarray) -> str:
    """One number when all elements are it, a flat list when short, else the bytes."""
    flat = array.reshape(-1)
    bits = flat.view(f"u{flat.itemsize}") if flat.size else flat
    if flat.size and (bits == bits[0]).all():
        return number_text(flat[0])
    if flat.size <= READABLE_ELEMENTS:
        return f"[{', '.join(number_text(element) for element in flat)}]"
    little = flat.astype(flat.dtype.newbyteorder("<"))
    return f'"{base64.b64encode(little.tobytes()).decode()}"'


def number_text(element: Any) -> str:
    """The shortest decimal that reads back as the same number of this dtype."""
    if isinstance(element, np.bool_):
        return "true" if element else "false"
    if isinstance(element, np.integer):
        return str(int(element))
    return str(element)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
