"""Ways to change a device's weights: all learn the same, and none goes on with old weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_runs import make, masters

from orion.train import Trainer

WAYS = ("inputs", "reload", "recompile")


def learn(trainer: Trainer) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    with trainer:
        return list(trainer.steps()), masters(trainer)


@pytest.mark.parametrize("device", ["cpu", "sim:paper"])
def test_all_ways_learn_the_same(task: tuple[Path, Path], device: str) -> None:
    found = {}
    for way in WAYS:
        trainer = make(task, None, device, iters=4, weight_update=way)
        assert trainer.learner.strategy.name == way, trainer.notes
        lines, final = learn(trainer)
        found[way] = final
        compiles = [line["compiles"] for line in lines]
        losses = [line["loss"] for line in lines]
        print(device, way, compiles, [line["loaded_programs"] for line in lines], losses)
        assert losses[-1] < losses[0]
        assert (compiles[0] == compiles[-1]) == (way != "recompile")
        loaded = [line["loaded_programs"] for line in lines]
        assert len(set(loaded)) == 1
    for way in WAYS:
        for key, array in found["inputs"].items():
            np.testing.assert_allclose(found[way][key], array, rtol=2e-2, atol=1e-2)


def test_the_canary_refuses_reload_where_it_is_stale(task: tuple[Path, Path]) -> None:
    trainer = make(task, None, "sim:m4-macos15", iters=3, weight_update="reload")
    assert trainer.learner.strategy.name == "inputs"
    assert any("--weight-update reload is refused" in note for note in trainer.notes)
    lines, _ = learn(trainer)
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_auto_measures_what_proved_itself(task: tuple[Path, Path]) -> None:
    with make(task, None, "sim:paper", iters=2, weight_update="auto") as trainer:
        (note,) = [note for note in trainer.notes if note.startswith("--weight-update auto")]
        print(note)
        assert trainer.learner.strategy.name in note.split(";")[0]
        lines = list(trainer.steps())
    assert lines[0]["compiles"] == lines[1]["compiles"]
    for device in ("cpu", "sim:m4-macos15"):
        with make(task, None, device, iters=1, weight_update="auto") as trainer:
            assert trainer.learner.strategy.name == "inputs" and not trainer.notes


def test_stale_in_mid_run_is_noticed_within_the_step(task: tuple[Path, Path]) -> None:
    """From the third update on, loads of this device serve what was compiled before."""
    good, _ = learn(make(task, None, "sim:paper", iters=6, weight_update="inputs"))
    trainer = make(task, None, "sim:paper", iters=6, weight_update="reload")
    assert trainer.learner.strategy.name == "reload"
    lines = []
    with trainer:
        for line in trainer.steps():
            lines.append(line)
            if line["step"] == 2:
                trainer.device.follow("load@1+=stale")
    assert [line["weight_update"] for line in lines] == ["reload"] * 2 + ["inputs"] * 4
    assert any("step 3: program" in note and "old weights" in note for note in trainer.notes)
    np.testing.assert_allclose(
        [line["loss"] for line in lines], [line["loss"] for line in good], rtol=1e-3
    )


def test_a_change_too_small_to_show_is_no_staleness(task: tuple[Path, Path]) -> None:
    trainer = make(
        task, None, "sim:paper", iters=2, weight_update="reload", learning_rate=1e-12, warmup=0
    )
    lines, _ = learn(trainer)
    assert [line["weight_update"] for line in lines] == ["reload"] * 2
