"""What test_distributed.py runs on two ranks: runs in which a rank does something of its own.

rank_program.py CASE CONFIG DATA OUTPUT; what each rank saw goes to OUTPUT.RANK.json.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from training_runs import OPTIONS

from orion.errors import OrionError
from orion.train import Trainer, checkpoint, find_ranks
from orion.train.executor import Executor, Outcome
from orion.train.ranks import buckets

# Seconds in which a sum must be done while the device stands still.
PATIENCE_S = 60


def overlap(trainer: Trainer) -> None:
    """Before the first layer's gradients are computed, those of the head and the last layer must
    have been summed: nothing goes on until they are.
    """
    learner, ranks = trainer.learner, trainer.ranks
    calls, made = learner.plan.calls, learner._buckets
    (first_layers,) = [
        number for number, call in enumerate(calls) if "d:0" in call.outputs.values()
    ]
    awaited = [stretch for number in made if number < first_layers for stretch in made[number]]
    size = 4 * sum(stretch.stop - stretch.start for stretch in awaited)
    assert size > 0, "nothing could be summed before the first layer's gradients"
    evaluate, seen = Executor._evaluate, []

    def waiting(self: Executor, call: Any, kept: Any = None) -> None:
        if call is calls[first_layers]:
            end = time.monotonic() + PATIENCE_S
            while ranks.summed_bytes < size and time.monotonic() < end:  # type: ignore[attr-defined]
                time.sleep(0.001)
            seen.append(ranks.summed_bytes)  # type: ignore[attr-defined]
        evaluate(self, call, kept)

    Executor._evaluate = waiting  # type: ignore[method-assign]
    lines = list(trainer.steps())
    note(trainer, seen=seen, size=size, early=[line["reduce_early"] for line in lines])


def overflow(trainer: Trainer) -> None:
    """The second rank's gradients overflow at the first two scales."""
    run = Executor.run

    def overflowing(self: Executor, batch: Any, scale: float, *more: Any, **rest: Any) -> Outcome:
        outcome = run(self, batch, scale, *more, **rest)
        return Outcome(outcome.loss, outcome.count, scale <= 1024)

    if trainer.ranks.rank == 1:
        Executor.run = overflowing  # type: ignore[method-assign]
    lines = list(trainer.steps())
    scales = [line["loss_scale"] for line in lines]
    note(trainer, scales=scales, skipped=lines[-1]["skipped"], updates=trainer.learner.updates)


def flip(trainer: Trainer) -> None:
    """The second rank's memory loses a bit."""
    for line in trainer.steps():
        if line["step"] == 2 and trainer.ranks.rank == 1:
            with trainer.learner.parameters.held():
                trainer.learner.parameters.master("model.norm.weight").view(np.uint32).flat[5] ^= 1


def full_disk(trainer: Trainer) -> None:
    def save(*_arguments: Any) -> Path:
        raise OrionError("the disk is full")

    checkpoint.save = save  # type: ignore[assignment]
    list(trainer.steps())


def note(trainer: Trainer, **found: Any) -> None:
    Path(f"{sys.argv[4]}.{trainer.ranks.rank}.json").write_text(json.dumps(found))


CASES: dict[str, tuple[Callable[[Trainer], None], str]] = {
    "overlap": (overlap, "cpu"),
    "overlap-sim": (overlap, "sim"),
    "overflow": (overflow, "sim"),
    "flip": (flip, "cpu"),
    "full_disk": (full_disk, "cpu"),
}


def main() -> None:
    case, config, data, output = sys.argv[1:]
    function, device = CASES[case]
    buckets.make_buckets.__defaults__ = (1,)
    options = {**OPTIONS, "iters": 5, "check_ranks_every": 2}
    with find_ranks() as ranks:
        try:
            with Trainer(
                preset=config, data=data, output=output, device=device, ranks=ranks, **options
            ) as trainer:
                function(trainer)
        except OrionError as error:
            ranks.leave(error, str(error), 1, common=False)


if __name__ == "__main__":
    main()
