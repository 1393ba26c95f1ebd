"""What a request of a graph takes on a chip, by the profile's coefficients: a prediction.

    seconds = dispatch + max(products, memory) + passes

`CostModel.swift` is the same formula over MIL text, and the simulator's clock; both add and
multiply in one order, so that they agree to the last digit. Reads no weights and runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np

from ..ir import Graph, Node, Value
from ..ir.types import DTYPES

# Smaller constants stand in the program.
STREAMED_ELEMENTS_MIN = 16
PRODUCTS = ("matmul", "conv")
# Operations of a product, of a multiplication and an addition each.
FLOPS_OF_A_STEP = 2


@dataclass(frozen=True)
class OpWork:
    """`amount`: operations of a matmul or conv, elements of a softmax or norm, bytes of a pass.

    `largest_bytes`: of its results and of the operands that are no constants.
    """

    op: str
    name: str
    kind: str
    amount: float
    result_bytes: int = 0
    width: int = 0
    largest_bytes: int = 0


@dataclass(frozen=True)
class Work:
    """In bytes, as the device stores them. `weights`: constants that come from memory."""

    inputs: int = 0
    outputs: int = 0
    weights: int = 0
    ops: tuple[OpWork, ...] = field(default=(), repr=False)

    @property
    def touched(self) -> int:
        return self.weights + self.inputs + sum(op.result_bytes for op in self.ops)

    @property
    def flops(self) -> float:
        return sum(op.amount for op in self.ops if op.kind in PRODUCTS)


@dataclass(frozen=True)
class Time:
    """Seconds: handing over; products; what moves meanwhile; element-wise ops; all. And joules."""

    dispatch: float
    products: float
    memory: float
    passes: float
    seconds: float
    joules: float

    @property
    def bound(self) -> str:
        """What most of the time goes to: "dispatch", "bandwidth" or "compute"."""
        if self.dispatch >= max(self.products, self.memory) + self.passes:
            return "dispatch"
        is_moving = self.memory > self.products and self.memory >= self.passes
        return "bandwidth" if is_moving else "compute"


def predict(work: Work, cost: Mapping[str, Any]) -> Time:
    """`cost` as a profile has it."""
    products: float = effective(work.ops, "matmul", cost) / cost["matmul_flops"]
    products += effective(work.ops, "conv", cost) / cost["conv_flops"]
    if work.touched > cost["program_bytes_max"]:
        products *= cost["program_slowdown"]
    memory = quotient(work.weights, cost["weight_bytes"])
    memory += quotient(work.inputs, cost["input_bytes"])
    memory += quotient(work.outputs, cost["output_bytes"])
    passes = quotient(effective(work.ops, "pass", cost), cost["weight_bytes"])
    passes += quotient(effective(work.ops, "softmax", cost), cost["softmax_elements"])
    passes += quotient(effective(work.ops, "norm", cost), cost["norm_elements"])
    active = max(products, memory) + passes
    dispatch = cost["dispatch_seconds"]
    return Time(dispatch, products, memory, passes, dispatch + active, cost["watts"] * active)


def effective(ops: Iterable[OpWork], kind: str, cost: Mapping[str, Any]) -> float:
    """The sum of a kind's amounts, each as many times as its op is slower than the best."""
    is_product = kind in PRODUCTS
    limits = {"pass": cost["op_bytes_max"], **dict.fromkeys(PRODUCTS, cost["program_bytes_max"])}
    limit = limits.get(kind, inf)
    multiple = cost["fast_width_multiple"]
    # Sums of whole numbers are exact in any order; by (is even, is large).
    sums = dict.fromkeys([(True, False), (False, False), (True, True), (False, True)], 0.0)
    for op in ops:
        if op.kind == kind:
            is_even = not is_product or op.width % multiple == 0
            sums[is_even, op.largest_bytes > limit] += op.amount
    uneven = cost["uneven_slowdown"]
    fitting = sums[True, False] + sums[False, False] * uneven
    large = sums[True, True] + sums[False, True] * uneven
    return float(fitting + large * cost["slowdown"])


def quotient(amount: float, rate: float) -> float:
    return amount / rate if rate > 0 else 0.0


def compile_seconds(weights: int, cost: Mapping[str, Any]) -> float:
    """Of a program with so many bytes of weights."""
    return float(cost["compile_seconds"] + weights * cost["compile_seconds_per_byte"])


def work_of(graph: Graph, profile: Mapping[str, Any]) -> Work:
    """Of a graph after its passes for `profile`."""
    width = 2 if profile["arithmetic"]["storage"] == "fp16" else 4
    kinds = {op: kind for kind, ops in profile["op_kinds"].items() for op in ops}
    weights = sum(
        size(node.result, width)
        for node in graph.walk("weight", "constant")
        if node.result.users and node.result.type.size >= STREAMED_ELEMENTS_MIN
    )
    stored: set[Value] = set()
    ops = []
    for node in graph.nodes:
        live = [v for v in node.operands if not is_constant(v.node) and v not in stored]
        if node.operands and not live:
            stored.update(node.results)
        elif not node.row.source:
            ops.append(op_work(node, live, kinds, width))
    return Work(
        sum(size(node.result, width) for node in graph.inputs),
        sum(size(output.value, width) for output in graph.outputs),
        weights,
        tuple(ops),
    )


def is_constant(node: Node) -> bool:
    return node.op in ("weight", "constant")


def size(value: Value, width: int) -> int:
    """`width`: of fp32 on the device, in bytes."""
    dtype = value.type.dtype
    return value.type.size * (width if dtype == "fp32" else np.dtype(DTYPES[dtype]).itemsize)


def op_work(node: Node, live: list[Value], kinds: Mapping[str, str], width: int) -> OpWork:
    spelled = node.row.mil.op if node.row.mil else node.op
    result = node.results[0]
    made = sum(size(value, width) for value in node.results)
    kind, amount = kinds.get(spelled, "pass"), float(made)
    if spelled in PRODUCTS:
        kind, amount = spelled, float(FLOPS_OF_A_STEP * result.type.size * inner_size(node))
    elif kind == "free":
        amount = 0.0
    elif kind != "pass":
        amount = float(result.type.size)
    largest = max(size(value, width) for value in [*live, *node.results])
    shape = result.type.shape
    return OpWork(spelled, result.name, kind, amount, made, shape[-1] if shape else 1, largest)


def inner_size(node: Node) -> int:
    """Over how many products an element of a matmul or a convolution of one tap sums."""
    if node.op == "matmul":
        return int(node.x.type.shape[-2 if node["transpose_x"] else -1])
    return int(node.weight.type.shape[1])
