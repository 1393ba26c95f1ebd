"""What test_steady_state.py runs under the counting library: done before, then again and counted.

allocation_program.py CASE ARGUMENT...; prints how often the engine's library asked for memory.
"""

from __future__ import annotations

import ctypes
import json
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import orion
from orion.runtime import Device, Program, Session
from orion.runtime.abi import library, library_path

PROMPT = [1, 2, 3]
COUNTER = ctypes.CDLL(None)


def count(work: Callable[[], Any]) -> int:
    """Allocations of the library, on any thread, while `work` runs."""
    COUNTER.allocations_begin()
    work()
    found: int = COUNTER.allocations_end()
    COUNTER.allocations_write(2)
    return found


def least(work: Callable[[], Any], prepare: Callable[[], Any] = lambda: None) -> int:
    """The fewest of some times: a thread gets its own memory when it first has something to do."""
    found = []
    while len(found) < 5 and 0 not in found:
        prepare()
        found.append(count(work))
    return min(found)


def decoding(checkpoint: str) -> dict[str, int]:
    """A hundred tokens more, after as many in a text before: each way of drawing them."""
    ways: dict[str, tuple[dict[str, Any], int]] = {
        "greedy": ({}, 0),
        "sampled": ({"temperature": 0.8, "top_k": 40, "seed": 3}, 0),
        "penalised": ({"temperature": 1.0, "repetition_penalty": 1.3, "min_p": 0.05}, 0),
        "guessed": ({}, 4),
    }
    found = {}
    with orion.load(checkpoint, device="cpu") as model:
        session = model.session

        def begin(sampling: dict[str, Any]) -> None:
            session.reset()
            session.set_sampling(**sampling)
            session.feed(PROMPT)
            session.generate(10)

        for name, (sampling, guesses) in ways.items():
            session.set_speculation(guesses)
            begin(sampling)
            session.generate(100)
            found[name] = least(partial(session.generate, 100), partial(begin, sampling))
    return found


def together(checkpoint: str) -> dict[str, int]:
    """Three texts whose slots lie between each other's, all in the cache's last bucket."""
    with orion.load(checkpoint, device="cpu") as model:
        session: Session = model.session
        counted = []
        for _ in range(3):
            readers = [session.sequence() for _ in range(3)]
            for reader in readers:
                reader.feed(PROMPT)
            session.generate_batch(90, readers)
            counted.append(count(partial(session.generate_batch, 70, readers)))
            for reader in readers:
                reader.close()
    return {"three texts": min(counted)}


def evaluating() -> dict[str, int]:
    """Every op of the comparison as a loaded program, evaluated again."""
    from test_op_comparison import ROWS, make_cases, written

    warnings.simplefilter("ignore")
    found = {}
    device = Device("cpu")
    for row in ROWS:
        opset, cases, random = make_cases(row, 1, False)
        text = written(cases, random, opset, False)
        program = Program(device, text.text())
        program.run(text.arrays)
        tensors = program._take_tensors()
        found[row.title] = least(partial(program.evaluate, *tensors))
        program.close()
    return found


def training(config: str, data: str) -> dict[str, int]:
    """A step of two microbatches: gradients added up, their norm, the update."""
    from training_runs import make

    with make((Path(config), Path(data)), None, grad_accumulation_steps=2) as trainer:
        for _ in range(3):
            trainer.step()
        learner = trainer.learner

        def step() -> None:
            batches = [trainer.batches.next() for _ in range(2)]
            learner.update(4, 1e-3, learner.gradients(batches, 6).norm)

        return {"step": least(step), "loss": least(trainer.evaluate)}


def opening(checkpoint: str) -> dict[str, int]:
    """What surely allocates, to see that it is counted."""
    with orion.load(checkpoint, device="cpu") as model:
        return {"sequence": count(model.session.sequence)}


def main() -> None:
    library()
    assert COUNTER.allocations_watch(str(library_path().resolve()).encode()) > 0
    case, *arguments = sys.argv[1:]
    print(json.dumps(globals()[case](*arguments)))


if __name__ == "__main__":
    main()
