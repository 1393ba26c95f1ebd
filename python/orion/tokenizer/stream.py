"""Turns ids into text one at a time and never gives half a character; knows no vocabulary."""

from __future__ import annotations

import codecs
from collections.abc import Callable


class TokenStream:
    """`bytes_after(previous, token)` is what a token adds; unfinished UTF-8 waits for its rest."""

    def __init__(self, bytes_after: Callable[[int | None, int], bytes]) -> None:
        self._bytes_after = bytes_after
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._previous: int | None = None

    def push(self, token: int) -> str:
        """The text that `token` completes."""
        data = self._bytes_after(self._previous, token)
        self._previous = token
        return self._decoder.decode(data)

    def flush(self) -> str:
        """What is left at the end: U+FFFD for an unfinished character."""
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return text
