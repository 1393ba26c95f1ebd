"""Memory for a plan's slots: those of one type share it where the times of their use allow."""

from __future__ import annotations

from collections import defaultdict

from ..compile.training import TrainingPlan
from .machine import Machine, Memory

# Calls that a gradient outlives the one that made it: so long it may take to be added up.
LATE = 1


def allocate(plan: TrainingPlan, machine: Machine) -> dict[str, Memory]:
    """By name, all slots but parameters."""
    lasts: dict[str, int] = {}
    for slot in plan.slots.values():
        root = root_of(plan, slot.name)
        late = LATE if slot.kind == "gradient" else 0
        lasts[root] = max(lasts.get(root, 0), slot.last + late)
    free: dict[tuple[str, tuple[int, ...]], list[Memory]] = defaultdict(list)
    made: dict[str, Memory] = {}
    ending: dict[int, list[str]] = defaultdict(list)
    order = sorted(plan.slots.values(), key=lambda slot: slot.first)
    done = -1
    for slot in order:
        if slot.kind == "parameter" or slot.shares:
            continue
        while done < slot.first - 1:
            done += 1
            for name in ending.pop(done, []):
                ended = plan.slots[name]
                free[ended.dtype, ended.shape].append(made[name])
        pool = free[slot.dtype, slot.shape]
        made[slot.name] = pool.pop() if pool else machine.memory(slot.shape, slot.dtype)
        if slot.kind != "constant":
            ending[lasts[slot.name]].append(slot.name)
    for slot in plan.slots.values():
        if slot.shares:
            made[slot.name] = made[root_of(plan, slot.name)]
    return made


def root_of(plan: TrainingPlan, name: str) -> str:
    """The slot whose memory this one is."""
    shared = plan.slots[name].shares
    return name if shared is None else root_of(plan, shared)
