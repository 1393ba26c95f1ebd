"""A model that learns on a device: gradients, updates, losses; knows no file and no loop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..compile.training import make_training_plan
from ..data import Batch
from ..errors import UsageError
from ..runtime import Device
from .executor import Executor
from .learnt import Learnt
from .loss_scale import LossScale
from .machine import DeviceMachine
from .optimizer import gradient_norm, update
from .parameters import Parameters
from .ranks import Overlap, Ranks, make_buckets
from .settings import Settings
from .strategy import WAYS, Inputs, StaleWeightsError, Strategy, choose, plan_for
from .verify import Verifier

# Where a run starts on a device that computes in fp16.
LOSS_SCALE = 2.0**12


@dataclass(frozen=True)
class Gradients:
    """Of a step's batches on all ranks: mean `loss` over the `targets`, norm of all gradients.

    `norm` is not finite when one of them is not; then they are good for nothing.
    """

    loss: float
    targets: int
    norm: float
    overlap: Overlap

    @property
    def is_finite(self) -> bool:
        return math.isfinite(self.norm)


class Learner:
    """Parameters on a device, and the way in which it gets to know their updates.

    Call `begin` once, after `parameters` have the numbers to go on from.
    """

    def __init__(
        self, learnt: Learnt, device: Device, sequence: int, settings: Settings, ranks: Ranks
    ) -> None:
        self.learnt, self.device, self.settings = learnt, device, settings
        self.ranks = ranks
        self.sequence = sequence
        self.machine = DeviceMachine(device)
        self.plan = make_training_plan(
            learnt.source.family,
            learnt.source.config,
            self.machine.profile,
            sequence=sequence,
            batch=settings.batch_size,
            adapters=learnt.adapters,
        )
        self.loss_scale = self._first_scale()
        self.updates = 0
        # What the user should know of it.
        self.notes: list[str] = []
        # Of each verified step, by parameter.
        self.gradient_errors: list[dict[str, float]] = []
        self._verifier: Verifier | None = None

    def _first_scale(self) -> LossScale:
        if self.machine.profile["arithmetic"]["storage"] == "declared":
            return LossScale(self.settings.loss_scale or 1.0, is_fixed=True)
        return LossScale(self.settings.loss_scale or LOSS_SCALE)

    # ---- ways of changing weights ----

    def prepare(self, asked: str) -> None:
        """Memory with the first numbers of the parameters, as the asked way of updates wants it.

        Adapters are inputs of every plan, so no other way is theirs.
        """
        if self.learnt.adapters is not None:
            if asked not in ("auto", Inputs.name):
                raise UsageError(f"Adapters are inputs; --weight-update {asked} is for weights.")
            asked = Inputs.name
        self._way, note = choose(asked, self.machine, self.plan)
        tensors = self.learnt.first(self.settings.seed)
        self.notes += [note] if note else []
        self.parameters = Parameters(
            plan_for(self._way, self.plan), self.machine, tensors, in_stretch=self.ranks.count > 1
        )

    def begin(self) -> None:
        """Programs for the parameters as they are now."""
        self.strategy: Strategy = WAYS[self._way](
            self.parameters.plan, self.machine, self.parameters
        )
        self.executor = Executor(
            self.parameters.plan,
            self.machine,
            self.parameters,
            self.strategy.programs,
            # On `cpu` the device's threads are the host's.
            overlaps=self.device.kind != "cpu",
            dropout=self.learnt.adapters.dropout if self.learnt.adapters else 0.0,
            seed=self.settings.seed,
        )
        places = self.parameters.gradients.arena.places
        self._buckets = make_buckets(self.parameters.plan, places) if self.ranks.count > 1 else {}

    def _change_to(self, way: str) -> None:
        """Another way from here on; masters and moments stay what they are."""
        self.strategy.close()
        before = self.parameters
        with before.held():
            numbers = {key: array.copy() for key, array in before.named().items()}
        self._way = way
        self.parameters = Parameters(
            plan_for(way, self.plan), self.machine, numbers, in_stretch=self.ranks.count > 1
        )
        self.parameters.first, self.parameters.second = before.first, before.second
        self.begin()

    # ---- learning ----

    def gradients(self, batches: Sequence[Batch], first: int) -> Gradients:
        """Of all batches together; `first` is the number of the first one in the run.

        Ranks sum a stretch of gradients as soon as the last batch has added to it.
        """
        targets = self._targets(batches)
        numbers, last = self._numbers(batches, first), len(batches) - 1
        loss, is_finite = 0.0, True
        self.executor.begin()
        for index, (number, batch) in enumerate(zip(numbers, batches, strict=True)):
            outcome = self.executor.run(
                batch,
                self.loss_scale.value,
                targets,
                number,
                added=self._sum_bucket if index == last and self.ranks.count > 1 else None,
            )
            loss += outcome.loss / targets
            is_finite &= outcome.is_finite
        overlap = self.ranks.finish()
        self.executor.finish()
        loss, overflows = self.ranks.sum([loss, not is_finite])
        norm = math.inf if overflows else gradient_norm(self.parameters)
        return Gradients(loss, targets, norm, overlap)

    def _targets(self, batches: Sequence[Batch]) -> int:
        """Of all ranks' batches."""
        return max(1, int(self.ranks.sum([sum(batch.tokens for batch in batches)])[0]))

    def _numbers(self, batches: Sequence[Batch], first: int) -> list[int]:
        """Of these batches among those of all ranks."""
        count, rank = self.ranks.count, self.ranks.rank
        return [number * count + rank for number in range(first, first + len(batches))]

    def _sum_bucket(self, call: int) -> None:
        for stretch in self._buckets.get(call, ()):
            self.ranks.start(self.parameters.gradients.arena.values[stretch])

    def verify(self, step: int, batches: Sequence[Batch], first: int) -> dict[str, Any]:
        """Holds the gradients of `batches` against fp32: what a line of metrics says of them.

        PartedError beyond the bound.
        """
        if self._verifier is None:
            self._verifier = Verifier(
                self.learnt, self.device, self.sequence, self.settings, self.ranks
            )
        errors = self._verifier.errors(
            self.parameters, batches, self._numbers(batches, first), self._targets(batches)
        )
        self.gradient_errors.append(errors)
        if step == self.settings.verify:
            verifier, self._verifier = self._verifier, None
            return verifier.check(step, errors)
        return self._verifier.check(step, errors)

    def update(self, step: int, learning_rate: float, norm: float) -> None:
        """Moves the parameters; `norm` is finite."""
        self.updates += 1
        try:
            update(
                self.parameters,
                self.strategy,
                self.settings,
                step=self.updates,
                learning_rate=learning_rate,
                norm=norm,
            )
        except StaleWeightsError as error:
            # The masters have learnt; what the device holds has not.
            self._change_to(Inputs.name)
            self.notes.append(f"step {step}: {error}; from here on weights are inputs")

    def loss(self, batches: Sequence[Batch]) -> float:
        """Mean loss a target."""
        outcomes = [self.executor.evaluate(batch) for batch in batches]
        loss, count = self.ranks.sum(
            [sum(o.loss for o in outcomes), sum(o.count for o in outcomes)]
        )
        return loss / max(1, count)

    def close(self) -> None:
        """Gives the device its programs back; nothing can be computed afterwards."""
        self.strategy.close()

    # ---- what resuming takes ----

    def state(self) -> dict[str, Any]:
        scale = self.loss_scale
        return {
            "updates": self.updates,
            "loss_scale": {"value": scale.value, "good": scale.good},
            "weight_update": self.strategy.name,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.updates = state["updates"]
        if not self.loss_scale.is_fixed:
            self.loss_scale.value = state["loss_scale"]["value"]
            self.loss_scale.good = state["loss_scale"]["good"]
