"""Which way of changing weights a run takes: what was asked for, if the device lets it."""

from __future__ import annotations

from collections.abc import Callable

from ...compile.training import TrainingPlan, with_constants
from ..machine import DeviceMachine
from ..parameters import Parameters
from .base import Strategy
from .inputs import Inputs
from .measure import inputs_and_reload
from .recompile import Recompile
from .reload import Reload

WAYS: dict[str, Callable[[TrainingPlan, DeviceMachine, Parameters], Strategy]] = {
    way.name: way for way in (Inputs, Reload, Recompile)
}


def choose(asked: str, machine: DeviceMachine, plan: TrainingPlan) -> tuple[str, str | None]:
    """The way's name, and what the user should know of it. `plan` has weights as inputs.

    `reload` needs its canary: a device that serves old weights after a reload would learn nothing.
    `auto` takes what costs less of those that proved themselves.
    """
    device = machine.device
    if asked in (Inputs.name, Recompile.name) or (asked == "auto" and device.kind == "cpu"):
        # On `cpu` the tensors are the masters, and an update copies nothing.
        return (Inputs.name if asked == "auto" else asked), None
    proved = device.canary("reload") == "effective"
    if asked == "auto":
        return measured(machine, plan) if proved else (Inputs.name, None)
    if proved:
        return Reload.name, None
    return Inputs.name, (
        f"{device.name} ({device.profile}): --weight-update reload is refused, because a small"
        " program went on computing with its old weights after its file was patched and it was"
        " reloaded; weights are given as inputs instead"
    )


def measured(machine: DeviceMachine, plan: TrainingPlan) -> tuple[str, str]:
    inputs, reload = inputs_and_reload(machine, plan)
    name = Reload.name if reload < inputs else Inputs.name
    return name, (
        f"--weight-update auto: {name}; a layer's share of a step takes {inputs * 1e3:.3g} ms of"
        f" {machine.name} with weights as inputs, {reload * 1e3:.3g} ms with a reload"
    )


def plan_for(name: str, plan: TrainingPlan) -> TrainingPlan:
    """`plan` has weights as inputs."""
    return plan if name == Inputs.name else with_constants(plan)
