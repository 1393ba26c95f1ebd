"""One answer on its way to a client, who may leave or hang; knows no model."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from orion.serve.forms import Form
from orion.serve.job import Job, News
from orion.serve.problem import Problem

STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Mailbox:
    """News from the scheduler's thread to a task of `loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: asyncio.Queue[News] = asyncio.Queue()

    def put(self, news: News) -> None:
        # The loop may have ended before the scheduler did.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._queue.put_nowait, news)

    async def get(self) -> News:
        """What came by now, as one."""
        news = await self._queue.get()
        while not news.is_last and not self._queue.empty():
            more = self._queue.get_nowait()
            tokens = news.tokens + more.tokens
            news = News(news.text + more.text, tokens, more.finish, more.problem)
        return news


class Exchange:
    """Answers as an ASGI application; cancels the job when nobody listens."""

    def __init__(
        self, job: Job, mailbox: Mailbox, form: Form, *, is_streamed: bool, idle_seconds: float
    ) -> None:
        self.job = job
        self.mailbox = mailbox
        self.form = form
        self.is_streamed = is_streamed
        self.idle_seconds = idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = asyncio.create_task(self._answer(scope, receive, send))
        gone = asyncio.create_task(left(receive))
        try:
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                # A client that does not read counts as gone.
                with contextlib.suppress(asyncio.TimeoutError, OSError):
                    answer.result()
        finally:
            self.job.cancel()
            for task in (answer, gone):
                task.cancel()
            await asyncio.gather(answer, gone, return_exceptions=True)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.is_streamed:
            await self._stream(send)
            return
        text = ""
        while True:
            news = await self._news()
            text += news.text
            if news.problem:
                await problem_response(news.problem)(scope, receive, send)
                return
            if news.finish:
                await JSONResponse(self.form.whole(text, news.finish))(scope, receive, send)
                return

    async def _stream(self, send: Send) -> None:
        news = await self._news()
        if news.problem:
            response = problem_response(news.problem)
            await response({"type": "http"}, no_more, send)
            return
        start: Message = {"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS}
        await self._send(send, start)
        await self._event(send, self.form.first())
        while not news.problem:
            if news.text or news.finish:
                await self._event(send, self.form.piece(news.text, news.finish))
            if news.finish:
                await self._event(send, self.form.last())
                break
            news = await self._news()
        else:
            await self._event(send, news.problem.body())
        await self._send(send, body(b"data: [DONE]\n\n", more=False))

    async def _news(self) -> News:
        news = await self.mailbox.get()
        self.form.new_tokens += news.tokens
        return news

    async def _event(self, send: Send, value: dict[str, Any] | None) -> None:
        if value is not None:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            await self._send(send, body(b"data: " + text.encode() + b"\n\n", more=True))

    async def _send(self, send: Send, message: Message) -> None:
        await asyncio.wait_for(send(message), self.idle_seconds)


def body(content: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


async def left(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def no_more() -> Message:
    return {"type": "http.disconnect"}


def problem_response(problem: Problem) -> JSONResponse:
    return JSONResponse(problem.body(), problem.status, headers=problem.headers)
