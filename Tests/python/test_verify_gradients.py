"""`orion verify` on gradients: what passes, what is seen, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import copy_of
from plan_runner import in_numpy, run_plan
from profiles_for_tests import CPU
from test_training_plan import read_golden

from orion.compile.training import make_training_plan
from orion.data import IGNORED
from orion.errors import OrionError
from orion.ir import Arithmetic
from orion.runtime import Device
from orion.verify import read_reference, verify_gradients
from orion.verify.gradients import padded

NAME = "llama-tiny-tied"
WRONG = "model.layers.1.self_attn.q_proj.weight"


@pytest.mark.parametrize(("device", "bound"), [("cpu", 5e-5), ("sim:m4-macos15", 2e-2)])
def test_one_number_of_one_parameter_is_seen(data: Path, device: str, bound: float) -> None:
    model = data / "golden" / NAME
    reference = read_reference(model)
    opened = Device(device)
    error = verify_gradients(opened, model, reference.input_ids, reference.gradients)
    assert error is not None
    assert error.bound == bound
    assert error.passes
    changed = {name: gradient.copy() for name, gradient in reference.gradients.items()}
    changed[WRONG][3, 5] += 2 * bound * np.linalg.norm(changed[WRONG])
    error = verify_gradients(opened, model, reference.input_ids, changed)
    assert error is not None
    assert error.parameter == WRONG
    assert bound < error.largest < 4 * bound
    assert not error.passes


def test_what_fills_a_row_up_changes_nothing(data: Path) -> None:
    model = data / "golden" / NAME
    ids = read_reference(model).input_ids[:, :40]
    batch = padded(ids, 32, 32)
    assert batch.ids.shape == (2, 64)
    assert (batch.targets[:, 39:] == IGNORED).all()
    np.testing.assert_array_equal(batch.targets[:, :39], ids[:, 1:])
    golden = read_golden(model)
    plan = make_training_plan(golden.model.family, golden.model.config, CPU, sequence=40, batch=2)
    run = in_numpy(plan, Arithmetic())
    expected = run_plan(plan, golden.tensors, ids, run).gradients
    for name in ("cpu", "sim:m4-macos15"):
        error = verify_gradients(Device(name), model, ids, expected)
        assert error is not None
        assert error.passes, error


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("model.layers.7.mlp.up_proj.weight", (172, 64), "which the model has not; the two"),
        (WRONG, (64, 32), r"q_proj.weight \[64, 32\], here \[64, 64\]; the two are not of one"),
    ],
)
def test_gradients_of_another_model(
    data: Path, name: str, shape: tuple[int, ...], message: str
) -> None:
    model = data / "golden" / NAME
    ids = read_reference(model).input_ids
    with pytest.raises(OrionError, match=message):
        verify_gradients(Device("cpu"), model, ids, {name: np.zeros(shape, np.float32)})


def test_the_command_fails_by_a_wrong_gradient(
    data: Path, tmp_path: Path, orion: Callable[..., Any]
) -> None:
    model = copy_of(data / "golden" / NAME, tmp_path / NAME)
    with np.load(model / "expected.npz") as file:
        arrays = dict(file)
    arrays[f"grad/{WRONG}"] = arrays[f"grad/{WRONG}"] * np.float32(1.001)
    np.savez(model / "expected.npz", **arrays)
    done = orion("verify", "--model", model, "--device", "cpu")
    assert done.code == 1
    assert f"the gradient of {WRONG} is off by 0.00099" in done.err
    arrays = {name: array for name, array in arrays.items() if not name.startswith("grad/")}
    np.savez(model / "expected.npz", **arrays)
    done = orion("verify", "--model", model, "--device", "cpu")
    assert done.code == 0
    assert "not compared" in done.out
