"""What a step's share of one layer costs, with weights as inputs and with weights reloaded.

Seconds of the device: predicted ones where it is played in software, those of the clock elsewhere.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from ...compile.training import Call, TrainingPlan, with_constants
from ..machine import DeviceMachine, DeviceProgram
from .held_weights import held_weights
from .reload import Probe

# Rounds of which the fastest counts.
ROUNDS = 3


def inputs_and_reload(machine: DeviceMachine, plan: TrainingPlan) -> tuple[float, float]:
    """Seconds of the first layer's calls in `plan`, whose weights are inputs, and of the same calls
    to programs that hold them and are reloaded before.
    """
    layer = first_layer(plan)
    return seconds(machine, layer), seconds(machine, with_constants(layer))


def first_layer(plan: TrainingPlan) -> TrainingPlan:
    """The calls that read the first stream, or give its gradient."""
    calls = tuple(
        call
        for call in plan.calls
        if isinstance(call, Call)
        and ("h:0" in call.inputs.values() or "d:0" in call.outputs.values())
    )
    names = {call.program for call in calls}
    programs = {name: row for name, row in plan.programs.items() if name in names}
    return replace(plan, calls=calls, programs=programs)


def seconds(machine: DeviceMachine, plan: TrainingPlan) -> float:
    programs: list[tuple[DeviceProgram, Probe]] = []
    for name, planned in plan.programs.items():
        numbers = {row.name: np.zeros(row.shape, row.dtype) for row in held_weights(plan, planned)}
        programs.append((machine.program(planned, numbers), Probe(plan, machine, name)))
    best = min(round_of(machine, programs) for _ in range(ROUNDS))
    for program, _ in programs:
        program.close()
    return best


def round_of(machine: DeviceMachine, programs: list[tuple[DeviceProgram, Probe]]) -> float:
    before, begun = machine.counters()["virtual_s"], time.perf_counter()
    for program, probe in programs:
        if program.is_patchable:
            program.program.reload()
        probe.run(program)
    predicted = float(machine.counters()["virtual_s"] - before)
    return predicted or time.perf_counter() - begun
