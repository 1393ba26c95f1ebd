"""The thread that owns the session: admits jobs, reads their prompts, decodes all in one step.

Knows no web and no form of requests.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence as Row

from orion.errors import OrionError
from orion.generate import Model
from orion.generate.continuation import STREAM_CHUNK, told
from orion.serve.job import Job, News
from orion.serve.metrics import Metrics
from orion.serve.problem import Problem, busy, failed, too_slow
from orion.serve.scores import Score, scored
from orion.serve.settings import Limits

# Tokens of prompts that are read between two calls that decode.
READ_AT_ONCE = 512
# How long a call that decodes should take at most: those who come meanwhile wait for its end.
CALL_SECONDS = 0.025


def leaving() -> Problem:
    return busy("The server is shutting down; ask again later or elsewhere.", "shutting_down")


class Scheduler:
    """Jobs wait in a bounded queue; as many run together as have room for all their tokens."""

    def __init__(self, model: Model, limits: Limits, metrics: Metrics) -> None:
        self.model = model
        self.limits = limits
        self.metrics = metrics
        self.session = model.session
        self.slots: int = self.session.facts["slots"]
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        # When the jobs that are left end, once the server was told to stop.
        self._end: float | None = None
        self._chunk = 1
        self._thread = threading.Thread(target=self._run, name="orion-scheduler", daemon=True)
        self._thread.start()

    def submit(self, jobs: Row[Job]) -> None:
        """Puts all the jobs into the queue; a Problem when that is full. From any thread."""
        with self._changed:
            waiting = len(self._waiting)
            problem = leaving() if self._end is not None else None
            if waiting + len(jobs) > self.limits.queue:
                message = f"{waiting} texts wait already, of at most {self.limits.queue}."
                problem = problem or busy(message, "queue_full")
            if problem is None:
                self._waiting.extend(jobs)
                self._changed.notify()
                return
        self.metrics.add("finished_total", len(jobs), reason=problem.code or "")
        raise problem

    def drain(self, seconds: float) -> None:
        """Takes no more jobs, sends those away that wait, and ends the others after `seconds`."""
        with self._changed:
            self._end = min(self._end or float("inf"), time.monotonic() + seconds)
            self._changed.notify()

    def close(self) -> None:
        """Ends all jobs, and the thread."""
        self.drain(0)
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive() and self._end is None

    def _run(self) -> None:
        self.session.reset()
        self._count()
        while self._wait():
            try:
                self._turn()
            except Exception as error:
                problem = failed(
                    str(error) if isinstance(error, OrionError) else f"A fault of Orion's: {error}"
                )
                for job in list(self._running):
                    self._finish(job, problem=problem)
            self._count()

    def _wait(self) -> bool:
        """Until there is something to do; False when all is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._running or self._end is not None)
            return bool(self._waiting or self._running)

    def _turn(self) -> None:
        self._drop()
        self._admit()
        self._count()
        self._read()
        live = [job for job in self._running if not job.unread]
        if live:
            self._decode(live)

    def _drop(self) -> None:
        """Jobs that nobody waits for any more, or that took too long."""
        now = time.monotonic()
        is_over = self._end is not None and now >= self._end
        with self._changed:
            waiting = list(self._waiting)
            kept = [
                job
                for job in waiting
                if not job.is_cancelled
                and self._end is None
                and now - job.arrived <= self.limits.queue_seconds
            ]
            self._waiting = deque(kept)
        for job in waiting:
            if job.is_cancelled:
                self.metrics.add("finished_total", reason="cancelled")
            elif job not in kept:
                late = busy("The request waited too long for its turn.", "queue_timeout")
                self._finish(job, problem=late if self._end is None else leaving())
        for job in list(self._running):
            if job.is_cancelled:
                self._finish(job, reason="cancelled")
            elif is_over:
                self._finish(job, problem=leaving())
            elif now - job.begun > self.limits.request_seconds:
                seconds = self.limits.request_seconds
                self._finish(job, problem=too_slow(f"The request took over {seconds:g} s."))

    def _used(self) -> int:
        return sum(job.slots(self.session.context) for job in self._running)

    def _room(self) -> int:
        """Slots for jobs: a text that the session itself was given before holds the others."""
        return self.slots - self.session.counters()["length"]

    def _admit(self) -> None:
        """In order: who comes first waits for room, and nobody passes."""
        while True:
            with self._changed:
                if not self._waiting:
                    return
                need = self._waiting[0].slots(self.session.context)
                if self._running and self._used() + need > self._room():
                    return
                job = self._waiting.popleft()
                self._running.append(job)
            job.begun = time.monotonic()
            self.metrics.observe("waiting_seconds", job.begun - job.arrived)
            job.unread = list(job.ids)
            try:
                job.reader = self.session.sequence()
                job.reader.set_adapter(job.adapter)
                job.sampling.apply(job.reader)
            except OrionError as error:
                self._finish(job, problem=failed(str(error)))

    def _read(self) -> None:
        """Some of the prompts, so that those who are answered already do not wait long."""
        room = READ_AT_ONCE
        parts: list[tuple[Job, list[int]]] = []
        for job in self._running:
            if job.unread and room > 0:
                parts.append((job, job.unread[:room]))
                room -= len(parts[-1][1])
        if not parts:
            return
        begun = time.perf_counter()
        for job, part in self._fed(parts):
            del job.unread[: len(part)]
            self.metrics.add("prompt_tokens_total", len(part))
        self.metrics.add("read_seconds_total", time.perf_counter() - begun)

    def _fed(self, parts: Row[tuple[Job, list[int]]]) -> Row[tuple[Job, list[int]]]:
        """Those that were read, in steps that they share."""
        readers = [job.reader for job, _ in parts if job.reader is not None]
        try:
            self.session.feed_batch([part for _, part in parts], readers)
            return parts
        except OrionError as error:
            if len(parts) == 1:
                self._finish(parts[0][0], problem=failed(str(error)))
                return ()
        # One of them fails; which one, each finds out alone.
        return [part for one in parts for part in self._fed([one])]

    def _decode(self, live: Row[Job]) -> None:
        chunk = min(self._chunk, *(job.left for job in live))
        begun = time.perf_counter()
        readers = [job.reader for job in live if job.reader is not None]
        found = self.session.generate_batch(chunk, readers)
        seconds = max(time.perf_counter() - begun, 1e-9)
        self.metrics.add("decode_calls_total")
        self.metrics.add("decode_seconds_total", seconds)
        self.metrics.observe("batch_size", len(live))
        # Few tokens at a time where they come slowly, so that they are seen as they come.
        self._chunk = max(1, min(STREAM_CHUNK, int(chunk * CALL_SECONDS / seconds)))
        for job, (drawn, reason) in zip(live, found, strict=True):
            job.new += drawn
            # A text whose own context is not full waits for a slot; it is never cut short.
            waits = reason == "context" and job.left and job.length < self.session.context
            self._tell(job, drawn, "length" if waits else reason)
        if not any(drawn for drawn, _ in found):
            # Nobody can go on, and what others hold may never be free: the last gives way.
            message = "Texts that the server did not start hold the session's slots."
            self._finish(live[-1], problem=busy(message, "slots_taken"))

    def _tell(self, job: Job, drawn: list[int], reason: str) -> None:
        if drawn and len(drawn) == len(job.new):
            self.metrics.observe("first_token_seconds", time.monotonic() - job.arrived)
        finish = None if reason == "length" and job.left else reason
        try:
            scores = self._scores(job, drawn)
        except OrionError as error:
            self._finish(job, problem=failed(str(error)))
            return
        new, text, finish = told(drawn, finish, job.decoder, job.stops)
        # The end token has no text, and no score.
        shown = len(new) - (reason == "end" and len(new) == len(drawn))
        self.metrics.add("generated_tokens_total", len(new))
        news = News(text, len(new), finish, scores=tuple(scores[:shown]))
        if finish is None:
            job.tell(news)
        else:
            self.metrics.observe("text_seconds", time.monotonic() - job.arrived)
            self._finish(job, news)

    def _scores(self, job: Job, drawn: list[int]) -> list[Score]:
        if job.alternatives is None or job.reader is None:
            return []
        before = len(job.new) - len(drawn)
        last = job.new[before - 1] if before else job.ids[-1]
        read = len(job.ids) + before
        return scored(job.reader, last, read, drawn, job.alternatives)

    def _finish(
        self,
        job: Job,
        news: News | None = None,
        *,
        problem: Problem | None = None,
        reason: str | None = None,
    ) -> None:
        """Frees its slots first, so that whoever hears of the end finds them free."""
        if job in self._running:
            self._running.remove(job)
        if job.reader is not None:
            job.reader.close()
            job.reader = None
        code = problem.code if problem else None
        self.metrics.add("finished_total", reason=(news and news.finish) or code or reason or "")
        self._count()
        if news or problem:
            job.tell(news or News("", 0, problem=problem))

    def _count(self) -> None:
        self.metrics.set(
            {
                "requests_waiting": len(self._waiting),
                "requests_running": len(self._running),
                "slots_used": self._used(),
                "slots": self.slots,
            }
        )
