"""Text from standard input: UTF-8, whatever the locale says, or one message that names the line."""

from __future__ import annotations

import sys

from ..errors import UsageError
from ..files import no_utf8

INPUT = "standard input"


def read_input() -> str:
    """All of it. UsageError names the line that is no UTF-8."""
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(no_utf8(INPUT, error)) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_input_line(number: int) -> str | None:
    """The next one, which is line `number`; None at the end. UsageError when it is no UTF-8."""
    line = sys.stdin.buffer.readline()
    try:
        return line.decode("utf-8") if line else None
    except UnicodeDecodeError as error:
        raise UsageError(f"{INPUT}:{number}: is no UTF-8 text: {error.reason}") from None
