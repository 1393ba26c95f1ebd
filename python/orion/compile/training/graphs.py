"""The graphs of a step as a family builds them: what comes before the layers, a layer, the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import OrionError
from ...ir import Graph, Value
from .sequences import fold_sequences

EMBEDDING = "embedding table="
POSITIONS = "position_table table="


@dataclass(frozen=True)
class Size:
    sequence: int
    batch: int

    @property
    def columns(self) -> int:
        return self.sequence * self.batch


def layer_graph(family: Any, config: Any, layer: int, size: Size) -> Graph:
    """One layer from the stream `x` to `hidden`; nothing is cached and nothing comes before it."""
    graph = family.build(config, size.columns, 0, (layer,))
    graph.name = "layer"
    graph.outputs = [output for output in graph.outputs if output.name == "hidden"]
    if layer == 0:
        cut_entry(graph, entry_graph(family, config, size))
    fold_sequences(graph, size.batch)
    (stream,) = [node for node in graph.inputs if node.result.name == "x"]
    stream.attributes["role"] = "hidden"
    drop_unread(graph)
    for node in graph.nodes:
        for value in node.results:
            graph.rename(value, value.name.removeprefix(f"l{layer}_"))
    return graph


def entry_graph(family: Any, config: Any, size: Size) -> Graph:
    """From table rows to the stream of the first layer."""
    graph: Graph = family.build(config, size.columns, 0, ())
    drop_unread(graph)
    return graph


def entry_tables(family: Any, config: Any, size: Size) -> dict[str, str]:
    """The tables whose rows add up to the stream of the first layer, each with its weight's key.

    The first is looked up by token, the others by position. OrionError when it is no such sum.
    """
    graph = entry_graph(family, config, size)
    keys: dict[str, str] = {}
    for node in graph.nodes:
        role = node.attributes.get("role") or ""
        key = family.tables(config).get(role.partition("=")[2])
        is_table = role.startswith((EMBEDDING, POSITIONS)) and isinstance(key, str)
        if node.op != "add" and not is_table:
            raise OrionError(
                f"a model is trained when rows of tables add up to its first stream; here"
                f" {node.op} %{node.results[0].name} is part of it"
            )
        if is_table:
            keys["embedding" if role.startswith(EMBEDDING) else "positions"] = str(key)
    return dict(sorted(keys.items()))


def cut_entry(graph: Graph, entry: Graph) -> None:
    """Makes the stream an input of a first layer that was built with what comes before it.

    Both were built by the same code, so the stream has the same name in both.
    """
    name = entry.outputs[0].value.name
    stream = find(graph, name)
    if stream.node.op == "input":
        return
    (start,) = [node for node in graph.inputs if node.result.name == "x"]
    graph.rename(start.result, "x_entry")
    with graph.before(stream.node):
        fresh = graph.input("x", stream.type.dtype, stream.type.shape)
    graph.replace(stream, fresh)


def find(graph: Graph, name: str) -> Value:
    (found,) = [v for node in graph.nodes for v in node.results if v.name == name]
    return found


def drop_unread(graph: Graph) -> None:
    """Drops nodes whose results nobody reads, inputs too."""
    live = {output.value.node for output in graph.outputs}
    dead = []
    for node in reversed(graph.nodes):
        if node in live:
            live |= {value.node for value in node.operands}
        else:
            dead.append(node)
    graph.drop(dead)


def head_graph(family: Any, config: Any, size: Size, profile: Any) -> Graph:
    """From the last stream to logits, in tiles that the profile takes as every axis they are."""
    names = ("axis_channels_max", "axis_width_max", "matmul_inner_max")
    tile = min(profile["limits"][name] for name in names)
    graph: Graph = family.head(config, size.columns, tile)
    graph.name = "head"
    return graph
