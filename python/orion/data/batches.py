"""Batches in an order that the seed and the position decide; a position is one number, and resumes.

B = rows of a batch, S = their length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import OrionError
from .sources import IGNORED, Source


@dataclass(frozen=True)
class Batch:
    """int32 [B, S] each; a target is the id after its input, or -1 for none."""

    ids: np.ndarray
    targets: np.ndarray

    @property
    def tokens(self) -> int:
        """How many targets there are to learn."""
        return int(np.count_nonzero(self.targets != IGNORED))


class Batches:
    """Endless: an epoch's rows in an order of their own, then the next epoch's.

    `position` counts the rows given; set it to go on elsewhere. With `part` (r, n) it is the r-th
    of n readers that together read batches of n * `batch` rows; all have the same position.
    """

    def __init__(
        self,
        source: Source,
        batch: int,
        length: int,
        vocabulary: int,
        *,
        seed: int = 0,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        self.source = source
        self._part = part
        self.position = 0
        self._shape = (batch, length)
        self._vocabulary = vocabulary
        self._seed = seed
        self._epoch = -1
        self._shift = 0
        self._order = np.empty(0, np.int64)

    @property
    def epoch(self) -> float:
        """How many times the data were seen so far."""
        return self.position / self.source.rows

    def next(self) -> Batch:
        ids, targets = np.zeros(self._shape, np.int32), np.empty(self._shape, np.int32)
        number, count = self._part
        first = self.position + number * self._shape[0]
        for row in range(self._shape[0]):
            epoch, index = divmod(first + row, self.source.rows)
            if epoch != self._epoch:
                self._begin(epoch)
            self.source.fill(int(self._order[index]), self._shift, ids[row], targets[row])
        self.position += count * self._shape[0]
        check_ids(self.source, ids, targets, self._vocabulary)
        return Batch(ids, targets)

    def _begin(self, epoch: int) -> None:
        random = np.random.Generator(np.random.Philox(key=[self._seed & (2**64 - 1), epoch]))
        self._shift = int(random.integers(self.source.shifts))
        self._order = random.permutation(self.source.rows)
        self._epoch = epoch


def in_order(
    source: Source,
    batch: int,
    length: int,
    vocabulary: int,
    count: int | None,
    part: tuple[int, int] = (0, 1),
) -> list[Batch]:
    """The first `count` batches (None: all) as they stand, the last one filled up with nothing.

    `part` as in Batches.
    """
    number_of_part, parts = part
    wanted = -(-source.rows // (batch * parts))
    batches = []
    for number in range(wanted if count is None else min(count, wanted)):
        ids = np.zeros((batch, length), np.int32)
        targets = np.full((batch, length), IGNORED, np.int32)
        first = (number * parts + number_of_part) * batch
        for row in range(min(batch, source.rows - first)):
            source.fill(first + row, 0, ids[row], targets[row])
        check_ids(source, ids, targets, vocabulary)
        batches.append(Batch(ids, targets))
    return batches


def check_ids(source: Source, ids: np.ndarray, targets: np.ndarray, vocabulary: int) -> None:
    largest = max(int(ids.max()), int(targets.max()))
    if largest >= vocabulary or int(ids.min()) < 0:
        raise OrionError(
            f"{source.path}: holds the token {largest}, and the model's vocabulary ends at"
            f" {vocabulary - 1}; make the tokens with this model's tokenizer (`orion data --model`)"
        )
