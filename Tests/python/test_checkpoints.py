"""Checkpoints: models that anything loads, resumed to the bit, whole or not there, refused."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_cases import CONFIG
from training_runs import (
    DEVICES,
    Task,
    contents,
    make,
    masters,
    run_through,
)

from orion import weights
from orion.errors import OrionError, UsageError
from orion.train import CHECKPOINTS, read_metrics


@pytest.mark.parametrize("device", DEVICES)
def test_resumed_runs_are_the_same_to_the_bit(task: Task, tmp_path: Path, device: str) -> None:
    losses, final = run_through(make(task, None, device))
    for stop in (4, 8):
        output = tmp_path / f"run{stop}"
        with make(task, output, device) as trainer:
            for line in trainer.steps():
                if line["step"] == stop + 1:
                    break  # one step beyond the checkpoint, which is lost
        again, found = run_through(make(task, output, device, resume=True))
        assert again == losses[stop:]
        assert [line["loss"] for line in read_metrics(output)] == losses
        for key, array in final.items():
            assert np.array_equal(array, found[key]), key


def test_checkpoints_are_models(task: Task, tmp_path: Path) -> None:
    with make(task, tmp_path / "run", keep=2, iters=20) as trainer:
        list(trainer.steps())
        final = masters(trainer)
    found = sorted((tmp_path / "run" / CHECKPOINTS).iterdir())
    assert len(found) in (2, 3), "the last two, and the best one"
    assert found[-1].name == "step-00000020"
    tensors = weights.load(found[-1]).tensors
    assert tensors.keys() == final.keys()
    for key, array in final.items():
        assert np.array_equal(np.asarray(tensors[key]), array)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: edit(d, format=2), "has format 2, and this Orion reads 1"),
        (lambda d: (d / "training.json").write_text("{"), "is no checkpoint's state"),
        (lambda d: (d / "optimizer.safetensors").write_bytes(b"x"), "the checkpoint is damaged"),
        (lambda d: (d / "model.safetensors").unlink(), "expected .* bytes, found None"),
    ],
)
def test_bad_checkpoints(
    task: Task, tmp_path: Path, change: Callable[[Path], Any], message: str
) -> None:
    with make(task, tmp_path / "run", iters=1) as trainer:
        list(trainer.steps())
    change(tmp_path / "run" / CHECKPOINTS / "step-00000001")
    with pytest.raises(OrionError, match=message):
        make(task, tmp_path / "run", resume=True)


def edit(directory: Path, **changes: Any) -> None:
    path = directory / "training.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_checkpoint_of_another_model(task: Task, tmp_path: Path) -> None:
    with make(task, tmp_path / "run", iters=1) as trainer:
        list(trainer.steps())
    other = tmp_path / "config.json"
    other.write_text(json.dumps({**CONFIG, "hidden_size": 64}))
    with pytest.raises(OrionError, match="of another model: hidden_size is 32 there and 64 here"):
        make((other, task[1]), tmp_path / "run", resume=True)


def test_one_run_a_directory(task: Task, tmp_path: Path) -> None:
    with make(task, tmp_path / "run", iters=1) as trainer:
        with pytest.raises(UsageError, match="another process trains there"):
            make(task, tmp_path / "run")
        list(trainer.steps())
    with pytest.raises(UsageError, match="holds a run already; --resume"):
        make(task, tmp_path / "run")
    with pytest.raises(OrionError, match="expected a run with checkpoints"):
        make(task, tmp_path / "empty", resume=True)


def test_out_of_disk_leaves_the_old_checkpoint(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    output = tmp_path / "run"
    with make(task, output, iters=8) as trainer:
        steps = trainer.steps()
        for _ in range(7):
            next(steps)
        before = contents(output / CHECKPOINTS)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        try:
            with pytest.raises(OrionError, match=r"cannot be written: .*free some space"):
                next(steps)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
    assert contents(output / CHECKPOINTS) == before
    losses, _ = run_through(make(task, output, iters=8, resume=True))
    assert len(losses) == 4
