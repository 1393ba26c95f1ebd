"""Which way of changing weights a run takes: what was asked for, if the device lets it."""

from __future__ import annotations

from collections.abc import Callable

from ...compile.training import TrainingPlan, with_constants
from ...runtime import Device
from ..machine import DeviceMachine
from ..parameters import Parameters
from .base import Strategy
from .inputs import Inputs
from .recompile import Recompile
from .reload import Reload

WAYS: dict[str, Callable[[TrainingPlan, DeviceMachine, Parameters], Strategy]] = {
    way.name: way for way in (Inputs, Reload, Recompile)
}


def choose(asked: str, device: Device) -> tuple[str, str | None]:
    """The way's name, and what the user should know of it.

    `reload` needs its canary: a device that serves old weights after a reload would learn nothing.
    """
    if asked == "auto":
        return Inputs.name, None
    if asked == Reload.name and device.canary("reload") != "effective":
        return Inputs.name, (
            f"{device.name} ({device.profile}): --weight-update reload is refused, because a small"
            " program went on computing with its old weights after its file was patched and it was"
            " reloaded; weights are given as inputs instead"
        )
    return asked, None


def plan_for(name: str, plan: TrainingPlan) -> TrainingPlan:
    """`plan` has weights as inputs."""
    return plan if name == Inputs.name else with_constants(plan)
