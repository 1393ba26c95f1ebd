"""A training step of Stories110M's shape: seconds, memory, compiles, and the update's bytes.

Each device runs in a process of its own, whose peak of memory is the run's, once with all sequences
in one batch and, which takes less memory, once with a batch for each. Peers, in turn with the
first on `cpu`: `jax`, `torch` (eager) and `torch-compile`, one batch of all sequences.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..data.tokens import TokenWriter
from ..runtime.memory import peak_memory
from .machine import Limits
from .peer import check_modules, start_ours, start_peer
from .rows import Row, make_row
from .worker import Worker

LAYERS, CHANNELS, HIDDEN, HEADS, VOCABULARY = 12, 768, 2048, 12, 32000
SEQUENCE, SEQUENCES = 256, 4
PARAMETERS = 109_529_856
# Weights, gradients, two moments read; weights and moments written.
UPDATE_BYTES = 28 * PARAMETERS
# 6 x parameters x tokens, and attention without the causal half.
FLOPS = 702e9
# Name, device, sequences of a microbatch.
RUNS = (
    ("cpu", "cpu", SEQUENCES),
    ("cpu in microbatches", "cpu", 1),
    ("sim", "sim", SEQUENCES),
)
# Name, script of workers/, what its Python must have, what it gets after the shape.
PEERS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "jax": ("train_jax", ("jax",), ()),
    "torch": ("train_torch", ("torch",), ("eager",)),
    "torch-compile": ("train_torch", ("torch",), ("compile",)),
}


def run(limits: Limits, repeats: int, peer: str | None) -> Iterator[Row]:
    for number, (name, device, batch) in enumerate(RUNS):
        with ExitStack() as stack:
            workers = [stack.enter_context(start_ours(name, __name__, device, str(batch)))]
            if peer is not None and number == 0:
                workers.append(stack.enter_context(start(peer)))
            found = measured(workers, repeats)
        yield from rows_of(name, limits, found[0], (peer, found[1]) if len(found) > 1 else None)


def checks() -> dict[str, Callable[[], None]]:
    """For each peer what raises OrionError when it cannot be run."""
    return {name: partial(check_modules, name, row[1]) for name, row in PEERS.items()}


def start(peer: str) -> Worker:
    script, _, rest = PEERS[peer]
    shape = (LAYERS, CHANNELS, HIDDEN, HEADS, VOCABULARY, SEQUENCE, SEQUENCES)
    return start_peer(peer, script, *(str(each) for each in shape), *rest)


def measured(workers: list[Worker], repeats: int) -> list[list[dict[str, Any]]]:
    """Steps of all in turn; the first of each, which compiles, is left out."""
    found: list[list[dict[str, Any]]] = [[] for _ in workers]
    for _ in range(repeats + 1):
        for worker, lines in zip(workers, found, strict=True):
            lines.append(worker.ask())
    return [lines[1:] for lines in found]


def rows_of(
    name: str,
    limits: Limits,
    lines: list[dict[str, Any]],
    peer: tuple[str | None, list[dict[str, Any]]] | None = None,
) -> Iterator[Row]:
    last = lines[-1]
    detail = {
        "peak_gb": last["peak_bytes"] / 1e9,
        "bytes_a_parameter": last["peak_bytes"] / PARAMETERS,
        "compiles": last["compiles"],
        "virtual_s": last["virtual_s"],
    }
    if peer is not None:
        detail["peer_peak_gb"] = peer[1][-1]["peak_bytes"] / 1e9
    flops = limits.flops_limit
    yield make_row(
        f"train/{name}/step",
        [line["step_s"] for line in lines],
        "s",
        limit=None if flops is None else FLOPS / (flops * 1e9),
        peer=(peer[0], [line["step_s"] for line in peer[1]]) if peer and peer[0] else None,
        less_is_better=True,
        detail=detail,
    )
    yield make_row(
        f"train/{name}/update",
        [UPDATE_BYTES / line["update_s"] / 1e9 for line in lines],
        "GB/s",
        limit=limits.copy_limit,
        detail={"seconds": last["update_s"]},
    )


def main() -> None:
    """The process of one device: a step, and its metrics, for every line that comes in."""
    from ..train import Trainer

    device, batch = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="orion-bench-") as directory:
        ids = np.random.default_rng(0).integers(0, VOCABULARY, 40 * SEQUENCE * SEQUENCES)
        with TokenWriter(Path(directory) / "train.bin", VOCABULARY, b"") as writer:
            writer.add(ids)
        trainer = Trainer(
            preset="stories110m",
            data=directory,
            device=device,
            batch_size=batch,
            grad_accumulation_steps=SEQUENCES // batch,
            max_seq_length=SEQUENCE,
            steps_per_eval=0,
            iters=1000,
            weight_update="inputs",
        )
        for _ in sys.stdin:
            line = dict(trainer.step())
            line["peak_bytes"] = peak_memory()
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
