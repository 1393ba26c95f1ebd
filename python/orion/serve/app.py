"""The routes of the server: requests in, jobs to the scheduler, answers out."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orion.errors import UsageError
from orion.generate import NO_TEXT, Model, Sampling
from orion.serve.asked import Asked, read
from orion.serve.exchange import Exchange, problem_response
from orion.serve.fields import CHAT, COMPLETION
from orion.serve.forms import Form
from orion.serve.gate import Door, check_request
from orion.serve.job import Job
from orion.serve.mailbox import Mailbox
from orion.serve.metrics import Metrics
from orion.serve.problem import Problem, failed
from orion.serve.prompts import Prompts
from orion.serve.scheduler import Scheduler
from orion.serve.settings import Address, Limits
from orion.tokenizer import TokenStream

PAGE = Path(__file__).with_name("page.html")
# The page brings all it needs, and talks to nobody but this server.
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class Service:
    """A model with its scheduler, behind the routes."""

    def __init__(
        self,
        model: Model,
        name: str,
        adapters: tuple[str, ...] = (),
        limits: Limits | None = None,
        address: Address | None = None,
    ) -> None:
        """`adapters`: names of adapters that are open in the model, served beside it as `name`."""
        if not model.tokenizer.has_text:
            raise UsageError(f"{model.source}: {NO_TEXT}")
        self.model = model
        self.limits = limits or Limits()
        self.address = address or Address()
        self.metrics = Metrics()
        self.adapters: dict[str, str | None] = {name: None, **{each: each for each in adapters}}
        for each in adapters:
            with model.session.sequence() as sequence:
                sequence.set_adapter(each)  # raises when it is not open
        self.prompts = Prompts(model, self.limits)
        self.scheduler = Scheduler(model, self.limits, self.metrics)
        self._door = Door(self.limits)
        # The template's process and a tokenizer serve one caller at a time.
        self._text = ThreadPoolExecutor(1, "orion-text")
        routes = [
            Route("/", self._page),
            Route("/health", self._health),
            Route("/metrics", self._metrics),
            Route("/v1/models", self._models),
            Route("/v1/models/{name:path}", self._model),
            Route("/v1/completions", self._completion, methods=["POST"]),
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
        ]
        # Only these are counted by name: a stranger must not make up labels.
        self._paths = {route.path for route in routes}
        inside = Starlette(
            routes=routes,
            exception_handlers={Problem: on_problem, HTTPException: on_http, 500: on_fault},
        )
        self.app = for_origins(self._guarded(inside), self.address.origins)

    def close(self) -> None:
        """Ends all requests; the model stays open."""
        self.scheduler.close()
        self._text.shutdown(cancel_futures=True)
        self.prompts.close()

    def _guarded(self, app: ASGIApp) -> ASGIApp:
        """`app` for those who may ask; counts what all got."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)

            async def counted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route = scope["path"] if scope["path"] in self._paths else "other"
                    status = str(message["status"])
                    self.metrics.add("requests_total", route=route, status=status)
                await send(message)

            try:
                check_request(Request(scope), self.address)
            except Problem as problem:
                return await problem_response(problem)(scope, receive, counted)
            return await app(scope, receive, counted)

        return guarded

    async def _completion(self, request: Request) -> Any:
        return await self._accept(request, COMPLETION)

    async def _chat(self, request: Request) -> Any:
        return await self._accept(request, CHAT)

    async def _accept(self, request: Request, route: str) -> Exchange:
        """The request is in the queue, or a Problem says why not."""
        with self._door:
            asked = read(await self._door.body(request), route, self.limits)
            adapter = self._adapter(asked.model)
            loop = asyncio.get_running_loop()
            ids = await loop.run_in_executor(self._text, self.prompts.ids, asked)
            mailbox = Mailbox(loop)
            jobs = self._jobs(asked, ids, adapter, mailbox)
            self.scheduler.submit(jobs)
        form = Form(
            route,
            asked.model,
            sum(map(len, ids)),
            self.model.tokenizer.stream(skip_special=False).bytes_of,
            with_usage=asked.with_usage,
            with_scores=asked.alternatives is not None,
        )
        return Exchange(
            jobs,
            mailbox,
            form,
            is_streamed=asked.is_streamed,
            idle_seconds=self.limits.idle_seconds,
        )

    def _jobs(
        self, asked: Asked, prompts: list[list[int]], adapter: str | None, mailbox: Mailbox
    ) -> list[Job]:
        """One for each text: `count` of the first prompt, then of the second."""
        return [
            Job(
                ids,
                asked.max_tokens,
                with_seed(asked.sampling, number),
                self.model.stop_strings(asked.stop),
                self._decoder(asked.route, ids),
                adapter,
                partial(mailbox.put, place * asked.count + number),
                asked.alternatives,
            )
            for place, ids in enumerate(prompts)
            for number in range(asked.count)
        ]

    def _decoder(self, route: str, ids: list[int]) -> TokenStream:
        tokenizer = self.model.tokenizer
        decoder = tokenizer.stream()
        if route == COMPLETION or tokenizer.chat_template is None:
            # A continuation's text begins where the prompt's ended.
            for token in ids:
                decoder.push(token)
        return decoder

    def _adapter(self, name: str) -> str | None:
        if name not in self.adapters:
            known = ", ".join(self.adapters)
            message = f"No model is called {name[:100]!r} here; there are: {known}."
            raise Problem(404, message, param="model", code="model_not_found")
        return self.adapters[name]

    async def _page(self, _request: Request) -> Response:
        return HTMLResponse(PAGE.read_bytes(), headers=PAGE_HEADERS)

    async def _health(self, _request: Request) -> Response:
        is_well = self.scheduler.is_alive
        status = "ok" if is_well else "stopping"
        return JSONResponse({"status": status}, 200 if is_well else 503)

    async def _metrics(self, _request: Request) -> Response:
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return PlainTextResponse(self.metrics.text(), headers={"content-type": kind})

    async def _models(self, _request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [facts(name) for name in self.adapters]})

    async def _model(self, request: Request) -> Response:
        name = request.path_params["name"]
        self._adapter(name)
        return JSONResponse(facts(name))


def for_origins(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    """`app` as pages from there may ask it; without any, browsers keep others' pages away."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=["retry-after"],
    )


def with_seed(sampling: Sampling, number: int) -> Sampling:
    """That of a prompt's text of this number; the first is drawn as if it were alone."""
    if sampling.seed is None:
        return sampling
    return replace(sampling, seed=(sampling.seed + number) % (1 << 64))


def facts(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "orion"}


async def on_problem(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return problem_response(problem)


async def on_http(request: Request, error: Exception) -> Response:
    """No such route, or not so."""
    assert isinstance(error, HTTPException)
    if request.method == "OPTIONS" and error.status_code == 405:
        return Response(status_code=204, headers=error.headers)
    message = f"{request.method} {request.url.path[:200]}: {error.detail}."
    headers = dict(error.headers or {})
    return problem_response(Problem(error.status_code, message, headers=headers))


async def on_fault(_request: Request, error: Exception) -> Response:
    return problem_response(failed(f"A fault of Orion's own, {type(error).__name__}."))
