"""A service on a port until it is told to stop; knows no route."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

import uvicorn

from orion.errors import OrionError
from orion.serve.app import Service
from orion.serve.connection import Connection
from orion.serve.settings import Address, Limits

# Seconds for the last words to requests that end because the server stops.
LAST_WORDS = 5


class Server(uvicorn.Server):
    """Ends on SIGINT and SIGTERM when the running requests have, or after the grace."""

    def __init__(self, service: Service) -> None:
        limits = service.limits
        self.service = service
        self.socket = listen(service.address, limits)
        super().__init__(
            uvicorn.Config(
                service.app,
                lifespan="off",
                ws="none",
                http=Connection,
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                h11_max_incomplete_event_size=1 << 16,
                timeout_keep_alive=int(limits.idle_seconds) or 1,
                limit_concurrency=limits.connections,
                timeout_graceful_shutdown=int(limits.grace_seconds) + LAST_WORDS,
            )
        )

    @property
    def url(self) -> str:
        host, port = self.socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def serve_until_told(self) -> None:
        """Blocks; `should_exit` or a signal ends it."""
        try:
            self.run(sockets=[self.socket])
        finally:
            self.socket.close()

    async def on_tick(self, counter: int) -> bool:
        self.service.metrics.set({"connections": len(self.server_state.connections)})
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.service.scheduler.drain(self.service.limits.grace_seconds)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A signal ends the server, not the process: what it holds is given back after it."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {each: signal.signal(each, self.handle_exit) for each in signals}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first one asks, another one insists."""
        self.force_exit = self.should_exit
        self.should_exit = True


def listen(address: Address, limits: Limits) -> socket.socket:
    """A socket that clients can connect to; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Connections inherit it: bytes that nobody takes do not keep one open for ever.
            milliseconds = int(1000 * limits.idle_seconds) + 1000
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        opened.bind((address.host, address.port))
        opened.listen(min(limits.connections, 2048))
    except (OSError, OverflowError) as error:
        opened.close()
        raise OrionError(
            f"{address.host} port {address.port}: cannot be listened on, {error}; choose others"
            " with --host and --port"
        ) from None
    opened.setblocking(False)
    return opened
