"""Answers in OpenAI's forms, whole and in chunks; knows no model and no connection."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from orion.generate.model import FINISH_REASONS
from orion.serve.fields import CHAT

# route: prefix of ids, object of a whole answer, object of a chunk
NAMES = {
    "chat": ("chatcmpl-", "chat.completion", "chat.completion.chunk"),
    "completion": ("cmpl-", "text_completion", "text_completion"),
}


@dataclass
class Form:
    """One answer on `route` by `model`."""

    route: str
    model: str
    prompt_tokens: int
    with_usage: bool = False
    made: int = field(default_factory=lambda: int(time.time()))
    new_tokens: int = 0

    def __post_init__(self) -> None:
        self.id = NAMES[self.route][0] + secrets.token_hex(12)

    def whole(self, text: str, finish: str) -> dict[str, Any]:
        if self.route == CHAT:
            content: dict[str, Any] = {
                "message": {"role": "assistant", "content": text, "refusal": None}
            }
        else:
            content = {"text": text}
        return {**self._envelope(1, self._choice(content, finish)), "usage": self.usage()}

    def first(self) -> dict[str, Any] | None:
        """What comes before all text, if anything does."""
        if self.route != CHAT:
            return None
        return self._chunk({"delta": {"role": "assistant", "content": ""}}, None)

    def piece(self, text: str, finish: str | None) -> dict[str, Any]:
        if self.route != CHAT:
            return self._chunk({"text": text}, finish)
        return self._chunk({"delta": {"content": text} if text else {}}, finish)

    def last(self) -> dict[str, Any] | None:
        """What comes after all text, for those who asked."""
        return {**self._envelope(2), "usage": self.usage()} if self.with_usage else None

    def usage(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.new_tokens,
            "total_tokens": self.prompt_tokens + self.new_tokens,
        }

    def _chunk(self, content: dict[str, Any], finish: str | None) -> dict[str, Any]:
        chunk = self._envelope(2, self._choice(content, finish))
        return {**chunk, "usage": None} if self.with_usage else chunk

    def _choice(self, content: dict[str, Any], finish: str | None) -> dict[str, Any]:
        reason = FINISH_REASONS[finish] if finish else None
        return {"index": 0, **content, "logprobs": None, "finish_reason": reason}

    def _envelope(self, kind: int, *choices: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": NAMES[self.route][kind],
            "created": self.made,
            "model": self.model,
            "choices": list(choices),
        }
