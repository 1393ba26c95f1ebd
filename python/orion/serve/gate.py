"""Who may come in: the host they call, their key, the form and size of what they bring."""

from __future__ import annotations

import asyncio
import hmac

from starlette.requests import ClientDisconnect, Request

from orion.serve.problem import Problem, busy
from orion.serve.settings import LOCAL_HOSTS, Address, Limits

# They say nothing of what others ask.
OPEN_PATHS = ("/", "/health")


def check_request(request: Request, address: Address) -> None:
    """A Problem unless the client may ask this."""
    if address.is_local and host_of(request) not in LOCAL_HOSTS:
        # A page elsewhere whose name was made to point at this machine.
        raise Problem(403, "This server answers to this machine's own names.", code="wrong_host")
    if address.api_key is None or request.url.path in OPEN_PATHS:
        return
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    given = key.strip().encode("utf-8", "surrogateescape")
    expected = address.api_key.encode("utf-8", "surrogateescape")
    # The comparison takes as long for a wrong key as for the right one.
    if not hmac.compare_digest(given, expected) or scheme.lower() != "bearer":
        message = "The API key is missing or wrong: Authorization: Bearer KEY."
        headers = {"www-authenticate": "Bearer"}
        raise Problem(401, message, code="invalid_api_key", headers=headers)


def host_of(request: Request) -> str:
    """The host by which the client calls this server, without its port."""
    host = request.headers.get("host", "").lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


class Door:
    """Reads bodies: of bounded length, in bounded time, a bounded number at once."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.inside = 0

    def __enter__(self) -> None:
        """For as long as a request is on its way to the queue."""
        if self.inside >= self.limits.queue:
            raise busy(f"{self.inside} requests are being read already.", "queue_full")
        self.inside += 1

    def __exit__(self, *_exception: object) -> None:
        self.inside -= 1

    async def body(self, request: Request) -> bytes:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Problem(415, "The body is JSON: Content-Type: application/json.")
        declared = request.headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > self.limits.body_bytes:
            raise self._too_long()
        try:
            return await asyncio.wait_for(self._read(request), self.limits.idle_seconds)
        except asyncio.TimeoutError:
            raise Problem(408, "The body took too long to come.", code="timeout") from None
        except ClientDisconnect:
            raise Problem(400, "The client left before the body had come.") from None

    async def _read(self, request: Request) -> bytes:
        content = bytearray()
        async for part in request.stream():
            content += part
            if len(content) > self.limits.body_bytes:
                raise self._too_long()
        return bytes(content)

    def _too_long(self) -> Problem:
        message = f"The body is longer than {self.limits.body_bytes} bytes."
        # What is left of it is not read, so the connection is of no more use.
        return Problem(413, message, code="body_too_long", headers={"connection": "close"})
