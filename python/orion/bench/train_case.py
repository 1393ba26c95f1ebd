"""A training step of Stories110M's shape: seconds, memory, compiles, and the update's bytes.

Each device runs in a process of its own, whose peak of memory is the run's.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..data.tokens import TokenWriter
from ..errors import OrionError
from .machine import Limits
from .rows import Row, make_row

SEQUENCE, MICROBATCHES, VOCABULARY = 256, 4, 32000
PARAMETERS = 109_529_856
# Weights, gradients, two moments read; weights and moments written.
UPDATE_BYTES = 28 * PARAMETERS
# 6 x parameters x tokens, and attention without the causal half.
FLOPS = 702e9
DEVICES = ("cpu", "sim")


def run(limits: Limits, repeats: int, peer: str | None) -> Iterator[Row]:
    if peer is not None:
        raise OrionError(f"train: no peer {peer!r} is known; the case runs alone")
    for device in DEVICES:
        yield from rows_of(device, limits, measure(device, repeats))


def measure(device: str, repeats: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "orion.bench.train_case", device, str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OrionError(f"train on {device} failed:\n{done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows_of(device: str, limits: Limits, found: dict[str, Any]) -> Iterator[Row]:
    lines = found["steps"]
    detail = {
        "peak_gb": found["peak_bytes"] / 1e9,
        "bytes_a_parameter": found["peak_bytes"] / PARAMETERS,
        "compiles": lines[-1]["compiles"],
        "virtual_s": lines[-1]["virtual_s"],
    }
    flops = limits.flops_limit
    yield make_row(
        f"train/{device}/step",
        [line["step_s"] for line in lines],
        "s",
        limit=None if flops is None else FLOPS / (flops * 1e9),
        less_is_better=True,
        detail=detail,
    )
    yield make_row(
        f"train/{device}/update",
        [UPDATE_BYTES / line["update_s"] / 1e9 for line in lines],
        "GB/s",
        limit=limits.copy_limit,
        detail={"seconds": lines[-1]["update_s"]},
    )


def main() -> None:
    """The process of one device: prints its metrics."""
    from ..train import Trainer

    device, repeats = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="orion-bench-") as directory:
        ids = np.random.default_rng(0).integers(0, VOCABULARY, 40 * SEQUENCE * MICROBATCHES)
        with TokenWriter(Path(directory) / "train.bin", VOCABULARY, b"") as writer:
            writer.add(ids)
        trainer = Trainer(
            preset="stories110m",
            data=directory,
            device=device,
            batch_size=1,
            grad_accumulation_steps=MICROBATCHES,
            max_seq_length=SEQUENCE,
            steps_per_eval=0,
            iters=repeats + 1,
            weight_update="inputs",
        )
        lines = [trainer.step() for _ in range(repeats + 1)]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak *= 1 if sys.platform == "darwin" else 1024
        # The first step compiles.
        print(json.dumps({"steps": lines[1:], "peak_bytes": peak}))


if __name__ == "__main__":
    main()
