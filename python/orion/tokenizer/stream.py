"""Turns ids into text one at a time and never gives half a character; knows no vocabulary."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Collection, Sequence


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

    def bytes_of(self, token: int) -> bytes:
        """What `token` adds in the middle of a text; changes nothing."""
        return self._bytes_after(None, token)

    def flush(self) -> str:
        """What is left at the end: U+FFFD for an unfinished character."""
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return text


class PieceStream(TokenStream):
    """For libraries that decode a text as a whole: what a token adds is what they add for it.

    The start of a text is their own affair (some drop a space there). Later a token's text is seen
    behind `anchor`, a token that has plain text of its own.
    """

    def __init__(
        self,
        decode: Callable[[Sequence[int]], str],
        byte_of: Callable[[int], int | None],
        anchor: int,
        silent: Collection[int] = (),
    ) -> None:
        super().__init__(lambda _previous, token: bytes([token]))
        self._decode = decode
        self._byte_of = byte_of
        self._anchor = anchor
        self._skip = len(decode([anchor]))
        self._silent = silent
        # The tokens so far, as long as they have no text.
        self._head: list[int] = []
        self._has_begun = False

    def push(self, token: int) -> str:
        if token in self._silent:
            return ""
        byte = self._byte_of(token)
        if byte is not None:
            self._has_begun = True
            return super().push(byte)
        broken = self.flush()
        if self._has_begun:
            return broken + self._decode([self._anchor, token])[self._skip :]
        self._head.append(token)
        text = self._decode(self._head)
        self._has_begun = bool(text)
        return broken + text

    def bytes_of(self, token: int) -> bytes:
        if token in self._silent:
            return b""
        byte = self._byte_of(token)
        if byte is not None:
            return bytes([byte])
        return self._decode([self._anchor, token])[self._skip :].encode()
