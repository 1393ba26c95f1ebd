"""What a trainer asks of the processes that train with it, and the answers of one alone.

All ranks call the methods that talk in the same order. What can go wrong before the first step, and
at checkpoints, is told to all, so that all stop with one message. Knows no MPI.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ...errors import OrionError

Result = TypeVar("Result")
# Seconds that a rank waits for another, where nobody says otherwise.
TIMEOUT_S = 300
# What stands for a result where a rank failed: message and exit code.
FAILED = "failed"


class RanksError(OrionError):
    """All ranks raise it alike; the first one says it."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class LostRankError(OrionError):
    """A rank that was awaited did not come, or the launcher ends them all."""


@dataclass(frozen=True)
class Overlap:
    """Of one step's sums: bytes in all, those that were summed before `finish` was called, and the
    seconds that `finish` then waited.
    """

    bytes: int = 0
    early_bytes: int = 0
    wait_s: float = 0.0


class Ranks(ABC):
    """`rank` of `count`, from 0; `local_count` of them run on this machine."""

    rank = 0
    count = 1
    local_count = 1
    # Seconds to wait for another rank.
    timeout: float = TIMEOUT_S

    @property
    def threads(self) -> int:
        """How many of this machine's a rank takes; 0: all."""
        return max(1, (os.cpu_count() or 1) // self.local_count) if self.local_count > 1 else 0

    @abstractmethod
    def gather(self, value: Any) -> list[Any]:
        """What each rank gave, which JSON can hold, in their order."""

    @abstractmethod
    def sum(self, numbers: Sequence[float]) -> list[float]:
        """Of all ranks' numbers, each in double precision."""

    @abstractmethod
    def start(self, values: np.ndarray) -> None:
        """Begins to add up dense fp32 values over all ranks, in place, while the caller goes on.

        They must stand still until `finish`.
        """

    @abstractmethod
    def finish(self) -> Overlap:
        """Waits for all that was started; all ranks then have the same bits."""

    @abstractmethod
    def place(self, rank: int) -> str:
        """How a message names a rank."""

    @abstractmethod
    def leave(self, error: BaseException, message: str, code: int, *, common: bool) -> None:
        """Ends this process after an error, and with one that is not `common` to all ranks the
        others too; returns where there are none.
        """

    def __enter__(self) -> Ranks:
        return self

    def __exit__(self, *_exception: object) -> None:  # noqa: B027
        """Nothing to give back, mostly."""

    def metrics(self, overlap: Overlap) -> dict[str, Any]:
        """What a step's line says of several ranks."""
        if self.count == 1:
            return {}
        return {
            "ranks": self.count,
            "reduce_early": overlap.early_bytes / max(1, overlap.bytes),
            "reduce_wait_s": overlap.wait_s,
        }

    def any(self, value: bool) -> bool:
        """Whether it is true on some rank."""
        return self.sum([value])[0] > 0

    def first(self, function: Callable[[], Result]) -> Result:
        """What `function` gives on the first rank, once it is done there; JSON can hold it."""
        return self._told(function if self.rank == 0 else lambda: None)[0]

    def together(self, function: Callable[[], Result]) -> Result:
        """What `function` gives here, once it is done on all ranks."""
        kept: list[Result] = []
        self._told(lambda: kept.append(function()))
        return kept[0]

    def _told(self, function: Callable[[], Any]) -> list[Any]:
        try:
            found: Any = {"value": function()}
        except (RanksError, LostRankError):
            raise  # told already
        except OrionError as error:
            found = {FAILED: [str(error), error.exit_code]}
        rows = self.gather(found)
        failed = {rank: row[FAILED] for rank, row in enumerate(rows) if FAILED in row}
        if failed:
            raise RanksError(self._said(failed), max(code for _, code in failed.values()))
        return [row["value"] for row in rows]

    def _said(self, failed: Mapping[int, tuple[str, int]]) -> str:
        """One message where all say the same, or the first rank speaks for all."""
        messages = list(dict.fromkeys(message for message, _ in failed.values()))
        if len(messages) == 1 and len(failed) == self.count:
            return messages[0]
        return "; ".join(f"{self.place(rank)}: {failed[rank][0]}" for rank in failed)


class Alone(Ranks):
    """One process: its own numbers are everybody's, and its errors are what they are."""

    def gather(self, value: Any) -> list[Any]:
        return [value]

    def sum(self, numbers: Sequence[float]) -> list[float]:
        return [float(number) for number in numbers]

    def start(self, values: np.ndarray) -> None:
        pass

    def finish(self) -> Overlap:
        return Overlap()

    def place(self, rank: int) -> str:
        return "this process"

    def leave(self, error: BaseException, message: str, code: int, *, common: bool) -> None:
        pass

    def first(self, function: Callable[[], Result]) -> Result:
        return function()

    def together(self, function: Callable[[], Result]) -> Result:
        return function()
