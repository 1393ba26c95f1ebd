"""Ranks of MPI through mpi4py; every wait has an end, so that a lost rank stops the others."""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import numpy as np
from mpi4py import MPI

from .base import LostRankError, Overlap, Ranks, RanksError
from .reduction import Reduction

# A wait first looks often, then rests between looks.
EAGER_S, REST_S = 0.002, 0.0005
# Seconds in which a rank that lives answers a roll call: others come to it when they tire of
# waiting too.
ROLL_CALL_S = 5.0
ROLL_CALL_TAG = 1
# After the end was said: until what was printed has reached the launcher.
LAST_WORDS_S = 0.2


class MpiRanks(Ranks):
    """All processes of MPI's world. Inside `with` the launcher's signal to end is an error."""

    def __init__(self) -> None:
        if MPI.Query_thread() < MPI.THREAD_SERIALIZED:
            raise ImportError("its MPI was built for one thread alone")
        world = MPI.COMM_WORLD
        self.rank, self.count = world.rank, world.size
        self.local_count = world.Split_type(MPI.COMM_TYPE_SHARED).size
        self.library = MPI.Get_library_version().split(",")[0].strip()
        # Words, sums and the roll call after a failure do not meet.
        self._words, self._calls = world.Dup(), world.Dup()
        self._reduction = Reduction(world.Dup())
        self._hosts: list[str] = [""] * self.count
        self._hosts = self.gather(platform.node())

    # ---- words ----

    def gather(self, value: Any) -> list[Any]:
        data = np.frombuffer(json.dumps(value).encode(), np.uint8)
        sizes = np.zeros(self.count, np.int64)
        self._wait(self._words.Iallgather(np.array([data.size], np.int64), sizes))
        received = np.empty(int(sizes.sum()), np.uint8)
        target = [received, (sizes, np.cumsum(sizes) - sizes), MPI.BYTE]
        self._wait(self._words.Iallgatherv([data, MPI.BYTE], target))
        parts = np.split(received, np.cumsum(sizes)[:-1])
        return [json.loads(part.tobytes()) for part in parts]

    def sum(self, numbers: Sequence[float]) -> list[float]:
        totals = np.array(numbers, np.float64)
        self._wait(self._words.Iallreduce(MPI.IN_PLACE, totals, MPI.SUM))
        return [float(total) for total in totals]

    # ---- gradients ----

    def start(self, values: np.ndarray) -> None:
        self._reduction.start(values)

    def finish(self) -> Overlap:
        try:
            return self._reduction.finish(self.timeout)
        except TimeoutError:
            self._lost()
        except MPI.Exception as error:
            raise LostRankError(f"MPI failed: {error}") from None

    @property
    def summed_bytes(self) -> int:
        """How much of what was started is done."""
        return self._reduction.done_bytes

    # ---- what goes wrong ----

    def place(self, rank: int) -> str:
        return f"rank {rank} ({self._hosts[rank]})"

    def _wait(self, request: MPI.Request) -> None:
        begun = time.monotonic()
        try:
            while not request.Test():
                waited = time.monotonic() - begun
                if waited > self.timeout:
                    self._lost()
                time.sleep(0 if waited < EAGER_S else REST_S)
        except MPI.Exception as error:
            raise LostRankError(f"MPI failed: {error}") from None

    def _lost(self) -> NoReturn:
        missing = self._missing()
        who = ", ".join(map(self.place, missing)) or "some rank"
        raise LostRankError(
            f"{who} did not come within {self.timeout:g} s (--rank-timeout): lost, or stuck"
        )

    def _missing(self) -> list[int]:
        """Ranks that do not answer now."""
        others = [rank for rank in range(self.count) if rank != self.rank]
        for rank in others:
            self._calls.Isend(np.empty(0, np.uint8), rank, ROLL_CALL_TAG)
        answers = {
            rank: self._calls.Irecv(np.empty(0, np.uint8), rank, ROLL_CALL_TAG) for rank in others
        }
        end = time.monotonic() + ROLL_CALL_S
        while answers and time.monotonic() < end:
            answers = {rank: answer for rank, answer in answers.items() if not answer.Test()}
            time.sleep(REST_S)
        return sorted(answers)

    def leave(self, error: BaseException, message: str, code: int, *, common: bool) -> None:
        if common or isinstance(error, RanksError):
            if self.rank == 0:
                say(message)
            raise SystemExit(code)
        # Of ranks that are ended together two say so: the first one may be the one that is lost.
        if not isinstance(error, LostRankError) or self.rank < 2:
            say(f"{self.place(self.rank)}: {message}")
        time.sleep(LAST_WORDS_S)
        sys.stdout.flush()
        MPI.COMM_WORLD.Abort(code)
        os._exit(code)

    def __enter__(self) -> MpiRanks:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._end)
        return self

    def __exit__(self, *_exception: object) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._before)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        raise LostRankError(
            "the launcher ends this run, as it does when a rank was lost, or on Ctrl-C"
        )


def say(message: str) -> None:
    print(f"orion: {message}", file=sys.stderr, flush=True)
