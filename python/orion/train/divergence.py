"""Sees when a run goes wrong for good: losses that are no numbers, or climb far above the first."""

from __future__ import annotations

import math
from typing import Any

from ..errors import OrionError

# Weight of the past in the running loss.
MEMORY = 0.9
# How far above the first loss the running one may climb, in parts of it and in nats.
CLIMB, SLACK = 1.5, 1.0
# Above this a checkpoint would not be worth keeping.
DOUBTFUL = 1.1


class DivergedError(OrionError):
    """A run that was stopped because it can no longer learn."""


class Divergence:
    """Told every step's loss; `state` goes into checkpoints."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.running = 0.0

    def note(self, loss: float) -> str | None:
        """What is wrong, if the run has diverged."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if self.first is None:
            self.first = self.running = loss
        self.running = MEMORY * self.running + (1 - MEMORY) * loss
        limit = self.first * CLIMB + SLACK
        if self.running > limit:
            return f"the loss climbed to {loss:.4g} from {self.first:.4g} at first"
        return None

    @property
    def is_doubtful(self) -> bool:
        return self.first is not None and self.running > self.first * DOUBTFUL

    def to_json(self) -> dict[str, Any]:
        return {"first": self.first, "running": self.running}

    def load(self, state: dict[str, Any]) -> None:
        self.first, self.running = state["first"], state["running"]
