"""Small training runs for tests: a task, its options, what a run ends with; the command line."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from orion.train import Trainer

Task = tuple[Path, Path]
DEVICES = ("cpu", "sim:m4-macos15")
OPTIONS: dict[str, Any] = {
    "iters": 12,
    "batch_size": 2,
    "max_seq_length": 32,
    "learning_rate": 1e-2,
    "warmup": 3,
    "lr_schedule": "cosine",
    "save_every": 4,
    "steps_per_eval": 4,
    "val_batches": 1,
}


def make(task: Task, output: Path | None, device: str = "cpu", **more: Any) -> Trainer:
    config, data = task
    resume = more.pop("resume", False)
    options = {**OPTIONS, **more}
    return Trainer(preset=config, data=data, output=output, device=device, resume=resume, **options)


def masters(trainer: Trainer) -> dict[str, np.ndarray]:
    with trainer.learner.parameters.held():
        return {key: array.copy() for key, array in trainer.learner.parameters.named().items()}


def run_through(trainer: Trainer) -> tuple[list[float], dict[str, np.ndarray]]:
    with trainer:
        losses = [line["loss"] for line in trainer.steps()]
        return losses, masters(trainer)


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def command(task: Task, output: Path, *more: object) -> list[str]:
    config, data = task
    words = ["train", "--preset", config, "--data", data, "--device", "cpu", "--output", output]
    for name, value in OPTIONS.items():
        words += [f"--{name.replace('_', '-')}", value]
    return [str(word) for word in (*words, *more)]


def start(task: Task, output: Path, *more: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "orion", *command(task, output, *more)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def steps_written(output: Path) -> int:
    path = output / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def wait_for(output: Path, count: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 120
    while steps_written(output) < count and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.002)
