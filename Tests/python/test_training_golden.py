"""Gradients and loss curves of the golden models, against PyTorch's in fp32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training_cases import BOUNDS, GOLDEN, LOSS_SCALE, golden, next_tokens, relative_errors

from orion.train import Settings
from orion.train.optimizer import gradient_norm, update

DEVICES = ("cpu", "sim:m4-macos15")
SETTINGS = Settings(
    learning_rate=1e-3, beta1=0.9, beta2=0.95, epsilon=1e-8, weight_decay=0.1, grad_clip=0
)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", GOLDEN)
def test_gradients(data: Path, name: str, device: str) -> None:
    case, expected = golden(data, name, device)
    loss, found = case.gradients(next_tokens(expected["input_ids"]), LOSS_SCALE[device])
    assert loss == pytest.approx(float(expected["loss"]), rel=2e-4 if "sim" in device else 1e-6)
    assert {f"grad/{key}" for key in found} == {key for key in expected if key.startswith("grad/")}
    errors = relative_errors(found, expected)
    worst = max(errors, key=errors.__getitem__)
    print(f"{name} on {device}: {worst} {errors[worst]:.2e}")
    assert errors[worst] <= BOUNDS[device][0], worst


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", GOLDEN)
def test_forty_steps(data: Path, name: str, device: str) -> None:
    case, expected = golden(data, name, device)
    compiles = case.machine.counters()["compiles"]
    losses = []
    for step, ids in enumerate(expected["curve_ids"], 1):
        loss, _ = case.gradients(next_tokens(ids), LOSS_SCALE[device])
        losses.append(loss)
        norm = gradient_norm(case.parameters)
        how = {"step": step, "learning_rate": SETTINGS.learning_rate, "norm": norm}
        update(case.parameters, case.strategy, SETTINGS, **how)
    worst = float(np.abs(np.array(losses) / expected["curve_loss"] - 1).max())
    print(f"{name} on {device}: at most {worst:.2e} from the curve")
    assert worst <= BOUNDS[device][1]
    assert case.machine.counters()["compiles"] == compiles


def test_numpy_is_a_machine_too(data: Path) -> None:
    case, expected = golden(data, "llama-tiny-tied", "numpy")
    loss, found = case.gradients(next_tokens(expected["input_ids"]), 1.0)
    assert loss == pytest.approx(float(expected["loss"]), rel=1e-6)
    assert max(relative_errors(found, expected).values()) <= BOUNDS["numpy"][0]
