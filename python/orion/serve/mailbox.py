"""News of a request's texts, from the scheduler's thread to a task of an event loop."""

from __future__ import annotations

import asyncio
import contextlib

from orion.serve.job import News


class Mailbox:
    """What came by now of one text is one piece of news; knows nobody who reads it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._arrived = asyncio.Event()
        # By the number of the text; only the loop's thread touches it.
        self._held: dict[int, News] = {}

    def put(self, index: int, news: News) -> None:
        """From any thread."""
        # The loop may have ended before the scheduler did.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._keep, index, news)

    def _keep(self, index: int, news: News) -> None:
        held = self._held.get(index)
        self._held[index] = news if held is None else held + news
        self._arrived.set()

    async def get(self) -> tuple[int, News]:
        """Of the text that has waited longest, and its number."""
        while not self._held:
            self._arrived.clear()
            await self._arrived.wait()
        index = next(iter(self._held))
        return index, self._held.pop(index)
