"""A server on a free port, for tests; knows no request."""

import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import httpx
import openai

from orion.generate import Model
from orion.serve.app import Service
from orion.serve.server import Server
from orion.serve.settings import Address, Limits

NAME = "stories"


class Serving:
    """A service in threads of this process, until the block ends; the model stays open."""

    def __init__(
        self,
        model: Model,
        adapters: tuple[str, ...] = (),
        api_key: str | None = None,
        origins: tuple[str, ...] = (),
        **limits: float,
    ) -> None:
        address = Address(port=0, api_key=api_key, origins=origins)
        self.service = Service(model, NAME, adapters, Limits(**limits), address)
        self.server = Server(self.service)
        self.url = self.server.url
        self.thread = threading.Thread(target=self.server.serve_until_told)

    def __enter__(self) -> "Serving":
        self.thread.start()
        wait_for(lambda: self.server.started)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()
        self.service.close()

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(60)
        assert not self.thread.is_alive()

    def client(self, **options: Any) -> openai.OpenAI:
        options = {"api_key": "any", "max_retries": 0, "timeout": 60, **options}
        return openai.OpenAI(base_url=f"{self.url}/v1", **options)

    def post(self, path: str = "/v1/completions", **options: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", timeout=60, **options)

    def count(self, name: str, **labels: str) -> float:
        return self.service.metrics.value(name, **labels)

    def is_idle(self) -> bool:
        names = ("requests_running", "requests_waiting", "slots_used")
        return not any(self.count(name) for name in names)


def greedy_texts(model: Model, prompts: Iterable[str], count: int) -> dict[str, str]:
    """What `generate` makes of each prompt; the session is empty again."""
    found = {}
    for prompt in prompts:
        pieces = list(model.stream(prompt, count))
        found[prompt] = "".join(piece.text for piece in pieces[1:])
    model.session.reset()
    return found


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> None:
    """Fails when it does not come true; a limit, not a measurement."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.005)
