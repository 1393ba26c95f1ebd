"""A text on its way through the scheduler, and what comes out of it; knows no web."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from orion.generate import Sampling
from orion.runtime import Sequence
from orion.serve.problem import Problem
from orion.serve.scores import Score
from orion.tokenizer import StopStrings, TokenStream


@dataclass(frozen=True)
class News:
    """Text that came; on the last one why it ended, or what went wrong."""

    text: str
    tokens: int
    finish: str | None = None
    problem: Problem | None = None
    # Of the tokens that have text, when they were asked for.
    scores: tuple[Score, ...] = ()

    @property
    def is_last(self) -> bool:
        return self.finish is not None or self.problem is not None

    def __add__(self, more: News) -> News:
        """Both as one; nothing follows the last one."""
        return News(
            self.text + more.text,
            self.tokens + more.tokens,
            more.finish,
            more.problem,
            self.scores + more.scores,
        )


@dataclass(eq=False)
class Job:
    """Ids to continue. The scheduler's thread changes it; `cancel` may come from another."""

    ids: list[int]
    max_tokens: int
    sampling: Sampling
    stops: StopStrings
    decoder: TokenStream
    adapter: str | None
    # Called in the scheduler's thread; must return at once.
    tell: Callable[[News], None]
    # How many likeliest tokens come with each token's score; None: no scores.
    alternatives: int | None = None
    arrived: float = field(default_factory=time.monotonic)
    begun: float = 0.0
    unread: list[int] = field(default_factory=list)
    new: list[int] = field(default_factory=list)
    reader: Sequence | None = None
    is_cancelled: bool = False

    def cancel(self) -> None:
        """Nobody wants the rest."""
        self.is_cancelled = True

    @property
    def left(self) -> int:
        """Tokens that may still come."""
        return self.max_tokens - len(self.new)

    @property
    def length(self) -> int:
        """Tokens so far, with the prompt's."""
        return len(self.ids) + len(self.new)

    def slots(self, context: int) -> int:
        """Room for all its tokens."""
        return min(len(self.ids) + self.max_tokens, context)
