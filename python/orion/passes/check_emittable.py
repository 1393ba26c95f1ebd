"""Refuse a graph that the profile's device would refuse; changes nothing.

Every op has a spelling in MIL and is not among the profile's refused ops; ports are as wide as it
wants, no axis is longer and no rank higher than its limits, and no convolution sums over more
channels. The last check before MIL is written: a model that fails here needs another pass, and the
error says for which op.
"""

from collections.abc import Mapping
from typing import Any

from ..errors import OrionError
from ..ir import Graph, Node, Value
from ..ir.text import node_text


def check_emittable(graph: Graph, profile: Mapping[str, Any]) -> None:
    refused = {row["op"]: row["rule"] for row in profile["refused_ops"]}
    for node in graph.nodes:
        spelling = node.row.mil
        if spelling is None and not node.row.source:
            raise OrionError(f"{node.op} has no spelling in MIL: {node_text(node)}")
        if spelling is not None and spelling.op in refused:
            raise OrionError(
                f"{profile['name']} refuses {spelling.op} (rule {refused[spelling.op]}):"
                f" {node_text(node)}"
            )
        if spelling is not None and spelling.op == "conv":
            check_convolution(node, profile)
        for value in node.results:
            check_size(value, profile)
    ports = [node.result for node in graph.inputs] + [output.value for output in graph.outputs]
    for value in ports:
        check_port(value, profile)


def check_convolution(node: Node, profile: Mapping[str, Any]) -> None:
    limit = profile["limits"]["conv_input_channels_max"]
    channels = node.operands[0].type.shape[1]
    if channels > limit:
        raise OrionError(
            f"{profile['name']} takes a convolution over at most {limit} channels, but there are"
            f" {channels}: {node_text(node)}"
        )


def check_size(value: Value, profile: Mapping[str, Any]) -> None:
    limits = profile["limits"]
    shape = value.type.shape
    longest = {
        "rank": (len(shape), limits["rank_max"]),
        "channel count": (shape[-3] if len(shape) > 2 else 1, limits["axis_channels_max"]),
        "width": (max(shape[-2:], default=1), limits["axis_width_max"]),
    }
    for what, (length, limit) in longest.items():
        if length > limit:
            raise OrionError(
                f"{profile['name']} takes a {what} of at most {limit}, but %{value.name} is"
                f" {value.type}"
            )


def check_port(value: Value, profile: Mapping[str, Any]) -> None:
    limits = profile["limits"]
    width = value.type.shape[-1] if value.type.shape else 1
    if width < limits["width_min"] or width % limits["width_multiple"]:
        raise OrionError(
            f"{profile['name']} takes ports of a width from {limits['width_min']} in multiples of"
            f" {limits['width_multiple']}, but %{value.name} is {value.type}"
        )
