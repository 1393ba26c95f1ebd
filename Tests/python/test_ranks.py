"""How the work of ranks is divided, without MPI: data by rows, gradients by stretches of memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training_runs import Task, make

from orion.data import Batches, Stream, in_order
from orion.errors import OrionError, UsageError
from orion.train.parameters import Arena
from orion.train.ranks import Alone, Ranks, RanksError, find_ranks, make_buckets
from orion.train.ranks.find import LAUNCHERS


def test_parts_are_one_larger_batch(tmp_path: Path) -> None:
    source = Stream(tmp_path, np.arange(203), 8)
    whole = Batches(source, 6, 8, 203, seed=3)
    parts = [Batches(source, 2, 8, 203, seed=3, part=(rank, 3)) for rank in range(3)]
    for _ in range(12):  # over the ends of several epochs
        expected = whole.next()
        found = [part.next() for part in parts]
        assert np.array_equal(np.concatenate([batch.ids for batch in found]), expected.ids)
        assert np.array_equal(np.concatenate([batch.targets for batch in found]), expected.targets)
        assert {part.position for part in parts} == {whole.position}


def test_parts_of_the_validation_data(tmp_path: Path) -> None:
    source = Stream(tmp_path, np.arange(100), 8)
    expected = in_order(source, 4, 8, 100, None)
    parts = [in_order(source, 2, 8, 100, None, part=(rank, 2)) for rank in range(2)]
    assert len(expected) == len(parts[0]) == len(parts[1])
    for whole, first, second in zip(expected, *parts, strict=True):
        assert np.array_equal(np.concatenate([first.targets, second.targets]), whole.targets)


@pytest.mark.parametrize("least", [1, 1 << 14, 1 << 30])
def test_buckets_hold_every_gradient_once_when_it_is_final(task: Task, least: int) -> None:
    with make(task, None) as trainer:
        plan = trainer.learner.plan
        gradients = Arena({key: plan.parameters[key].stored for key in plan.trainable})
    buckets = make_buckets(plan, gradients.places, least)
    counts = np.zeros(gradients.values.size, int)
    ready = {}
    for index, stretches in buckets.items():
        for stretch in stretches:
            counts[stretch] += 1
            ready |= {
                key: index for key, place in gradients.places.items() if within(place, stretch)
            }
    assert (counts == 1).all()
    for index, call in enumerate(plan.calls):
        for slot in call.outputs.values():
            if slot.startswith("g:"):
                assert ready[slot.removeprefix("g:")] >= index
    assert len(buckets) == {1: 4, 1 << 14: 3, 1 << 30: 1}[least]


def within(place: slice, stretch: slice) -> bool:
    return bool(stretch.start <= place.start and place.stop <= stretch.stop)


def test_a_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, _ in LAUNCHERS:
        monkeypatch.delenv(variable, raising=False)
    alone = find_ranks()
    assert isinstance(alone, Alone) and (alone.rank, alone.count) == (0, 1)
    values = np.ones(3, np.float32)
    alone.start(values)
    assert alone.finish().bytes == 0 and values.tolist() == [1, 1, 1]
    assert alone.gather({"a": 1}) == [{"a": 1}] and alone.sum([2, 3]) == [2, 3]
    assert alone.any(True) and not alone.any(False)
    with pytest.raises(UsageError, match="as it was said"):
        alone.together(lambda: complain("as it was said"))


def complain(message: str) -> None:
    raise UsageError(message)


class Pair(Alone):
    """The first of two ranks, of which the other says what it is told to."""

    count = 2

    def __init__(self, other: object) -> None:
        self._other = other

    def gather(self, value: object) -> list[object]:
        return [value, self._other]

    def place(self, rank: int) -> str:
        return f"rank {rank}"

    first, together = Ranks.first, Ranks.together


def test_errors_of_one_rank_are_errors_of_all() -> None:
    other = Pair({"failed": ["no such file", 1]})
    with pytest.raises(RanksError, match=r"^rank 1: no such file$"):
        other.together(lambda: 1)
    with pytest.raises(RanksError, match=r"^no such file$"):
        other.together(lambda: complain("no such file"))
    with pytest.raises(RanksError, match=r"^rank 0: not that; rank 1: no such file$") as caught:
        other.first(lambda: complain("not that"))
    assert caught.value.exit_code == 2 and isinstance(caught.value, OrionError)
    fine = Pair({"value": None})
    assert fine.first(lambda: 7) == 7 and fine.together(lambda: 8) == 8
