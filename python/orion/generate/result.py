"""What a generation gives: pieces as they come, and all in all; knows no device."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Piece:
    """What came since the piece before: the prompt first, then new tokens."""

    text: str
    ids: list[int]
    seconds: float
    # `length`, `end`, `stop` or `context` on the last piece.
    finish: str | None = None
    # On the last piece, when tokens were guessed: as in Result.
    speculation: dict[str, float] | None = None


@dataclass(frozen=True)
class Result:
    """A finished generation. Counters count since the device was opened."""

    prompt: str
    prompt_ids: list[int]
    new_ids: list[int]
    # The prompt and its continuation.
    text: str
    # `length`: as many tokens as asked for; `end`: the model ended; `stop`: a stop string came;
    # `context`: no room is left.
    finish: str
    device: str
    profile: str
    route: str
    compiles: int
    cache_hits: int
    loads: int
    evals: int
    loaded_programs: int
    prefill_s: float
    decode_s: float
    # The simulator's clock.
    virtual_s: float
    # When tokens were guessed: steps, guesses (drafted), right ones (accepted), and these per step.
    speculation: dict[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def guesses(before: dict[str, int], after: dict[str, int]) -> dict[str, float]:
    """What guessing gave between two readings of a sequence's counters."""
    found: dict[str, float] = {
        name: after[name] - before[name] for name in ("steps", "drafted", "accepted")
    }
    found["accepted_per_step"] = found["accepted"] / max(found["steps"], 1)
    return found


@dataclass(frozen=True)
class Response:
    """A new token, its text, and the rates so far, in tokens per second."""

    text: str
    token: int
    prompt_tokens: int
    prompt_tps: float
    generation_tokens: int
    generation_tps: float
    # `stop` or `length` with the last token.
    finish_reason: str | None = None
