"""The definition: runs any graph in numpy. Every other executor is compared with this.

interpret(graph, {"x": array})                    exact: everything in float64
interpret(graph, {...}, weights, Arithmetic.declared())    each value stored as its type says
interpret(graph, {...}, weights, Arithmetic.of(profile))   as a device of that profile computes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .graph import Graph, Node
from .quantize import PARTS
from .types import DTYPES, FLOATS, TensorType

MATRIX_OPS = frozenset({"matmul", "linear"})


@dataclass(frozen=True)
class Arithmetic:
    """What happens to floats: `compute` is the type ops work in, `storage` what they leave.

    storage: "exact" keeps the computed value, "declared" rounds to the value's type, "fp16" rounds
    every float to fp16. Results of matrix products become infinite from `mac_overflows_at` on.
    """

    storage: str = "exact"
    compute: Any = np.float64
    mac_overflows_at: float | None = None
    hides_nan: bool = False

    @staticmethod
    def declared() -> Arithmetic:
        return Arithmetic("declared", np.float32)

    @staticmethod
    def of(profile: Mapping[str, Any]) -> Arithmetic:
        rules = profile["arithmetic"]
        if rules["storage"] == "declared":
            return Arithmetic.declared()
        limit, hides_nan = rules.get("mac_overflows_at"), rules.get("hides_nan", False)
        return Arithmetic(rules["storage"], np.float64, limit, hides_nan)

    def store(self, value: np.ndarray, type: TensorType) -> np.ndarray:
        """`value` as it is after it has been stored with this type, in the type ops compute in."""
        if type.dtype not in FLOATS:
            return value.astype(DTYPES[type.dtype], copy=False)
        if self.storage != "exact":
            value = value.astype(np.float16 if self.storage == "fp16" else DTYPES[type.dtype])
        value = value.astype(self.compute, copy=False)
        return np.where(np.isnan(value), np.inf, value) if self.hides_nan else value


EXACT = Arithmetic()


def interpret(
    graph: Graph,
    inputs: Mapping[str, Any],
    weights: Mapping[str, np.ndarray] | None = None,
    arithmetic: Arithmetic = EXACT,
) -> dict[str, np.ndarray]:
    """The outputs by name. ValueError when an input or weight is missing or of another shape."""
    values: dict[int, np.ndarray] = {}
    pending = {id(v): len(v.users) for node in graph.nodes for v in node.results}
    returned = {id(output.value) for output in graph.outputs}
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            operands = [values[id(value)] for value in node.operands]
            for value, array in zip(
                node.results, run(node, operands, inputs, weights or {}, arithmetic), strict=True
            ):
                values[id(value)] = array
            for value in node.operands:
                pending[id(value)] -= 1
                if pending[id(value)] == 0 and id(value) not in returned:
                    values.pop(id(value), None)
    return {output.name: values[id(output.value)] for output in graph.outputs}


def run(
    node: Node,
    operands: list[np.ndarray],
    inputs: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    arithmetic: Arithmetic,
) -> list[np.ndarray]:
    if node.row.source:
        return [arithmetic.store(bound(node, inputs, weights), node.result.type)]
    arguments: list[Any] = list(operands)
    if node.row.is_variadic:
        fixed = len(node.row.operand_names) - 1
        arguments = [*operands[:fixed], operands[fixed:]]
    results = node.row.meaning(*arguments, **node.attributes)
    results = results if isinstance(results, tuple) else (results,)
    if node.op in MATRIX_OPS and arithmetic.mac_overflows_at is not None:
        results = tuple(overflowed(r, arithmetic.mac_overflows_at) for r in results)
    return [
        arithmetic.store(np.asarray(result), value.type)
        for result, value in zip(results, node.results, strict=True)
    ]


def overflowed(result: np.ndarray, limit: float) -> np.ndarray:
    beyond = np.abs(result.astype(np.float16).astype(result.dtype)) >= limit
    return np.where(beyond, np.copysign(np.inf, result), result)


def bound(node: Node, inputs: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """The array that a source stands for."""
    if node.op == "constant":
        return np.asarray(node["value"])
    name = node.result.name if node.op == "input" else node["key"]
    given = inputs if node.op == "input" else weights
    if name not in given:
        raise ValueError(f"{node.op} {name} has no value; given: {', '.join(given) or 'none'}")
    array = np.asarray(given[name])
    if node.op == "weight":
        array = np.asarray(weight_part(node, array))
    if array.shape != node.result.type.shape:
        raise ValueError(f"{node.op} {name} is {node.result.type}, got shape {list(array.shape)}")
    return array


def weight_part(node: Node, tensor: Any) -> Any:
    """The elements of a checkpoint's tensor that a weight node stands for."""
    shape = node.result.type.shape
    if node["first"] is not None:
        whole = 1 if node["part"] == "scales" else tensor.size // len(tensor)
        tensor = tensor[node["first"] : node["first"] + node.result.type.size // whole]
    if node["part"] is not None:
        tensor = PARTS[node["part"]](tensor)
    return tensor.reshape(shape) if tensor.size == node.result.type.size else tensor
