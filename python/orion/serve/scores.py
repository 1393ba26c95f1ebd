"""How likely the model itself finds the tokens that were drawn; knows no form and no text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orion.runtime import Sequence


@dataclass(frozen=True)
class Score:
    """A token, its natural logarithm of the probability, and the likeliest in its place."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...]


def scored(reader: Sequence, last: int, read: int, drawn: list[int], count: int) -> list[Score]:
    """A score with `count` alternatives for each of `drawn`, which `reader` drew after `last`, the
    last of the `read` tokens before.

    It reads `last` and all of `drawn` once more, in a step of their own, because a step that draws
    keeps no logits. They are those of the model: temperature, the narrowing of the choice and the
    penalty come after them. What is drawn next stays the same.
    """
    if not drawn:
        return []
    reader.truncate(read - 1)
    logits = reader.feed([last, *drawn], logits=len(drawn) + 1)[:-1].astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return [
        Score(token, float(row[token]), best(row, count))
        for token, row in zip(drawn, logits, strict=True)
    ]


def best(row: np.ndarray, count: int) -> tuple[tuple[int, float], ...]:
    """The largest first; of equals the one with the smaller id, which greedy drawing takes too."""
    order = np.argsort(-row, kind="stable")[:count]
    return tuple((int(token), float(row[token])) for token in order)
