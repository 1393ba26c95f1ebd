"""A run from its first step to its last: what it learns, says, skips, refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_cases import CONFIG
from training_runs import (
    DEVICES,
    Task,
    make,
    masters,
    run_through,
)

from orion import weights
from orion.errors import UsageError
from orion.train import CHECKPOINTS, DivergedError, Trainer, finish, read_metrics
from orion.train.executor import Executor, Outcome

FIELDS = {
    *("step", "loss", "learning_rate", "tokens", "tokens_per_s", "grad_norm", "loss_scale"),
    *("skipped", "compiles", "loaded_programs", "update_s", "step_s", "virtual_s"),
}


@pytest.mark.parametrize("device", DEVICES)
def test_a_run_learns_and_says_so(task: Task, tmp_path: Path, device: str) -> None:
    with make(task, tmp_path / "run", device, iters=40) as trainer:
        lines = list(trainer.steps())
        report = finish(trainer)
    assert lines[0]["loss"] == pytest.approx(math.log(256), rel=0.05)
    assert lines[-1]["loss"] < 0.75 * lines[0]["loss"]
    assert read_metrics(tmp_path / "run") == lines
    for line in lines:
        assert line.keys() >= FIELDS
        assert line["compiles"] == lines[0]["compiles"], "nothing is compiled after the first step"
        assert (line["virtual_s"] > 0) == (device != "cpu")
    assert [line["step"] for line in lines if "val_loss" in line] == list(range(4, 41, 4))
    assert lines[-1]["tokens"] == 40 * 64 and lines[-1]["skipped"] == 0
    assert report["val_loss"] < 0.8 * lines[0]["loss"] and report["steps"] == 40
    back = weights.load(report["model"])
    assert back.config == CONFIG
    assert {tensor.dtype for tensor in back.tensors.values()} == {"fp32"}


def test_accumulated_microbatches_are_one_batch(task: Task) -> None:
    losses, final = run_through(make(task, None, iters=4, batch_size=4))
    again, found = run_through(make(task, None, iters=4, batch_size=1, grad_accumulation_steps=4))
    np.testing.assert_allclose(again, losses, rtol=1e-5)
    for key, array in final.items():
        np.testing.assert_allclose(found[key], array, atol=2e-4)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_widths_that_the_device_pads(task: Task, tmp_path: Path, kind: str) -> None:
    """A stream of 48 channels, where rows hold multiples of 32; gradients stay those of `cpu`."""
    configs = {
        "llama": {**CONFIG, "hidden_size": 48, "tie_word_embeddings": False, "vocab_size": 272},
        "gpt2": {
            "model_type": "gpt2",
            "n_embd": 48,
            "n_layer": 1,
            "n_head": 2,
            "n_positions": 64,
            "vocab_size": 272,
        },
    }
    config = tmp_path / "config.json"
    config.write_text(json.dumps(configs[kind]))
    with make((config, task[1]), None, "sim:m4-macos15", iters=3, verify=2) as trainer:
        assert any(layout.padding for layout in trainer.learner.plan.parameters.values())
        lines = list(trainer.steps())
    assert lines[1]["grad_rel_l2_max"] < 2e-2 and lines[2]["loss"] < lines[0]["loss"]


def test_the_seed_decides(task: Task) -> None:
    first, _ = run_through(make(task, None, iters=2))
    same, _ = run_through(make(task, None, iters=2))
    other, _ = run_through(make(task, None, iters=2, seed=1))
    assert first == same != other


def test_overflow_skips_and_halves(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Executor.run

    def overflowing(self: Executor, batch: Any, scale: float, *more: Any, **rest: Any) -> Outcome:
        outcome = run(self, batch, scale, *more, **rest)
        if scale > 1024:
            self.parameters.gradients.arena.values[3] = np.inf
            return Outcome(outcome.loss, outcome.count, False)
        return outcome

    monkeypatch.setattr(Executor, "run", overflowing)
    with make(task, None, "sim:m4-macos15", iters=5) as trainer:
        before = masters(trainer)
        lines = []
        for line in trainer.steps():
            lines.append(line)
            if line["step"] == 2:
                for key, array in masters(trainer).items():
                    assert np.array_equal(array, before[key]), "a skipped step changes nothing"
        assert [line["loss_scale"] for line in lines] == [4096, 2048, 1024, 1024, 1024]
        assert [line["skipped"] for line in lines] == [1, 2, 2, 2, 2]
        assert trainer.learner.updates == 3
        assert all(np.isfinite(array).all() for array in masters(trainer).values())


def test_real_overflow_is_noticed(task: Task) -> None:
    with make(task, None, "sim:m4-macos15", iters=3, loss_scale=2.0**40) as trainer:
        lines = list(trainer.steps())
        assert lines[0]["skipped"] == 1 and not math.isfinite(lines[0]["grad_norm"])
        assert all(np.isfinite(array).all() for array in masters(trainer).values())


def test_divergence_stops_and_keeps_the_last_good(task: Task, tmp_path: Path) -> None:
    with make(task, tmp_path / "run", iters=4) as trainer:
        list(trainer.steps())
    with (
        make(
            task, tmp_path / "run", resume=True, iters=60, learning_rate=300.0, grad_clip=0
        ) as trainer,
        pytest.raises(DivergedError, match=r"Try a learning rate of 30,.*step-00000004"),
    ):
        list(trainer.steps())
    assert [path.name for path in (tmp_path / "run" / CHECKPOINTS).iterdir()] == ["step-00000004"]


def test_bad_requests(task: Task, tmp_path: Path) -> None:
    config, data = task
    for options, message in (
        ({"max_seq_length": 65}, "beyond the model's context of 64"),
        ({"preset": "nothing"}, "is no preset"),
        ({"model": config, "preset": config}, "Give --model"),
        ({"data": None}, "Give a directory of data"),
    ):
        given: dict[str, Any] = {"preset": config, "data": data, "device": "cpu", **options}
        with pytest.raises(UsageError, match=message):
            Trainer(**given)
