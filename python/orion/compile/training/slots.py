"""The slots that calls name: type, what they are for, and between which calls they are in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...ir import TensorType
from ..manifest import Program
from .plan import (
    CONSTANT,
    DROPOUT,
    GRADIENT,
    PARAMETER,
    VALUE,
    Call,
    HostCall,
    ParameterLayout,
    Slot,
)

KINDS = {
    "w": PARAMETER,
    "adapter": PARAMETER,
    "g": GRADIENT,
    "h": VALUE,
    "d": VALUE,
    "t": VALUE,
    "logits": VALUE,
    "dlogits": VALUE,
    "dropout": DROPOUT,
}


def make_slots(
    calls: Sequence[Call | HostCall],
    programs: Mapping[str, Program],
    layouts: Mapping[str, ParameterLayout],
) -> dict[str, Slot]:
    """In the order in which calls first name them."""
    spans: dict[str, tuple[int, int]] = {}
    for index, call in enumerate(calls):
        for name in [*call.inputs.values(), *call.outputs.values()]:
            spans[name] = (spans.get(name, (index, index))[0], index)
    types = port_types(calls, programs)
    last = len(calls) - 1
    slots = {}
    for name, (first, final) in spans.items():
        kind, key, row = described(name, layouts)
        type = types.get(name) or host_type(layouts[key or ""])
        always = kind in (PARAMETER, CONSTANT)
        slots[name] = Slot(
            name,
            kind,
            type.dtype,
            type.shape,
            0 if always or kind == DROPOUT else first,
            last if always else final,
            key,
            row,
            name[1:] if name.startswith("dlogits:") else None,
        )
    return slots


def port_types(
    calls: Sequence[Call | HostCall], programs: Mapping[str, Program]
) -> dict[str, TensorType]:
    """Of every slot that a program reads or writes."""
    types: dict[str, TensorType] = {}
    for call in calls:
        if isinstance(call, Call):
            graph = programs[call.program].graph
            for node in graph.inputs:
                types[call.inputs[node.result.name]] = node.result.type
            for output in graph.outputs:
                types[call.outputs[output.name]] = output.value.type
    return types


def host_type(layout: ParameterLayout) -> TensorType:
    """Parameters that the host alone reads are in fp32."""
    return TensorType("fp32", layout.stored)


def described(name: str, layouts: Mapping[str, ParameterLayout]) -> tuple[str, str | None, int]:
    """Kind, and for slots of parameters the key and the row with which it begins."""
    head, _, rest = name.partition(":")
    kind = KINDS.get(head, CONSTANT) if rest else CONSTANT
    if kind not in (PARAMETER, GRADIENT):
        return kind, None, 0
    if rest in layouts:
        return kind, rest, 0
    key, _, row = rest.rpartition(":")
    return kind, key, int(row)
