"""Every update compiles programs anew around the new weights: always right, and slow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...compile.training import TrainingPlan
from ..machine import Machine
from ..parameters import Parameters
from .base import Strategy, Writer
from .held_weights import held_weights


class Recompile(Strategy):
    """One program at a time is swapped, so that one more than the plan's is loaded at most."""

    name = "recompile"

    def __init__(self, plan: TrainingPlan, machine: Machine, parameters: Parameters) -> None:
        self.plan = plan
        self._machine, self._parameters = machine, parameters
        self._held = {name: held_weights(plan, row) for name, row in plan.programs.items()}
        self.programs: dict[str, Any] = {}
        self._compile(set(plan.parameters))

    @contextlib.contextmanager
    def writing(self) -> Iterator[Writer]:
        writer = Noting()
        yield writer
        self._compile(writer.keys)

    def _compile(self, keys: set[str]) -> None:
        """The programs that hold one of these parameters."""
        with self._parameters.held():
            for name, planned in self.plan.programs.items():
                weights = self._held[name]
                if name in self.programs and not any(row.key in keys for row in weights):
                    continue
                tensors = {row.name: row.numbers(self._parameters) for row in weights}
                old = self.programs.get(name)
                self.programs[name] = self._machine.program(planned, tensors)
                if old is not None and hasattr(old, "close"):
                    old.close()


class Noting(Writer):
    """Remembers what changed."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def whole(self, key: str) -> np.ndarray | None:
        return None

    def write(self, key: str) -> None:
        self.keys.add(key)
