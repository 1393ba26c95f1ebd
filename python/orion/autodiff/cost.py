"""What it costs to keep a value between two programs, and to compute it again; in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from ..ir import Node, Value
from ..ir.ops import elementwise

BYTES = {"fp32": 4, "fp16": 2, "int32": 4, "int8": 1, "bool": 1}
# A kept value is written and read, and the memory it holds in between counts as much again.
PASSES_TO_KEEP = 4
# Ops that move nothing.
FREE = frozenset({"reshape", "identity"})
# Element-wise ops run in one pass with their neighbours.
PASSES_OF_ELEMENTS = 0.25
ELEMENTWISE = frozenset(row.name for row in elementwise.ROWS)
# Short products, of which alone it can pay, reach about this share of the profile's rate.
SHARE_OF_RATE = 1 / 3
# Axes of a port.
RANK_MAX = 4


class Costs:
    """Rates are the profile's; floats count as wide as it computes them."""

    def __init__(self, profile: Mapping[str, Any]) -> None:
        self.limits = profile["limits"]
        self.width = BYTES[profile["preferences"]["activation"]]
        self.seconds_a_byte = 1 / profile["cost"]["weight_bytes"]
        self.seconds_a_flop = 1 / (SHARE_OF_RATE * profile["cost"]["matmul_flops"])

    def keep(self, value: Value) -> float:
        """Infinite for what the profile does not take as a port."""
        shape = value.type.shape
        width = shape[-1] if shape else 0
        fits = (
            value.type.is_float
            and 0 < len(shape) <= RANK_MAX
            and width >= self.limits["width_min"]
            and width % self.limits["width_multiple"] == 0
        )
        return PASSES_TO_KEEP * self.bytes(value) * self.seconds_a_byte if fits else inf

    def again(self, node: Node) -> float:
        """Its multiplications, and one pass over its results, or for element-wise ops a part."""
        if node.op in FREE:
            return 0.0
        moved = sum(self.bytes(value) for value in node.results)
        passes = PASSES_OF_ELEMENTS if node.op in ELEMENTWISE else 1.0
        return flops(node) * self.seconds_a_flop + passes * moved * self.seconds_a_byte

    def bytes(self, value: Value) -> int:
        return value.type.size * (self.width if value.type.is_float else BYTES[value.type.dtype])


def flops(node: Node) -> int:
    """Of matrix products; of other ops none."""
    if node.op == "matmul":
        inner = node.x.type.shape[-2 if node["transpose_x"] else -1]
        return 2 * int(node.result.type.size) * int(inner)
    if node.op == "linear":
        return 2 * int(node.result.type.size) * int(node.x.type.shape[1])
    if node.op == "attention":
        keys = node.operands[1::3]
        positions = sum(key.type.shape[-1] for key in keys)
        return 4 * int(node.result.type.size) * int(positions)
    return 0
