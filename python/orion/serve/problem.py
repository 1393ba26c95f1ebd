"""What is wrong with a request, in the form that OpenAI's clients understand; knows no route."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# A client that is told to come again may do so after this many seconds.
RETRY_SECONDS = 1


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 - it is an answer too
    """An answer that is an error."""

    status: int
    message: str
    kind: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


def busy(message: str, code: str) -> Problem:
    """The server cannot take the request now; a client comes again by itself."""
    headers = {"retry-after": str(RETRY_SECONDS)}
    return Problem(503, message, "server_error", code=code, headers=headers)


def failed(message: str) -> Problem:
    return Problem(500, message, "server_error", code="generation_failed")


def too_slow(message: str) -> Problem:
    return Problem(504, message, "server_error", code="timeout")


def wrong(param: str | None, message: str, code: str | None = "invalid_value") -> Problem:
    return Problem(400, message, param=param, code=code)
