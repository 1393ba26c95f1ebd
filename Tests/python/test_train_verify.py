"""`--verify N`: the first gradients against fp32, on each device; wrong ones stop the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from training_runs import command, make, masters

from orion.train.executor import Executor
from orion.train.verify import BOUND_FP16, BOUND_FP32, PartedError

Orion = Callable[..., SimpleNamespace]


@pytest.mark.parametrize(("device", "bound"), [("cpu", BOUND_FP32), ("sim:m4-macos15", BOUND_FP16)])
def test_good_gradients_pass(task: tuple[Path, Path], device: str, bound: float) -> None:
    with make(task, None, device, iters=4, verify=2, grad_accumulation_steps=2) as trainer:
        lines = list(trainer.steps())
        assert len(trainer.learner.gradient_errors) == 2
        assert trainer.learner.gradient_errors[0].keys() == set(
            trainer.learner.parameters.trainable
        )
    for line in lines[:2]:
        assert 0 < line["grad_rel_l2_max"] <= bound
        assert line["grad_rel_l2_worst"] in trainer.learner.gradient_errors[0]
    assert "grad_rel_l2_max" not in lines[2]


def test_wrong_gradients_stop_the_run(
    task: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "model.layers.1.mlp.up_proj.weight"
    finish = Executor.finish

    def turned(self: Executor) -> None:
        """As a trainer that mixes up rows and columns."""
        finish(self)
        if self.plan.profile == "m4-macos15":
            gradient: Any = self.parameters.gradients[key]
            gradient[...] = gradient.reshape(-1)[::-1].reshape(gradient.shape)

    monkeypatch.setattr(Executor, "finish", turned)
    with make(task, None, "sim:m4-macos15", verify=1) as trainer:
        before = masters(trainer)
        with pytest.raises(PartedError, match=f"step 1: gradients part .*: {key} 1"):
            list(trainer.steps())
        assert all((array == before[name]).all() for name, array in masters(trainer).items())


def test_the_command_prints_a_table(task: tuple[Path, Path], tmp_path: Path, orion: Orion) -> None:
    done = orion(*command(task, tmp_path / "run", "--verify", 1, "--iters", 2))
    assert done.code == 0, done.err
    assert "gradients of 1 steps against fp32" in done.err
    assert "model.layers.0.self_attn.q_proj.weight" in done.err
