"""Ends a text where one of several strings begins, and shows no part of it; knows no token."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UsageError


class StopStrings:
    """Text goes in as it comes; what may be the beginning of a stop string waits inside."""

    def __init__(self, strings: str | Sequence[str]) -> None:
        if isinstance(strings, str):
            strings = [strings]
        if not all(isinstance(string, str) and string for string in strings):
            raise UsageError("A stop string has at least one character.")
        self._strings = tuple(strings)
        self._held = ""
        self.is_over = False

    def __bool__(self) -> bool:
        return bool(self._strings)

    def push(self, text: str) -> str:
        """What can be shown now; nothing after a stop string came, which sets `is_over`."""
        if self.is_over:
            return ""
        text = self._held + text
        found = [
            (place + len(string), place)
            for string in self._strings
            if (place := text.find(string)) >= 0
        ]
        if found:
            self.is_over, self._held = True, ""
            # The one that is complete first, as if the text came a character at a time.
            return text[: min(found)[1]]
        safe = len(text) - self._hold(text)
        self._held = text[safe:]
        return text[:safe]

    def flush(self) -> str:
        """What waited in vain."""
        held, self._held = self._held, ""
        return held

    def _hold(self, text: str) -> int:
        """How long an end of `text` is that begins a stop string."""
        longest = max(map(len, self._strings), default=1) - 1
        return next(
            (
                length
                for length in range(min(longest, len(text)), 0, -1)
                if any(string.startswith(text[-length:]) for string in self._strings)
            ),
            0,
        )
