"""Sees when a run goes wrong for good: losses that are no numbers, or climb far above the first."""

from __future__ import annotations

import math
from typing import Any

from ..errors import OrionError

# Weight of the past in the running loss.
MEMORY = 0.9
# Steps whose mean is where a run began, held to within so many nats of the very first.
BEGINNING, NEAR = 10, 1.0
# How far the running loss may climb above that, in parts of it and in nats.
CLIMB, CLIMB_NATS = 1.5, 1.0
# Above this a checkpoint would not be worth keeping.
DOUBTFUL, DOUBTFUL_NATS = 1.2, 0.3


class DivergedError(OrionError):
    """A run that was stopped because it can no longer learn."""


class Divergence:
    """Told every step's loss; `state` goes into checkpoints."""

    def __init__(self) -> None:
        self.steps = 0
        self.first = self.mean = self.running = 0.0

    @property
    def beginning(self) -> float:
        """Batches differ: one easy one at the start is no measure."""
        return min(self.mean, self.first + NEAR)

    def note(self, loss: float) -> str | None:
        """What is wrong, if the run has diverged."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        self.steps += 1
        if self.steps == 1:
            self.first = self.mean = self.running = loss
        elif self.steps <= BEGINNING:
            self.mean += (loss - self.mean) / self.steps
        self.running = MEMORY * self.running + (1 - MEMORY) * loss
        if self.running > self.beginning * CLIMB + CLIMB_NATS:
            return f"the loss climbed to {loss:.4g} from {self.first:.4g} at first"
        return None

    @property
    def is_doubtful(self) -> bool:
        return self.running > self.beginning * DOUBTFUL + DOUBTFUL_NATS

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    def load(self, state: dict[str, Any]) -> None:
        vars(self).update({name: state[name] for name in vars(self)})
