"""Give every float the dtype that the profile computes activations in.

    %x = input fp32 [1, 4, 1, 32]        becomes    %x = input fp16 [1, 4, 1, 32]
    %y = exp %x : fp32 [1, 4, 1, 32]                %y = exp %x : fp16 [1, 4, 1, 32]

Models are written in fp32 and know nothing of it. A constant that the dtype cannot hold is an
error; weights are checked when their file is written.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import OrionError
from ..ir import Graph, Node
from ..ir.graph import infer
from ..ir.types import DTYPES


def choose_precision(graph: Graph, profile: Mapping[str, Any]) -> None:
    target = profile["preferences"]["activation"]
    if target == "fp32":
        return
    for node in graph.nodes:
        if node.attributes.get("dtype") == "fp32":
            node.attributes["dtype"] = target
        if node.op == "constant":
            node.attributes["value"] = converted(node)
        types = infer(node.row, [value.type for value in node.operands], node.attributes)
        for value, inferred in zip(node.results, types, strict=True):
            value.type = inferred


def converted(node: Node) -> np.ndarray:
    value: np.ndarray = node["value"]
    with np.errstate(over="ignore"):
        array = value.astype(DTYPES[node["dtype"]])
    if not np.array_equal(np.isfinite(array), np.isfinite(value)):
        raise OrionError(
            f"constant {node.result.name} holds {value[np.isinf(array)].flat[0]}, which"
            f" {node['dtype']} cannot; use a profile that computes in fp32"
        )
    array.flags.writeable = False
    return array
