"""How a device comes to compute with changed weights; each way is a file of this room."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from ...compile.training import TrainingPlan
from ...errors import OrionError
from ..machine import Runnable
from ..parameters import Parameters


class StaleWeightsError(OrionError):
    """The device went on computing with weights that were replaced. The masters are right."""


class Writer(ABC):
    """Takes changed masters while an update lasts."""

    @abstractmethod
    def whole(self, key: str) -> np.ndarray | None:
        """The one place, fp16 and as large as the master, that an update may fill as it goes.

        None: there is none, or several; `write` then does what is to be done.
        """

    @abstractmethod
    def write(self, key: str) -> None:
        """Copies the master to wherever the device reads it."""


class Strategy(ABC):
    """One way. `programs` are the plan's, compiled; a strategy may put others in their place."""

    name: str
    plan: TrainingPlan
    programs: Mapping[str, Runnable]

    @abstractmethod
    def writing(self) -> contextlib.AbstractContextManager[Writer]:
        """At the block's end the device computes with what was written.

        StaleWeightsError when it is seen not to.
        """

    def write_all(self, parameters: Parameters) -> None:
        """After masters were loaded."""
        with parameters.held(), self.writing() as writer:
            for key in parameters.plan.parameters:
                writer.write(key)

    def close(self) -> None:
        """Gives the device its programs back."""
        for program in self.programs.values():
            getattr(program, "close", lambda: None)()
