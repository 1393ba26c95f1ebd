"""The plainest executor of a training plan: numpy for the host, any function for the programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from orion.compile.training import Call, HostCall, TrainingPlan
from orion.ir import Arithmetic, interpret
from orion.ir.types import DTYPES

Arrays = dict[str, np.ndarray]
RunProgram = Callable[[str, Arrays], Mapping[str, np.ndarray]]
IGNORED = -1


@dataclass(frozen=True)
class Step:
    """Gradients have the family's names and shapes; both are means over the targets."""

    loss: float
    gradients: Arrays


def in_numpy(plan: TrainingPlan, arithmetic: Arithmetic) -> RunProgram:
    def run(name: str, inputs: Arrays) -> Arrays:
        return interpret(plan.programs[name].graph, inputs, {}, arithmetic)

    return run


def next_tokens(ids: np.ndarray) -> np.ndarray:
    """What follows each token; after the last one nothing is asked."""
    last = np.full((len(ids), 1), IGNORED, ids.dtype)
    return np.concatenate([ids[:, 1:], last], axis=1)


def run_plan(
    plan: TrainingPlan,
    weights: Mapping[str, Any],
    ids: np.ndarray,
    run_program: RunProgram,
    *,
    loss_scale: float = 1.0,
    extra: Mapping[str, np.ndarray] | None = None,
) -> Step:
    """One microbatch. `extra`: values of further slots, as dropout masks."""
    runner = Runner(plan, weights, ids, loss_scale)
    runner.slots |= dict(extra or {})
    for call in plan.calls:
        if isinstance(call, HostCall):
            getattr(runner, call.step)(call)
        else:
            runner.evaluate(call, run_program)
    return Step(runner.loss_value, runner.gradients())


class Runner:
    def __init__(
        self, plan: TrainingPlan, weights: Mapping[str, Any], ids: np.ndarray, loss_scale: float
    ) -> None:
        self.plan, self.ids, self.loss_scale = plan, ids, loss_scale
        self.masters = {
            key: layout.to_stored(np.asarray(weights[key], np.float32))
            for key, layout in plan.parameters.items()
        }
        self.sums = {key: np.zeros(array.shape) for key, array in self.masters.items()}
        self.slots: Arrays = {
            name: array.astype(DTYPES[plan.slots[name].dtype])
            for name, array in plan.constants.items()
        }
        self.loss_value = 0.0

    def read(self, name: str) -> np.ndarray:
        slot = self.plan.slots[name]
        if slot.kind == "parameter":
            rows = self.rows(name, self.masters)
            return rows.astype(DTYPES[slot.dtype])
        return self.slots[name]

    def rows(self, name: str, arrays: Arrays) -> np.ndarray:
        """The part of a parameter, or of its gradient, that a slot stands for."""
        slot = self.plan.slots[name]
        return arrays[slot.key][:, slot.first_row : slot.first_row + slot.shape[1]]

    def write(self, name: str, array: np.ndarray) -> None:
        slot = self.plan.slots[name]
        assert array.shape == slot.shape, (name, array.shape, slot.shape)
        if slot.kind == "gradient":
            self.rows(name, self.sums)[...] += array.astype(np.float64) / self.loss_scale
        else:
            self.slots[name] = array.astype(DTYPES[slot.dtype])

    def evaluate(self, call: Call, run_program: RunProgram) -> None:
        inputs = {port: self.read(slot) for port, slot in call.inputs.items()}
        for port, array in run_program(call.program, inputs).items():
            self.write(call.outputs[port], array)

    # ---- the host's calls ----

    def embed(self, call: HostCall) -> None:
        tables = {
            table: self.plan.parameters[key].from_stored(self.masters[key])
            for table, slot in call.inputs.items()
            if (key := self.plan.slots[slot].key)
        }
        x = tables["embedding"][self.ids]
        if "positions" in tables:
            x = x + tables["positions"][: self.plan.sequence]
        columns = x.reshape(self.plan.columns, -1).T
        self.write(call.outputs["x"], columns[None, :, None])

    def loss(self, call: HostCall) -> None:
        tiles = [self.slots[slot] for slot in call.inputs.values()]
        logits = np.concatenate(tiles, axis=1)[0, :, 0].astype(np.float64)
        targets = next_tokens(self.ids).reshape(-1)
        counted = np.flatnonzero(targets != IGNORED)
        powers = np.exp(logits - logits.max(0))
        shares = powers / powers.sum(0)
        self.loss_value = float(-np.log(shares[targets[counted], counted]).mean())
        dlogits = np.zeros(logits.shape)
        dlogits[:, counted] = shares[:, counted] / len(counted)
        dlogits[targets[counted], counted] -= 1 / len(counted)
        first = 0
        for slot in call.outputs.values():
            rows = self.plan.slots[slot].shape[1]
            part = dlogits[first : first + rows] * self.loss_scale
            self.write(slot, part[None, :, None])
            first += rows

    def unembed(self, call: HostCall) -> None:
        columns = self.slots[call.inputs["x"]][0, :, 0].T.astype(np.float64) / self.loss_scale
        rows = columns.reshape(*self.ids.shape, -1)
        for table, slot in call.outputs.items():
            gradient = self.sums[self.plan.slots[slot].key][0, :, 0, : rows.shape[-1]]
            if table == "embedding":
                np.add.at(gradient, self.ids, rows)
            else:
                gradient[: self.plan.sequence] += rows.sum(0)

    def gradients(self) -> Arrays:
        return {
            key: self.plan.parameters[key].from_stored(self.sums[key])
            for key in self.plan.trainable
        }
