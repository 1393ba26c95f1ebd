"""How the next token is drawn, as users say it; checked here, carried out by the session."""

import math
import secrets
from dataclasses import dataclass

from orion.errors import UsageError
from orion.runtime import Reader


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn: `temp` 0 takes the likeliest, the rest narrow the choice.

    `seed` None draws a seed.
    """

    temp: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        rows = (
            ("temp", self.temp, 0 <= self.temp < math.inf, "0 or more"),
            ("top_p", self.top_p, 0 < self.top_p <= 1, "over 0 and at most 1"),
            ("top_k", self.top_k, 0 <= self.top_k < 1 << 31, "0 (all tokens) or more"),
            ("min_p", self.min_p, 0 <= self.min_p <= 1, "from 0 to 1"),
            (
                "repetition_penalty",
                self.repetition_penalty,
                0 < self.repetition_penalty < math.inf,
                "over 0",
            ),
            ("seed", self.seed, self.seed is None or 0 <= self.seed < 1 << 64, "from 0 to 2^64-1"),
        )
        for name, value, fits, expected in rows:
            if not fits:
                raise UsageError(f"{name} is {expected}, not {value}.")

    def apply(self, session: Reader) -> None:
        session.set_sampling(
            temperature=self.temp,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            seed=secrets.randbits(64) if self.seed is None else self.seed,
        )
