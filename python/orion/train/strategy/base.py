"""How a device comes to compute with changed weights; each way is a file of this room."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from ..parameters import Parameters


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
    """One way, for one executor."""

    name: str

    @abstractmethod
    def writing(self) -> contextlib.AbstractContextManager[Writer]:
        """At the block's end the device computes with what was written; OrionError if it cannot."""

    def write_all(self, parameters: Parameters) -> None:
        """After masters were loaded."""
        with parameters.held(), self.writing() as writer:
            for key in parameters.plan.parameters:
                writer.write(key)


@contextlib.contextmanager
def always(writer: Writer) -> Iterator[Writer]:
    yield writer
