"""What a training step takes on a profile's chip, by the way weights change: predictions.

    step = microbatches x (programs + the host's share) + the update

Of the host's work what it reads and writes counts, at the profile's `host_bytes`: rows of tables,
the loss, gradients that are added up, AdamW, and weights that go where programs read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..compile.cost import Work, compile_seconds, predict, quotient, work_of
from ..compile.training import Call, TrainingPlan, make_training_plan, with_constants
from .model import Program
from .source import Configured

WAYS = ("inputs", "reload", "recompile")
SEQUENCE, ACCUMULATION = 256, 4
# AdamW reads parameter, gradient and two moments, and writes all but the gradient; fp32.
UPDATE_BYTES = 4 * (4 + 3)
# A gradient is read, and its fp32 sum read and written.
SUM_BYTES = 2 * 4
# The loss reads logits three times, for the maximum, the sum and the gradient, and writes once.
LOSS_PASSES = 4


@dataclass(frozen=True)
class TrainingEstimate:
    """Seconds of one step of `accumulation` microbatches; `change_s`: new weights to the device."""

    profile: str
    band: tuple[float, float]
    way: str
    sequence: int
    batch: int
    accumulation: int
    programs: tuple[Program, ...]
    calls: int
    device_s: float
    host_s: float
    change_s: float
    compile_s: float
    joules: float
    device_bytes: int
    bound: str

    @property
    def step_s(self) -> float:
        return self.device_s + self.host_s + self.change_s

    @property
    def microbatch_s(self) -> float:
        """Of the programs alone, without the update."""
        return self.device_s / self.accumulation

    @property
    def tokens_per_s(self) -> float:
        return self.sequence * self.batch * self.accumulation / self.step_s

    def to_json(self) -> dict[str, Any]:
        facts = {name: value for name, value in vars(self).items() if name != "programs"}
        return {
            **facts,
            "band": {"low": self.band[0], "high": self.band[1]},
            "step_s": self.step_s,
            "tokens_per_s": self.tokens_per_s,
            "programs": [program.to_json() for program in self.programs],
        }


class TrainingEstimator:
    """Estimates the steps of one model; a plan is made once for each kind of weights."""

    def __init__(
        self,
        model: Configured,
        *,
        sequence: int | None = None,
        batch: int = 1,
        accumulation: int = ACCUMULATION,
    ) -> None:
        context = int(model.config.context)
        self._model, self._accumulation = model, accumulation
        self._sequence, self._batch = sequence or min(SEQUENCE, context), batch
        self._last: tuple[str, TrainingPlan] | None = None

    @property
    def is_usual(self) -> bool:
        """The size of the steps that published numbers are of."""
        size = (self._sequence, self._batch, self._accumulation)
        return size == (SEQUENCE, 1, ACCUMULATION)

    def _plan(self, profile: Mapping[str, Any]) -> TrainingPlan:
        """The last one is kept, for other ways of the same profile."""
        if self._last is None or self._last[0] != profile["name"]:
            model = self._model
            plan = make_training_plan(
                model.family,
                model.config,
                profile,
                sequence=self._sequence,
                batch=self._batch,
            )
            self._last = (profile["name"], plan)
        return self._last[1]

    def estimate(self, profile: Mapping[str, Any], way: str) -> TrainingEstimate:
        """`way`: one of WAYS. UsageError for a size that the profile does not take."""
        plan = self._plan(profile)
        if way != "inputs":
            plan = with_constants(plan)
        cost = profile["cost"]
        programs = {
            name: program_of(name, work_of(row.graph, profile), cost)
            for name, row in plan.programs.items()
        }
        calls = [call.program for call in plan.calls if isinstance(call, Call)]
        times = [programs[name].time for name in calls]
        count = self._accumulation
        parts: dict[str, float] = {}
        for time in times:
            parts[time.bound] = parts.get(time.bound, 0.0) + time.seconds
        host = count * host_bytes(plan) + UPDATE_BYTES * parameters(plan)
        return TrainingEstimate(
            profile["name"],
            (cost["band_low"], cost["band_high"]),
            way,
            plan.sequence,
            plan.batch,
            count,
            tuple(programs.values()),
            len(calls),
            count * sum(time.seconds for time in times),
            quotient(host, cost["host_bytes"]),
            change_seconds(way, plan, programs, cost),
            sum(program.compile_s for program in programs.values()),
            count * sum(time.joules for time in times),
            held_bytes(plan, programs),
            max(parts, key=lambda bound: parts[bound]),
        )


def program_of(name: str, work: Work, cost: Mapping[str, Any]) -> Program:
    return Program(name, work, predict(work, cost), compile_seconds(work.weights, cost))


def change_seconds(
    way: str, plan: TrainingPlan, programs: Mapping[str, Program], cost: Mapping[str, Any]
) -> float:
    """After an update, until the device computes with the new weights."""
    held = [program for program in programs.values() if program.work.weights]
    weights = sum(program.work.weights for program in held)
    again = len(held) * (cost["unload_seconds"] + cost["load_seconds"])
    if way == "inputs":
        # An fp32 master is read, a tensor of the device written.
        written = sum(slot.bytes for slot in plan.slots.values() if slot.kind == "parameter")
        return quotient(written + 2 * written, cost["host_bytes"])
    if way == "reload":
        return again + quotient(weights, cost["patch_bytes"])
    return again + sum(program.compile_s for program in held)


def host_bytes(plan: TrainingPlan) -> int:
    """What the host touches for a microbatch."""
    logits = sum(slot.bytes for slot in plan.slots.values() if slot.name.startswith("logits:"))
    gradients = [slot for slot in plan.slots.values() if slot.kind == "gradient"]
    sums = sum(slot.bytes + SUM_BYTES * size_of(slot.shape) for slot in gradients)
    stream = sum(slot.bytes for slot in plan.slots.values() if slot.name in ("h:0", "d:0"))
    return LOSS_PASSES * logits + sums + 3 * stream


def held_bytes(plan: TrainingPlan, programs: Mapping[str, Program]) -> int:
    """Weights of programs, and tensors; those that share memory count each."""
    tensors = sum(slot.bytes for slot in plan.slots.values() if not slot.shares)
    return tensors + sum(program.work.weights for program in programs.values())


def parameters(plan: TrainingPlan) -> int:
    return sum(plan.parameters[key].size for key in plan.trainable)


def size_of(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count
