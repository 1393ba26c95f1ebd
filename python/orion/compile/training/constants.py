"""A plan whose programs hold their weights as constants: one program for every place of the model.

The weight of slot `w:K` becomes the constant `K`, and the slots of parameters are gone: the host
finds them by key. What such programs compute is the same; an update changes their files, or them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...ir import Graph, Value
from ..manifest import Program
from .plan import PARAMETER, Call, HostCall, TrainingPlan


def with_constants(plan: TrainingPlan) -> TrainingPlan:
    """The same calls over programs of their own, without slots of parameters."""
    programs: dict[str, Program] = {}
    known: dict[tuple[str, tuple[str, ...]], str] = {}
    calls: list[Call | HostCall] = []
    for call in plan.calls:
        if isinstance(call, HostCall):
            calls.append(call)
            continue
        held = {
            port: slot for port, slot in call.inputs.items() if plan.slots[slot].kind == PARAMETER
        }
        identity = (call.program, tuple(held.values()))
        if identity not in known:
            name = f"{call.program}_{len(programs)}"
            known[identity] = name
            keys = {port: slot.split(":", 1)[1] for port, slot in held.items()}
            graph = hold(plan.programs[call.program].graph, keys, name)
            programs[name] = Program(name, graph)
        rest = {port: slot for port, slot in call.inputs.items() if port not in held}
        calls.append(Call(known[identity], rest, call.outputs))
    return replace(
        plan,
        programs=programs,
        calls=tuple(calls),
        slots={name: slot for name, slot in plan.slots.items() if slot.kind != PARAMETER},
    )


def hold(graph: Graph, keys: Mapping[str, str], name: str) -> Graph:
    """A copy in which the inputs that `keys` names are weights."""
    copy = Graph(name)
    values: dict[Value, Value] = {}
    for node in graph.nodes:
        if node.op == "input" and node.result.name in keys:
            kind, port = node.result.type, node.result.name
            values[node.result] = copy.weight(keys[port], kind.dtype, kind.shape, port)
            continue
        operands = [values[operand] for operand in node.operands]
        made = copy.node(
            node.op, operands, dict(node.attributes), [value.name for value in node.results]
        )
        values.update(zip(node.results, made.results, strict=True))
    for output in graph.outputs:
        copy.output(output.name, values[output.value], output.role)
    return copy


def weights_of(program: Program) -> list[str]:
    """The constants that such a program holds, as `tensors` of `program_text` has to name them."""
    return list(dict.fromkeys(node["key"] for node in program.graph.walk("weight")))
