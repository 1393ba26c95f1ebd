"""Answers in OpenAI's forms, whole and in chunks; knows no model and no connection."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from orion.generate.model import FINISH_REASONS
from orion.serve.fields import CHAT
from orion.serve.scores import Score

# route: prefix of ids, object of a whole answer, object of a chunk
NAMES = {
    "chat": ("chatcmpl-", "chat.completion", "chat.completion.chunk"),
    "completion": ("cmpl-", "text_completion", "text_completion"),
}


@dataclass
class Choice:
    """One text of an answer, as far as it has come."""

    text: str = ""
    finish: str | None = None
    scores: list[Score] = field(default_factory=list)
    # All its scored tokens before.
    said: bytes = b""


@dataclass
class Form:
    """One answer on `route` by `model`, of one text or several."""

    route: str
    model: str
    prompt_tokens: int
    # The bytes that a token stands for.
    spell: Callable[[int], bytes]
    with_usage: bool = False
    with_scores: bool = False
    made: int = field(default_factory=lambda: int(time.time()))
    new_tokens: int = 0

    def __post_init__(self) -> None:
        self.id = NAMES[self.route][0] + secrets.token_hex(12)

    def whole(self, choices: Sequence[Choice]) -> dict[str, Any]:
        rows = []
        for index, choice in enumerate(choices):
            content: dict[str, Any] = {"text": choice.text}
            if self.route == CHAT:
                message = {"role": "assistant", "content": choice.text, "refusal": None}
                content = {"message": message}
            rows.append(self._choice(index, content, choice))
        return {**self._envelope(1, *rows), "usage": self.usage()}

    def first(self, index: int) -> dict[str, Any] | None:
        """What comes before all text of a choice, if anything does."""
        if self.route != CHAT:
            return None
        return self._chunk(index, {"delta": {"role": "assistant", "content": ""}}, Choice())

    def piece(self, index: int, new: Choice) -> dict[str, Any]:
        if self.route != CHAT:
            return self._chunk(index, {"text": new.text}, new)
        return self._chunk(index, {"delta": {"content": new.text} if new.text else {}}, new)

    def last(self) -> dict[str, Any] | None:
        """What comes after all text, for those who asked."""
        return {**self._envelope(2), "usage": self.usage()} if self.with_usage else None

    def usage(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.new_tokens,
            "total_tokens": self.prompt_tokens + self.new_tokens,
        }

    def _chunk(self, index: int, content: dict[str, Any], new: Choice) -> dict[str, Any]:
        chunk = self._envelope(2, self._choice(index, content, new))
        return {**chunk, "usage": None} if self.with_usage else chunk

    def _choice(self, index: int, content: dict[str, Any], choice: Choice) -> dict[str, Any]:
        reason = FINISH_REASONS[choice.finish] if choice.finish else None
        scores = self._scores(choice) if self.with_scores else None
        return {"index": index, **content, "logprobs": scores, "finish_reason": reason}

    def _scores(self, choice: Choice) -> dict[str, Any]:
        if self.route == CHAT:
            content = [
                {
                    **self._row(score.token, score.logprob),
                    "top_logprobs": [self._row(*each) for each in score.top],
                }
                for score in choice.scores
            ]
            return {"content": content, "refusal": None}
        offsets, said = [], choice.said
        for score in choice.scores:
            # In characters of the answer; those that are not whole yet do not count.
            offsets.append(len(said.decode("utf-8", "ignore")))
            said += self.spell(score.token)
        return {
            "tokens": [self._name(score.token) for score in choice.scores],
            "token_logprobs": [score.logprob for score in choice.scores],
            "top_logprobs": [
                {self._name(token): logprob for token, logprob in score.top}
                for score in choice.scores
            ],
            "text_offset": offsets,
        }

    def _row(self, token: int, logprob: float) -> dict[str, Any]:
        return {
            "token": self._name(token),
            "logprob": logprob,
            "bytes": list(self.spell(token)),
        }

    def _name(self, token: int) -> str:
        data = self.spell(token)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)

    def _envelope(self, kind: int, *choices: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": NAMES[self.route][kind],
            "created": self.made,
            "model": self.model,
            "choices": list(choices),
        }
