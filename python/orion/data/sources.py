"""What a run reads rows from: one stream of ids cut into windows, or examples of their own.

A row is `length + 1` ids: `length` inputs and, one later, as many targets; -1 is no target. Which
row comes n-th depends on the seed and n alone, so a position is one number.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import OrionError
from .examples import Example

IGNORED = -1


class Source(ABC):
    """`rows` are in an epoch; `fill` gives one of them."""

    path: Path
    rows: int
    # Ids that one epoch has, beyond which more of them say nothing new.
    tokens: int

    @abstractmethod
    def fill(self, index: int, shift: int, inputs: np.ndarray, targets: np.ndarray) -> None:
        """Row `index` into two int32 arrays of one length, of which `inputs` holds zeros.

        `shift` moves the windows of a stream from epoch to epoch, so that each cuts elsewhere.
        """

    @property
    def shifts(self) -> int:
        """How many values `shift` may take."""
        return 1


class Stream(Source):
    """Windows of `length` + 1 ids, each beginning where the one before ends."""

    def __init__(self, path: Path, ids: np.ndarray, length: int) -> None:
        if len(ids) < 2:
            raise OrionError(
                f"{path}: holds {len(ids)} tokens, and learning takes at least 2; give more text"
            )
        self.path, self._ids, self._length = path, ids, length
        self.tokens = len(ids)
        whole = (len(ids) - 1) // length
        # One window less, where there are enough, leaves room for the shift.
        self.rows = max(1, whole - 1 if whole > 4 else whole)

    @property
    def shifts(self) -> int:
        return max(1, min(self._length, len(self._ids) - self.rows * self._length))

    def fill(self, index: int, shift: int, inputs: np.ndarray, targets: np.ndarray) -> None:
        first = shift + index * self._length
        window = self._ids[first : first + self._length + 1]
        count = len(window) - 1
        inputs[:count] = window[:-1]
        targets[:] = IGNORED
        targets[:count] = window[1:]


class Rows(Source):
    """Examples, each in a row of its own: cut at the row's end, padded behind its own."""

    def __init__(
        self, path: Path, examples: Sequence[Example], length: int, *, mask_prompt: bool = False
    ) -> None:
        usable = [example for example in examples if len(example.ids) > 1]
        if not usable:
            raise OrionError(
                f"{path}: holds {len(examples)} examples, none of 2 tokens or more; give it texts"
                " to learn"
            )
        self.path, self._examples, self._length = path, usable, length
        self._mask_prompt = mask_prompt
        self.rows = len(usable)
        self.tokens = sum(min(len(example.ids), length + 1) for example in usable)

    @property
    def cut(self) -> list[Example]:
        """The examples that do not fit into a row, the longest first."""
        long = [example for example in self._examples if len(example.ids) > self._length + 1]
        return sorted(long, key=lambda example: -len(example.ids))

    def fill(self, index: int, shift: int, inputs: np.ndarray, targets: np.ndarray) -> None:
        example = self._examples[index]
        window = example.ids[: self._length + 1]
        count = len(window) - 1
        inputs[:count] = window[:-1]
        targets[:] = IGNORED
        targets[:count] = window[1:]
        if self._mask_prompt:
            targets[: example.answer - 1] = IGNORED
