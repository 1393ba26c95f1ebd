"""One answer on its way to a client, who may leave or hang; knows no model."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from orion.serve.forms import Choice, Form
from orion.serve.job import Job, News
from orion.serve.mailbox import Mailbox
from orion.serve.problem import Problem

STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Exchange:
    """Answers as an ASGI application; cancels the jobs, one a text, when nobody listens."""

    def __init__(
        self,
        jobs: Sequence[Job],
        mailbox: Mailbox,
        form: Form,
        *,
        is_streamed: bool,
        idle_seconds: float,
    ) -> None:
        self.jobs = jobs
        self.mailbox = mailbox
        self.form = form
        self.is_streamed = is_streamed
        self.idle_seconds = idle_seconds
        self.choices = [Choice() for _ in jobs]

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
            for job in self.jobs:
                job.cancel()
            for task in (answer, gone):
                task.cancel()
            await asyncio.gather(answer, gone, return_exceptions=True)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.is_streamed:
            await self._stream(scope, receive, send)
            return
        while not all(choice.finish for choice in self.choices):
            index, news = await self._news()
            choice = self.choices[index]
            if news.problem:
                await problem_response(news.problem)(scope, receive, send)
                return
            choice.text += news.text
            choice.scores += news.scores
            choice.finish = news.finish
        await JSONResponse(self.form.whole(self.choices))(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        index, news = await self._news()
        if news.problem:
            await problem_response(news.problem)(scope, receive, send)
            return
        start: Message = {"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS}
        await self._send(send, start)
        for each in range(len(self.choices)):
            await self._event(send, self.form.first(each))
        while not news.problem:
            choice = self.choices[index]
            choice.finish = news.finish
            if news.text or news.finish or news.scores:
                new = Choice(news.text, news.finish, list(news.scores), choice.said)
                await self._event(send, self.form.piece(index, new))
                choice.said += b"".join(self.form.spell(score.token) for score in news.scores)
            if all(each.finish for each in self.choices):
                await self._event(send, self.form.last())
                break
            index, news = await self._news()
        else:
            await self._event(send, news.problem.body())
        await self._send(send, body(b"data: [DONE]\n\n", more=False))

    async def _news(self) -> tuple[int, News]:
        index, news = await self.mailbox.get()
        self.form.new_tokens += news.tokens
        return index, news

    async def _event(self, send: Send, value: dict[str, Any] | None) -> None:
        if value is not None:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            await self._send(send, body(b"data: " + text.encode() + b"\n\n", more=True))

    async def _send(self, send: Send, message: Message) -> None:
        sending = asyncio.ensure_future(send(message))
        try:
            # `wait_for` forgets, before Python 3.12, a cancellation that comes as the message ends.
            await asyncio.wait({sending}, timeout=self.idle_seconds)
        finally:
            is_taken = sending.done()
            sending.cancel()
        if not is_taken:
            raise asyncio.TimeoutError
        sending.result()


def body(content: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


async def left(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def problem_response(problem: Problem) -> JSONResponse:
    return JSONResponse(problem.body(), problem.status, headers=problem.headers)
