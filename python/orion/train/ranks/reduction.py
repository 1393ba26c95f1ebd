"""Sums over all ranks that run beside the caller, on a thread that alone talks to MPI meanwhile.

MPI moves data while it is asked how far it is; the thread asks, so a bucket is on its way while the
device computes the next layer's gradients. Every rank starts the same buckets in the same order.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from mpi4py import MPI

from .base import Overlap

# Seconds between two looks at what is under way.
POLL_S = 0.0002


class Reduction:
    """One step's sums: `start` some, then `finish`."""

    def __init__(self, communicator: MPI.Comm) -> None:
        self._communicator = communicator
        self._thread = ThreadPoolExecutor(1, "orion-ranks")
        self._queue: SimpleQueue[np.ndarray | None] = SimpleQueue()
        self._task: Future[None] | None = None
        self._is_stopped = False
        self._bytes = self.done_bytes = 0

    def start(self, values: np.ndarray) -> None:
        if self._task is None:
            self._task = self._thread.submit(self._run)
        self._bytes += values.nbytes
        self._queue.put(values)

    def finish(self, timeout: float) -> Overlap:
        """TimeoutError when the others did not do their part in so many seconds."""
        if self._task is None:
            return Overlap()
        early, begun = self.done_bytes, time.perf_counter()
        self._queue.put(None)
        try:
            self._task.result(timeout)
        except FutureTimeoutError:
            self._is_stopped = True
            raise TimeoutError from None
        found = Overlap(self._bytes, early, time.perf_counter() - begun)
        self._task, self._bytes, self.done_bytes = None, 0, 0
        return found

    def _run(self) -> None:
        under_way: list[tuple[MPI.Request, int]] = []
        is_open = True
        while (is_open or under_way) and not self._is_stopped:
            if is_open:
                is_open = self._take(under_way)
            for entry in list(under_way):
                if entry[0].Test():
                    self.done_bytes += entry[1]
                    under_way.remove(entry)
            if under_way:
                time.sleep(POLL_S)

    def _take(self, under_way: list[tuple[MPI.Request, int]]) -> bool:
        """Starts what waits to be; whether more may come. Where nothing is under way it waits."""
        try:
            while True:
                values: Any = self._queue.get(block=not under_way)
                if values is None:
                    return False
                request = self._communicator.Iallreduce(MPI.IN_PLACE, values, MPI.SUM)
                under_way.append((request, values.nbytes))
        except Empty:
            return True
