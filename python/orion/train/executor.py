"""Runs a training plan on a machine: memory for its slots, its calls in order, the host's steps.

V vocabulary, S columns of a microbatch (all its tokens). Knows no optimizer and no data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..compile.training import Call, HostCall, TrainingPlan
from ..data import Batch
from ..runtime import kernels
from .machine import Machine, Memory, Runnable, held
from .parameters import Parameters, rows_from


@dataclass(frozen=True)
class Outcome:
    """`loss` is summed over `count` targets; not `is_finite`: some gradient is no number."""

    loss: float
    count: int
    is_finite: bool


class Executor:
    """One plan on one machine; `programs` are looked up at each call, so they may be replaced."""

    def __init__(
        self,
        plan: TrainingPlan,
        machine: Machine,
        parameters: Parameters,
        programs: Mapping[str, Runnable],
    ) -> None:
        self.plan = plan
        self.parameters = parameters
        self.programs = programs
        self.memories: dict[str, Memory] = {
            **parameters.memories,
            **allocate(plan, machine),
        }
        for name, values in plan.constants.items():
            with self.memories[name] as view:
                view[...] = values
        # Parts of gradients that hold something of this step already.
        self._begun: set[tuple[str, int]] = set()
        self._is_finite = True

    def begin(self) -> None:
        """A new step: what comes next replaces the gradients."""
        self._begun.clear()

    def run(self, batch: Batch, loss_scale: float, targets: int) -> Outcome:
        """Adds a microbatch's gradients to the step's: of its loss over `targets`, unscaled."""
        self._is_finite = True
        loss, count = 0.0, 0
        for call in self.plan.calls:
            if isinstance(call, Call):
                self._evaluate(call)
                self._accumulate(call, loss_scale)
            elif call.step == "loss":
                loss, count = self._loss(call, batch, loss_scale / targets)
            elif call.step == "embed":
                self._embed(call, batch)
            else:
                self._unembed(call, batch, loss_scale)
        return Outcome(loss, count, self._is_finite and bool(np.isfinite(loss)))

    def evaluate(self, batch: Batch) -> Outcome:
        """The loss alone."""
        loss, count = 0.0, 0
        for call in self.plan.calls[: self.plan.forward]:
            if isinstance(call, Call):
                self._evaluate(call)
            elif call.step == "embed":
                self._embed(call, batch)
            else:
                loss, count = self._loss(call, batch, None)
        return Outcome(loss, count, bool(np.isfinite(loss)))

    def finish(self) -> None:
        """After the last microbatch: gradients that nothing was added to are zero."""
        for key in self.parameters.trainable:
            if not any(name == key for name, _ in self._begun):
                self.parameters.gradients[key][...] = 0
            padding = self.plan.parameters[key].padding
            if padding:
                self.parameters.gradients[key][..., -padding:] = 0

    def _evaluate(self, call: Call) -> None:
        program = self.programs[call.program]
        inputs, outputs = program.port_names
        program.evaluate(
            [self.memories[call.inputs[port]] for port in inputs],
            [self.memories[call.outputs[port]] for port in outputs],
        )

    def _accumulate(self, call: Call, loss_scale: float) -> None:
        for name in call.outputs.values():
            slot = self.plan.slots[name]
            if slot.kind != "gradient" or slot.key is None:
                continue
            with self.memories[name] as view:
                fresh = (slot.key, slot.first_row) not in self._begun
                total = rows_from(self.parameters.gradients[slot.key], slot.first_row, view.size)
                self._is_finite &= kernels.accumulate(
                    total, view, scale=1.0 / loss_scale, fresh=fresh
                )
            self._begun.add((slot.key, slot.first_row))

    def _loss(self, call: HostCall, batch: Batch, scale: float | None) -> tuple[float, int]:
        """`scale` None: no gradient is wanted."""
        logits = in_tiles(self.plan, call.inputs)
        gradients = in_tiles(self.plan, call.outputs)
        with held({name: self.memories[name] for name in {*logits, *gradients}}) as views:
            return kernels.cross_entropy(
                [views[name] for name in logits],
                batch.targets.reshape(-1),
                scale=scale or 1.0,
                gradient=None if scale is None else [views[name] for name in gradients],
            )

    def _embed(self, call: HostCall, batch: Batch) -> None:
        (x,) = call.outputs.values()
        with self.parameters.held(), self.memories[x] as view:
            for number, (kind, slot) in enumerate(call.inputs.items()):
                rows = self._rows_looked_up(kind, batch)
                table = self.parameters.master(self._key(slot))
                if number == 0:
                    kernels.embedding_gather(table, rows, view)
                else:
                    more = np.empty(view.shape, np.float32)
                    kernels.embedding_gather(table, rows, more)
                    np.add(view, more.astype(view.dtype), out=view)

    def _unembed(self, call: HostCall, batch: Batch, loss_scale: float) -> None:
        (x,) = call.inputs.values()
        with self.memories[x] as view:
            for kind, slot in call.outputs.items():
                key = self._key(slot)
                if key not in self.parameters.trainable:
                    continue
                total = self.parameters.gradients[key]
                if not any(name == key for name, _ in self._begun):
                    total[...] = 0
                    self._begun.add((key, 0))
                self._is_finite &= kernels.embedding_scatter_add(
                    total,
                    self._rows_looked_up(kind, batch),
                    view,
                    scale=1.0 / loss_scale,
                )

    def _rows_looked_up(self, kind: str, batch: Batch) -> np.ndarray:
        """Of the table "embedding" a row for each token, of "positions" one for its place."""
        if kind == "embedding":
            return batch.ids.reshape(-1)
        places = np.arange(self.plan.sequence, dtype=np.int32)
        return np.tile(places, self.plan.batch)

    def _key(self, slot: str) -> str:
        found = self.plan.slots.get(slot)
        return found.key if found is not None and found.key is not None else slot.split(":", 1)[1]


def allocate(plan: TrainingPlan, machine: Machine) -> dict[str, Memory]:
    """Memory of all slots but parameters; slots of one shape share it where their times allow."""
    lasts: dict[str, int] = {}
    for slot in plan.slots.values():
        root = root_of(plan, slot.name)
        lasts[root] = max(lasts.get(root, 0), slot.last)
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


def in_tiles(plan: TrainingPlan, slots: Mapping[str, str]) -> list[str]:
    return sorted(slots.values(), key=lambda name: plan.slots[name].first_row)
