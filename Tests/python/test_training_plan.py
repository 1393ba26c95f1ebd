"""Plans of a training step against gradients made with PyTorch, in numpy and on devices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plan_runner import Arrays, RunProgram, Step, in_numpy, run_plan
from profiles_for_tests import CPU, M4

from orion import models, weights
from orion.compile.training import TrainingPlan, make_training_plan, program_text
from orion.errors import UsageError
from orion.ir import Arithmetic
from orion.passes import part_attention_gradients
from orion.runtime import Device, Program, profile

MODELS = ["gpt2-tiny", "llama-tiny-gqa", "llama-tiny-tied", "qwen3-tiny"]
# Relative L2 error of a gradient, against the larger of its norm and this share of all of them.
FLOOR = 1e-4
FP32_BOUND, FP16_BOUND = 5e-5, 2e-2
LOSS_SCALE = 1024.0


@dataclass(frozen=True)
class Golden:
    model: models.Model
    tensors: Arrays
    ids: np.ndarray
    loss: float
    gradients: Arrays


@cache
def read_golden(directory: Path) -> Golden:
    checkpoint = weights.load(directory)
    model = models.open_model(checkpoint.config, checkpoint.tensors)
    with np.load(directory / "expected.npz") as file:
        found = {name[5:]: file[name] for name in file.files if name.startswith("grad/")}
        ids, loss = file["input_ids"], float(file["loss"])
    tensors = {name: np.asarray(tensor) for name, tensor in model.tensors.items()}
    return Golden(model, tensors, ids, loss, found)


@pytest.fixture(params=MODELS)
def golden(request: pytest.FixtureRequest, data: Path) -> Golden:
    return read_golden(data / "golden" / request.param)


def plan_of(golden: Golden, facts: dict[str, Any], **options: Any) -> TrainingPlan:
    batch, sequence = golden.ids.shape
    model = golden.model
    return make_training_plan(
        model.family, model.config, facts, sequence=sequence, batch=batch, **options
    )


def largest_error(golden: Golden, step: Step) -> float:
    """Over the parameters under the names and in the shapes of the checkpoint."""
    found = golden.model.family.restore(golden.model.config, step.gradients)
    assert found.keys() == golden.gradients.keys()
    whole = np.sqrt(
        sum(float((g.astype(np.float64) ** 2).sum()) for g in golden.gradients.values())
    )
    return max(
        float(np.linalg.norm(found[name] - expected))
        / max(float(np.linalg.norm(expected)), FLOOR * whole)
        for name, expected in golden.gradients.items()
    )


def on_device(device: Device, plan: TrainingPlan, path: Path) -> RunProgram:
    programs: dict[str, Program] = {}
    dialect = profile(device.profile)["dialect"]
    for name, program in plan.programs.items():
        file = path / f"{name}.bin"
        text, _ = program_text(program, dialect, file)
        programs[name] = Program(device, text, file if file.is_file() else None)
    return lambda name, inputs: programs[name].run(inputs)


@pytest.mark.parametrize("arithmetic", [Arithmetic(), Arithmetic.declared()], ids=["64", "32"])
def test_the_definition_gives_the_references_gradients(
    golden: Golden, arithmetic: Arithmetic
) -> None:
    plan = plan_of(golden, CPU)
    step = run_plan(plan, golden.tensors, golden.ids, in_numpy(plan, arithmetic))
    assert step.loss == pytest.approx(golden.loss, abs=1e-6)
    assert largest_error(golden, step) < FP32_BOUND


def test_cpu_gives_the_references_gradients(golden: Golden, tmp_path: Path) -> None:
    plan = plan_of(golden, CPU)
    run = on_device(Device("cpu"), plan, tmp_path)
    step = run_plan(plan, golden.tensors, golden.ids, run)
    assert step.loss == pytest.approx(golden.loss, abs=1e-5)
    assert largest_error(golden, step) < FP32_BOUND


def test_attention_some_heads_at_a_time(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = read_golden(data / "golden" / "llama-tiny-gqa")
    device = Device("cpu")
    found = []
    for parts in (False, True):
        if parts:
            monkeypatch.setattr(part_attention_gradients, "SCORE_BYTES", 1)
            monkeypatch.setattr(part_attention_gradients, "runs_as_one", lambda _: False)
        plan = plan_of(golden, CPU)
        run = on_device(device, plan, tmp_path)
        found.append(run_plan(plan, golden.tensors, golden.ids, run).gradients)
        slices = len(plan.programs["layer_backward"].graph.walk("slice"))
        assert slices == (4 * 4 if parts else 0)
    for key, gradient in found[0].items():
        np.testing.assert_array_equal(found[1][key], gradient)


def test_fp16_stays_close(golden: Golden) -> None:
    plan = plan_of(golden, M4)
    run = in_numpy(plan, Arithmetic.of(M4))
    step = run_plan(plan, golden.tensors, golden.ids, run, loss_scale=LOSS_SCALE)
    assert step.loss == pytest.approx(golden.loss, abs=1e-3)
    assert largest_error(golden, step) < FP16_BOUND


def test_the_engine_in_software_gives_close_gradients(golden: Golden, tmp_path: Path) -> None:
    plan = plan_of(golden, profile("m4-macos15"))
    run = on_device(Device("sim:m4-macos15"), plan, tmp_path)
    step = run_plan(plan, golden.tensors, golden.ids, run, loss_scale=LOSS_SCALE)
    assert step.loss == pytest.approx(golden.loss, abs=1e-3)
    assert largest_error(golden, step) < FP16_BOUND


@pytest.mark.parametrize("name", ["m1-macos15", "paper"])
def test_other_chips_give_close_gradients(name: str, data: Path, tmp_path: Path) -> None:
    golden = read_golden(data / "golden" / "llama-tiny-gqa")
    plan = plan_of(golden, profile(name))
    run = on_device(Device(f"sim:{name}"), plan, tmp_path)
    step = run_plan(plan, golden.tensors, golden.ids, run, loss_scale=LOSS_SCALE)
    assert largest_error(golden, step) < FP16_BOUND


@pytest.mark.parametrize(
    ("sequence", "batch", "message"),
    [
        (40, 1, "m4-macos15 takes sequences from 32 tokens in multiples of 32, not 40"),
        (256, 1, "the model sees 128 positions, a sequence of 256 is longer"),
        (32, 0, "0 x 32 tokens holds nothing"),
        (128, 1024, "takes 65536 tokens at once, not 1024 x 128"),
    ],
)
def test_sizes_that_do_not_fit(sequence: int, batch: int, message: str, data: Path) -> None:
    model = read_golden(data / "golden" / MODELS[1]).model
    with pytest.raises(UsageError, match=message):
        make_training_plan(model.family, model.config, M4, sequence=sequence, batch=batch)
