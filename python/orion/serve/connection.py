"""One client's connection: not too many, and none that waits for ever; knows no route."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from orion.serve.exchange import problem_response
from orion.serve.problem import Problem, busy

# So many connections beyond the limit are told that they are too many; the others are cut.
TOLD_MAX = 64

TOO_SLOW = Problem(408, "The request took too long to come.", code="timeout")
NO_HTTP = Problem(400, "This is no request of HTTP.", code="invalid_http")


class Connection(H11Protocol):
    """Uvicorn's, with errors in the API's form and a limit of time from the first byte on.

    The configuration's `limit_concurrency` is how many connections may be open, and its
    `timeout_keep_alive` how many seconds a request's head may take to come.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._most = self.limit_concurrency or 0
        self.limit_concurrency = None
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        beyond = len(self.connections) - self._most
        if beyond > TOLD_MAX:
            transport.abort()
        elif beyond > 0:
            self.app = crowded
        self._expect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_asked = self.cycle is not None and not self.cycle.response_complete
        if self.transport.is_closing() or is_asked:
            self._unset()
        elif self._late is None:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset()
        super().connection_lost(exc)

    def _expect(self) -> None:
        """The head of a request, whole."""
        self._late = self.loop.call_later(self.timeout_keep_alive, self._refuse, TOO_SLOW)

    def _unset(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def send_400_response(self, msg: str) -> None:
        self._refuse(NO_HTTP)

    def _refuse(self, problem: Problem) -> None:
        """Instead of an answer, then the connection is over."""
        self._late = None
        if self.transport.is_closing():
            return
        if self.conn.our_state is not h11.IDLE:
            self.transport.close()
            return
        content = json.dumps(problem.body()).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
            (b"connection", b"close"),
        ]
        start = h11.Response(
            status_code=problem.status, headers=headers, reason=STATUS_PHRASES[problem.status]
        )
        for event in (start, h11.Data(data=content), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


async def crowded(scope: Scope, receive: Receive, send: Send) -> None:
    """All that a connection beyond the limit is told."""
    problem = busy("Too many clients are connected.", "too_many_connections")
    problem.headers["connection"] = "close"
    await problem_response(problem)(scope, receive, send)
