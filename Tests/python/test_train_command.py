"""`orion train` as a process: what it says, interrupted, killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from training_runs import (
    Task,
    command,
    make,
    run_through,
    start,
    steps_written,
    wait_for,
)

import orion as package
from orion.train import CHECKPOINTS, read_metrics

Orion = Callable[..., SimpleNamespace]


def test_the_command(task: Task, tmp_path: Path, orion: Orion) -> None:
    done = orion(*command(task, tmp_path / "run", "--json", "--steps-per-report", 5))
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["steps"] == 12 and report["device"] == "cpu"
    for part in ("step 5/12", "loss ", "lr ", "tokens/s", "GB", "left", "val loss"):
        assert part in done.err
    made = orion("generate", "--model", report["model"], "--prompt", "one ", "-m", 8, "--json")
    assert made.code == 0, made.err
    assert len(json.loads(made.out)["new_ids"]) == 8
    again = orion("train", "--resume", "--output", tmp_path / "run", "--iters", 14)
    assert again.code == 0 and "resumed after step 12" in again.err, again.err
    assert [line["step"] for line in read_metrics(tmp_path / "run")] == list(range(1, 15))


def test_a_run_goes_on_from_any_directory(
    task: Task, tmp_path: Path, orion: Orion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was named from there is found from here."""
    config, data = task
    monkeypatch.setenv("PYTHONPATH", str(Path(package.__file__).parents[1]))
    monkeypatch.chdir(tmp_path)
    near = (Path(os.path.relpath(config)), Path(os.path.relpath(data)))
    assert orion(*command(near, Path("run"), "--iters", 2)).code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = orion("train", "--resume", "--output", "../run", "--iters", 3)
    assert again.code == 0 and "resumed after step 2" in again.err, again.err


def test_a_config_file_and_its_overrides(task: Task, tmp_path: Path, orion: Orion) -> None:
    pytest.importorskip("yaml")
    config, data = task
    (tmp_path / "c.yaml").write_text(
        f"preset: {config}\ndata: {data}\ndevice: cpu\nadapter_path: {tmp_path / 'run'}\n"
        "iters: 3\nbatch_size: 2\nmax_seq_length: 32\nlearning_rate: 1e-3\n"
    )
    done = orion("train", "-c", tmp_path / "c.yaml", "--iters", 2)
    assert done.code == 0, done.err
    lines = read_metrics(tmp_path / "run")
    assert len(lines) == 2 and lines[0]["learning_rate"] == 1e-3
    bad = orion("train", "-c", tmp_path / "c.yaml", "--batch-size", 0, "-o", tmp_path / "other")
    assert bad.code == 2 and "--batch-size is 1 or more" in bad.err


def test_interrupts_save(task: Task, tmp_path: Path) -> None:
    output = tmp_path / "run"
    process = start(task, output, "--iters", 100000, "--save-every", 0)
    wait_for(output, 3, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "is saved. Go on with: orion train --resume --output" in said
    (kept,) = (output / CHECKPOINTS).iterdir()
    assert kept.name == f"step-{steps_written(output):08d}"


def test_killed_runs_end_as_if_they_were_not(task: Task, tmp_path: Path, orion: Orion) -> None:
    """A few random moments; scripts/train-and-kill has twenty."""
    losses, final = run_through(make(task, None, iters=30, save_every=3))
    output = tmp_path / "run"
    random = np.random.RandomState(os.getpid())
    resume: tuple[str, ...] = ()
    for _ in range(3):
        process = start(task, output, "--iters", 30, "--save-every", 3, *resume)
        wait_for(output, steps_written(output) + 4, process)
        time.sleep(random.uniform(0, 0.05))
        process.kill()
        process.communicate(timeout=60)
        saved = output / CHECKPOINTS
        resume = ("--resume",) if any(saved.glob("step-*")) else ()
        if not resume:
            shutil.rmtree(output)
    again, found = run_through(make(task, output, iters=30, save_every=3, resume=bool(resume)))
    assert again == losses[-len(again) :] if again else True
    assert [line["loss"] for line in read_metrics(output)] == losses
    for key, array in final.items():
        assert np.array_equal(array, found[key]), key
