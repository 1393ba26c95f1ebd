"""Runs a training plan on a machine: memory for its slots, its calls in order, the host's steps.

V vocabulary, S columns of a microbatch (all its tokens). Knows no optimizer and no data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..compile.training import Call, HostCall, Slot, TrainingPlan
from ..data import Batch
from ..runtime import kernels
from .machine import Machine, Memory, Runnable, held
from .parameters import Parameters, rows_from
from .slots import allocate


@dataclass(frozen=True)
class Outcome:
    """`loss` is summed over `count` targets; not `is_finite`: some gradient is no number.

    Gradients that a program wrote where they are kept were not looked at.
    """

    loss: float
    count: int
    is_finite: bool


class Executor:
    """One plan on one machine; `programs` are looked up at each call, so they may be replaced.

    With `overlaps`, gradients are added up while the device computes on. `dropout` is the rate at
    which adapters drop out, drawn from `seed` and the number of the microbatch.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        machine: Machine,
        parameters: Parameters,
        programs: Mapping[str, Runnable],
        *,
        overlaps: bool = False,
        dropout: float = 0.0,
        seed: int = 0,
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
        self._dropouts = [slot for slot in plan.slots.values() if slot.kind == "dropout"]
        self._dropout, self._seed = dropout, seed
        # Parts of gradients that hold something of this step already.
        self._begun: set[tuple[str, int]] = set()
        self._worker = ThreadPoolExecutor(1) if overlaps else None
        # What is being added up, by the memory it comes from; and what is told of it.
        self._pending: dict[int, Future[bool]] = {}
        self._is_finite = True

    def begin(self) -> None:
        """A new step: what comes next replaces the gradients."""
        self._begun.clear()

    def run(
        self,
        batch: Batch,
        loss_scale: float,
        targets: int,
        number: int = 0,
        added: Callable[[int], None] | None = None,
    ) -> Outcome:
        """Adds a microbatch's gradients to the step's: of its loss over `targets`, unscaled.

        `number` is the microbatch's in the run. `added` is told the index of each call, in order,
        once its gradients are added up; it may be on another thread.
        """
        self._is_finite = True
        self._draw_dropouts(number)
        loss, count = 0.0, 0
        for index, call in enumerate(self.plan.calls):
            if isinstance(call, Call):
                kept = self._kept_at_once(call, loss_scale)
                self._evaluate(call, kept)
                self._accumulate(call, loss_scale, kept)
            elif call.step == "loss":
                loss, count = self._loss(call, batch, loss_scale / targets)
            elif call.step == "embed":
                self._embed(call, batch)
            else:
                self._settle()
                self._unembed(call, batch, loss_scale)
            if added:
                self._tell(added, index)
        self._settle()
        return Outcome(loss, count, self._is_finite and bool(np.isfinite(loss)))

    def evaluate(self, batch: Batch) -> Outcome:
        """The loss alone, nothing dropped."""
        self._draw_dropouts(None)
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
            padding = self.plan.parameters[key].padding
            is_begun = any(name == key for name, _ in self._begun)
            if is_begun and not padding:
                continue
            with self.parameters.gradients.seen(key) as total:
                if not is_begun:
                    total[...] = 0
                else:
                    total[..., -padding:] = 0

    def _draw_dropouts(self, number: int | None) -> None:
        """Of each element 0 or 1 / (1 - rate); `number` None: nothing drops out."""
        if not self._dropouts:
            return
        keep = 1.0 - self._dropout
        random = np.random.Generator(np.random.Philox(key=[self._seed, number or 0]))
        for slot in self._dropouts:
            with self.memories[slot.name] as view:
                if number is None or keep == 1.0:
                    view[...] = 1
                else:
                    view[...] = (random.random(slot.shape, np.float32) < keep) / keep

    def _kept_at_once(self, call: Call, loss_scale: float) -> dict[str, Memory]:
        """The slots whose gradients it may write where they are kept: the first ones of a step."""
        if loss_scale != 1:
            return {}
        tensors = self.parameters.gradients.tensors
        found = {}
        for name in call.outputs.values():
            slot = self.plan.slots[name]
            is_first = (slot.key, slot.first_row) not in self._begun
            if slot.kind == "gradient" and slot.key in tensors and is_first:
                found[name] = tensors[slot.key]
        return found

    def _evaluate(self, call: Call, kept: Mapping[str, Memory] | None = None) -> None:
        program = self.programs[call.program]
        inputs, outputs = program.port_names
        memories = {**self.memories, **kept} if kept else self.memories
        written = [memories[call.outputs[port]] for port in outputs]
        for memory in written:
            self._settle(memory)
        program.evaluate([self.memories[call.inputs[port]] for port in inputs], written)

    def _accumulate(self, call: Call, loss_scale: float, kept: Mapping[str, Memory]) -> None:
        for name in call.outputs.values():
            slot = self.plan.slots[name]
            if slot.kind != "gradient" or slot.key is None:
                continue
            part = (slot.key, slot.first_row)
            fresh = part not in self._begun
            self._begun.add(part)
            if name in kept:
                continue
            memory = self.memories[name]
            if self._worker is None:
                self._is_finite &= self._add(slot, memory, 1.0 / loss_scale, fresh)
            else:
                task = self._worker.submit(self._add, slot, memory, 1.0 / loss_scale, fresh)
                self._pending[id(memory)] = task

    def _add(self, slot: Slot, memory: Memory, scale: float, fresh: bool) -> bool:
        """Whether all sums are finite."""
        assert slot.key is not None
        with memory as view, self.parameters.gradients.seen(slot.key) as whole:
            total = rows_from(whole, slot.first_row, view.size)
            return kernels.accumulate(total, view, scale=scale, fresh=fresh)

    def _tell(self, added: Callable[[int], None], index: int) -> None:
        """After all that waits to be added up."""

        def told() -> bool:
            added(index)
            return True

        if self._worker is None:
            told()
        else:
            self._pending[-1 - index] = self._worker.submit(told)

    def _settle(self, memory: Memory | None = None) -> None:
        """Waits until this memory (None: all of it) is added up, and may be written again."""
        keys = list(self._pending) if memory is None else [id(memory)]
        for key in keys:
            task = self._pending.pop(key, None)
            if task is not None:
                self._is_finite &= task.result()

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
                table = self._unpadded(slot, self.parameters.master(self._key(slot)))
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
                with self.parameters.gradients.seen(key) as total:
                    if not any(name == key for name, _ in self._begun):
                        total[...] = 0
                        self._begun.add((key, 0))
                    self._is_finite &= kernels.embedding_scatter_add(
                        self._unpadded(slot, total),
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

    def _unpadded(self, slot: str, table: np.ndarray) -> np.ndarray:
        """Rows as wide as the stream; a view."""
        padding = self.plan.parameters[self._key(slot)].padding
        return table[..., : table.shape[-1] - padding]

    def _key(self, slot: str) -> str:
        found = self.plan.slots.get(slot)
        return found.key if found is not None and found.key is not None else slot.split(":", 1)[1]


def in_tiles(plan: TrainingPlan, slots: Mapping[str, str]) -> list[str]:
    return sorted(slots.values(), key=lambda name: plan.slots[name].first_row)
