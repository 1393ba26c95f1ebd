"""What a server allows, as rows; knows no request and no model."""

from __future__ import annotations

from dataclasses import dataclass

from orion.errors import UsageError


@dataclass(frozen=True)
class Limit:
    """One number that a user may set, as `--name` on the command line."""

    name: str
    default: float
    least: float
    says: str

    @property
    def is_whole(self) -> bool:
        return isinstance(self.default, int)


LIMITS = (
    Limit("queue", 64, 1, "texts that may wait for their turn; more are told to come again"),
    Limit("choices", 16, 1, "texts that one request may ask for: its prompts, times n"),
    Limit("connections", 512, 1, "clients that may be connected at once"),
    Limit("body_bytes", 1 << 20, 64, "the longest body of a request"),
    Limit("prompt_tokens", 1 << 20, 1, "the longest prompt; the model's context is a limit anyway"),
    Limit("max_tokens", 4096, 1, "the most new tokens that a request may ask for"),
    Limit("default_tokens", 256, 1, "new tokens for requests that do not say how many"),
    Limit("queue_seconds", 60.0, 0, "how long a request may wait for its turn"),
    Limit("request_seconds", 300.0, 0, "how long a request may take from its turn on"),
    Limit("idle_seconds", 30.0, 0, "how long a client may take to send or to read on"),
    Limit("grace_seconds", 10.0, 0, "how long requests may go on when the server is told to stop"),
)


class Limits:
    """The limits by name: those given, and the defaults of the others."""

    queue: int
    choices: int
    connections: int
    body_bytes: int
    prompt_tokens: int
    max_tokens: int
    default_tokens: int
    queue_seconds: float
    request_seconds: float
    idle_seconds: float
    grace_seconds: float

    def __init__(self, **given: float) -> None:
        for limit in LIMITS:
            value = given.pop(limit.name, limit.default)
            if not limit.least <= value < float("inf"):
                raise UsageError(f"{limit.name} is {limit.least} or more, not {value}.")
            setattr(self, limit.name, value)
        if given:
            raise UsageError(f"No limit of a server is called {', '.join(given)}.")
        self.choices = min(self.choices, self.queue)
        self.default_tokens = min(self.default_tokens, self.max_tokens)


@dataclass(frozen=True)
class Address:
    """Where the server listens, and who may talk to it."""

    host: str = "127.0.0.1"
    port: int = 8080
    api_key: str | None = None
    # Pages from there may ask, by a browser; "*" are all.
    origins: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        return self.host in LOCAL_HOSTS


# What a browser or client on this machine may call it.
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
