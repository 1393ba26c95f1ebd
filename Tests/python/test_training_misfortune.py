"""Two steps and a save while the n-th operation of the device fails, for every n there is."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
from training_runs import make

from orion.errors import OrionError
from orion.runtime import Device
from orion.train import Trainer

# What goes wrong, and the counter that says how often it can: a cold cache compiles, others load.
FAULTS = (
    ("compile@{n}=refuse", "compiles", True),
    ("compile@{n}=full", "compiles", True),
    ("compile@{n}=disconnect", "compiles", True),
    ("load@{n}=error:6/0x20004", "loads", False),
    ("load@{n}=flip", "loads", False),
    ("eval@{n}=error:8/0x16", "evals", False),
    ("eval@{n}=disconnect", "evals", False),
)
# Of the evaluations every so manyth fails first; two steps have some dozens, all alike.
STRIDE = {"evals": 3}


def train(task: tuple[Path, Path], run: Path, cache: Path, plan: str = "") -> dict[str, Any]:
    """Losses and counters of two steps and a save; an error leaves the device as if unused."""
    with Device("sim", cache_dir=cache) as device:
        device.follow(plan)
        try:
            trainer: Trainer
            with make(task, run, device, iters=2, save_every=1) as trainer:
                losses = [line["loss"] for line in trainer.steps()]
            counters = device.counters()
        finally:
            device.follow("")
            gc.collect()
            loaded = device.counters()["loaded_programs"]
    assert loaded == 0
    return {"losses": losses, **counters}


def leftovers(*folders: Path) -> list[Path]:
    """Temporary files, which nobody would ever take away."""
    marks = (".tmp", ".new-", ".old-")
    files = (path for folder in folders for path in folder.rglob("*"))
    return [path for path in files if any(mark in path.name for mark in marks)]


@pytest.mark.parametrize(("fault", "counter", "is_cold"), FAULTS)
def test_a_run_survives_or_says_so_and_leaves_nothing(
    task: tuple[Path, Path], tmp_path: Path, fault: str, counter: str, is_cold: bool
) -> None:
    warm = tmp_path / "cache"
    cold = train(task, tmp_path / "cold", warm)
    good = train(task, tmp_path / "good", warm)
    assert good["losses"] == cold["losses"]
    count = (cold if is_cold else good)[counter]
    failures = 0
    for n in range(1, count + 1, STRIDE.get(counter, 1)):
        cache = tmp_path / f"cache{n}" if is_cold else warm
        run = tmp_path / f"run{n}"
        try:
            assert train(task, run, cache, fault.format(n=n))["losses"] == good["losses"], n
        except OrionError as error:
            failures += 1
            assert str(error), n
        assert not leftovers(run, cache), n
        resumes = any((run / "checkpoints").glob("step-*"))
        with (
            Device("sim", cache_dir=cache) as device,
            make(task, run, device, iters=2, save_every=1, resume=resumes) as trainer,
        ):
            losses = [line["loss"] for line in trainer.steps()]
        assert losses == good["losses"][2 - len(losses) :], n
    if "error" in fault or "refuse" in fault:
        assert failures
