"""What a run is told: schedules, settings, YAML, loss scale, divergence, metrics; no device."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from orion.errors import OrionError, UsageError
from orion.train import Settings, read_config, read_metrics
from orion.train.divergence import Divergence
from orion.train.loss_scale import LEAST, LossScale
from orion.train.metrics import METRICS, MetricsFile
from orion.train.schedule import learning_rate


def rates(schedule: str, steps: list[int], **more: float) -> list[float]:
    how = {"peak": 1.0, "end": 0.1, "warmup": 10, "iters": 110, **more}
    return [learning_rate(step, schedule=schedule, **how) for step in steps]  # type: ignore[arg-type]


def test_schedules() -> None:
    steps = [1, 10, 11, 60, 110, 200]
    assert rates("constant", steps) == pytest.approx([0.1, 1, 1, 1, 1, 1])
    assert rates("linear", steps) == pytest.approx([0.1, 1, 0.991, 0.55, 0.1, 0.1])
    cosine = rates("cosine", steps)
    assert cosine == pytest.approx([0.1, 1, 0.99978, 0.55, 0.1, 0.1], abs=1e-5)
    assert rates("cosine", [1, 5], warmup_init=0.5) == pytest.approx([0.55, 0.75])
    assert rates("cosine", [1, 110], warmup=0, end=0.0) == pytest.approx([0.9998, 0], abs=1e-4)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("iters", 0, "--iters is 1 or more, not 0"),
        ("learning_rate", -1.0, "--learning-rate is above 0"),
        ("learning_rate", math.nan, "--learning-rate is above 0"),
        ("lr_schedule", "step", "--lr-schedule is one of constant, linear, cosine"),
        ("beta2", 1.0, "--beta2 is from 0 up to 1"),
        ("weight_update", "magic", "--weight-update is one of auto, inputs, reload, recompile"),
    ],
)
def test_settings_out_of_range(name: str, value: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Settings(**{name: value})  # type: ignore[arg-type]


def test_a_config_file(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    path = tmp_path / "run.yaml"
    path.write_text(
        "model: here\ndata: there\niters: 30\nlearning_rate: 1e-4\nmax_grad_norm: 2\n"
        "warmup-steps: 7\nmask_prompt: true\n"
        "lr_schedule:\n  name: cosine_decay\n  warmup: 5\n  arguments: [3e-3, 1000, 3e-4]\n"
    )
    found = read_config(path)
    assert found == {
        "model": "here",
        "data": "there",
        "iters": 30,
        "learning_rate": 3e-3,
        "grad_clip": 2.0,
        "warmup": 5,
        "mask_prompt": True,
        "lr_schedule": "cosine",
        "lr_end": 3e-4,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("itres: 3", "there is no setting itres; known are iters"),
        ("iters: soon", "iters takes int, not 'soon'"),
        ("iters: 1.5", "iters takes int"),
        ("mask_prompt: 1", "mask_prompt takes bool"),
        ("- 1", "expected keys with values"),
        ("a: [", "is no YAML"),
        ("lr_schedule: {name: step_decay, arguments: [1]}", "lr_schedule: expected a name of"),
    ],
)
def test_bad_config_files(tmp_path: Path, text: str, message: str) -> None:
    pytest.importorskip("yaml")
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(OrionError, match=message) as error:
        read_config(path)
    assert str(path) in str(error.value)


def test_the_loss_scale_halves_and_doubles() -> None:
    scale = LossScale(8.0, patience=3)
    for overflowed, value in [(True, 4), (False, 4), (False, 4), (False, 8), (False, 8)]:
        scale.note(overflowed)
        assert scale.value == value
    for _ in range(60):
        scale.note(True)
    assert scale.value == LEAST and scale.is_exhausted
    fixed = LossScale(1.0, is_fixed=True)
    fixed.note(True)
    assert fixed.value == 1.0 and fixed.is_exhausted


def test_divergence_is_noticed_and_ordinary_noise_is_not() -> None:
    ordinary = Divergence()
    for step in range(200):
        assert ordinary.note(5 * 0.99**step + 0.3 * (step % 3)) is None
        assert not ordinary.is_doubtful
    uneven = Divergence()
    for step in range(200):
        assert uneven.note(0.4 if step == 0 else 1.3 + 0.2 * (step % 2)) is None
        assert not uneven.is_doubtful, "the first batch was an easy one"
    climbing = Divergence()
    said = [climbing.note(5 + step) for step in range(60)]
    assert said[0] is None and "climbed" in (said[-1] or "") and climbing.is_doubtful
    assert "nan" in (Divergence().note(math.nan) or "")


def test_metrics_forget_what_comes_after_a_resume(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / METRICS)
    for step in range(1, 6):
        file.add({"step": step, "loss": float(step), "grad_norm": math.inf})
    file.close()
    with (tmp_path / METRICS).open("a") as raw:
        raw.write('{"step": 6, "lo')  # killed while writing
    again = MetricsFile(tmp_path / METRICS, after=3)
    again.add({"step": 4, "loss": 40.0})
    again.close()
    assert [row["loss"] for row in read_metrics(tmp_path)] == [1, 2, 3, 40]
    assert all(json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines())
    with pytest.raises(OrionError, match=r"expected metrics\.jsonl"):
        read_metrics(tmp_path / "none")
