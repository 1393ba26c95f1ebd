"""Where a graph meets its weights, in the layouts that a plan has chosen; knows no model.

    %w = weight fp32 [8, 4, 1, 1] key="model.layers.3.mlp.up_proj.weight"
    %y = linear %x %w

becomes, where the layout turns the matrix over,

    %w = input fp32 [1, 4, 1, 8]
    %y = reshape (matmul (reshape %w [1, 1, 4, 8]) (reshape %x [1, 1, 4, N]) transpose_x=true)

so that product and gradients run over the memory as it lies. Ports are named after the key without
what tells one layer from another, so that layers of one shape become one program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...ir import Graph, Node, Value
from .layout import TURNED
from .plan import ParameterLayout

# What a key has before the name of a weight in its layer, with the layer's number.
LAYER = re.compile(r"^.*?\.(\d+)\.")


@dataclass(frozen=True)
class WeightPort:
    """A parameter in a graph, or a tile of it from `first_row` on: an input."""

    name: str
    value: Value
    layout: ParameterLayout
    first_row: int | None = None

    @property
    def key(self) -> str:
        return self.layout.key

    @property
    def place(self) -> str:
        """What follows `w:` and `g:` in the name of a slot."""
        return self.key if self.first_row is None else f"{self.key}:{self.first_row}"


def short_name(key: str) -> str:
    return re.sub(r"\W", "_", LAYER.sub("", key))


def read_weights(graph: Graph, layouts: Mapping[str, ParameterLayout]) -> list[WeightPort]:
    """Makes an input of every weight; all, in order of the nodes."""
    ports: dict[tuple[str, int | None], WeightPort] = {}
    replaced = []
    for node in graph.walk("weight"):
        layout = layouts[node["key"]]
        place = (node["key"], node["first"])
        if place not in ports:
            ports[place] = make_port(graph, node, layout)
        read_weight(graph, node, layout, ports[place].value)
        replaced.append(node)
    graph.drop(replaced)
    return list(ports.values())


def port_name(node: Node) -> str:
    first = node["first"]
    return f"w_{short_name(node['key'])}" + ("" if first is None else f"_{first}")


def make_port(graph: Graph, node: Node, layout: ParameterLayout) -> WeightPort:
    name, shape = port_name(node), stored_shape(node, layout)
    with graph.before(node):
        value = graph.input(name, node.result.type.dtype, shape, f"weight name={name[2:]}")
    return WeightPort(name, value, layout, node["first"])


def stored_shape(node: Node, layout: ParameterLayout) -> tuple[int, ...]:
    """The layout's, of which a tile has fewer rows."""
    if node["first"] is None:
        return layout.stored
    return (1, node.result.type.shape[0], 1, layout.stored[-1])


def read_weight(graph: Graph, node: Node, layout: ParameterLayout, port: Value) -> None:
    for user in list(dict.fromkeys(node.result.users)):
        if user.op == "linear" and user.weight is node.result:
            with graph.before(user), graph.scope(user.result.name):
                product = multiply(graph, matrix(graph, layout, port), user.x, layout)
            graph.replace(user.result, product)
            graph.drop([user])
    if node.result.users:
        with graph.before(node), graph.scope(node.result.name):
            whole = matrix(graph, layout, port)
            if layout.order == TURNED:
                whole = graph.transpose(whole, perm=(0, 1, 3, 2))
            shaped = graph.reshape(whole, shape=node.result.type.shape)
        graph.replace(node.result, shaped)


def matrix(g: Graph, layout: ParameterLayout, port: Value) -> Value:
    """[1, 1, rows, width] without the padding."""
    _, rows, _, width = port.type.shape
    whole = g.reshape(port, shape=(1, 1, rows, width))
    if not layout.padding:
        return whole
    return g.slice(whole, begin=(0, 0, 0, 0), size=(1, 1, rows, width - layout.padding))


def multiply(g: Graph, weight: Value, x: Value, layout: ParameterLayout) -> Value:
    """weight [1, 1, ..] times x [1, C, 1, N]."""
    _, channels, height, width = x.type.shape
    columns = g.reshape(x, shape=(1, 1, channels, height * width))
    product = g.matmul(weight, columns, transpose_x=layout.order == TURNED)
    return g.reshape(product, shape=(1, product.type.shape[2], height, width))


def signature(graph: Graph) -> tuple[object, ...]:
    """Equal for graphs that differ in the names of their inner values alone."""
    numbers: dict[Value, object] = {}
    lines: list[object] = []
    for node in graph.nodes:
        for index, value in enumerate(node.results):
            is_port = node.op == "input"
            numbers[value] = value.name if is_port else (len(lines), index)
        attributes: Mapping[str, object] = node.attributes
        plain = tuple(
            value.tobytes() if hasattr(value, "tobytes") else value for value in attributes.values()
        )
        lines.append((node.op, tuple(numbers[value] for value in node.operands), plain))
    outputs = tuple((output.name, numbers[output.value]) for output in graph.outputs)
    return (*lines, outputs)
