"""Gradients of a model on a device against the reference's, by one step of its training plan.

`expected.npz` may hold `grad/<parameter>` of its loss, by the checkpoint's own names. The error of
a gradient is relative, in the Euclidean norm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orion.compile import read_source
from orion.compile.training import make_training_plan
from orion.data import IGNORED, Batch
from orion.errors import OrionError, UsageError
from orion.runtime import Device, profile
from orion.train.executor import Executor
from orion.train.machine import DeviceMachine
from orion.train.parameters import Parameters
from orion.train.strategy import Inputs
from orion.train.verify import BOUND_FP16, BOUND_FP32, relative_errors

# Small gradients need it in fp16; halved until none overflows.
LOSS_SCALE = 4096.0


@dataclass(frozen=True)
class GradientError:
    """The largest error of a parameter's gradient, and that parameter."""

    largest: float
    parameter: str
    bound: float

    @property
    def passes(self) -> bool:
        """What is no number is never within a bound."""
        return self.largest <= self.bound


def verify_gradients(
    device: Device, model: Path, ids: np.ndarray, expected: Mapping[str, np.ndarray]
) -> GradientError | None:
    """`expected` are the gradients of the mean loss over every next token of `ids` [rows, S].

    None where the device takes no sequence of that length. OrionError when they are of another
    model.
    """
    facts = profile(device.profile)
    source = read_source(model)
    batch = padded(ids, facts["limits"]["width_min"], facts["limits"]["width_multiple"])
    rows, columns = batch.ids.shape
    try:
        plan = make_training_plan(source.family, source.config, facts, sequence=columns, batch=rows)
    except UsageError:
        return None
    machine = DeviceMachine(device)
    parameters = Parameters(plan, machine, source.checkpoint.tensors, learns=False)
    strategy = Inputs(plan, machine, parameters)
    try:
        executor = Executor(plan, machine, parameters, strategy.programs)
        is_fp32 = facts["arithmetic"]["storage"] == "declared"
        run_step(executor, batch, 1.0 if is_fp32 else LOSS_SCALE)
        with parameters.held():
            named = parameters.named(parameters.gradients)
            found = source.family.restore(source.config, named)
            check_names(model, found, expected)
            errors = relative_errors(found, expected)
    finally:
        strategy.close()
    worst = max(errors, key=lambda key: np.nan_to_num(errors[key], nan=np.inf))
    return GradientError(errors[worst], worst, BOUND_FP32 if is_fp32 else BOUND_FP16)


def padded(ids: np.ndarray, least: int, multiple: int) -> Batch:
    """Each token is to foretell the next one. Rows are filled up to a width that is taken; nothing
    is asked of what fills them, and nothing before sees it.
    """
    rows, length = ids.shape
    columns = max(-(-length // multiple) * multiple, least)
    whole = np.zeros((rows, columns), np.int32)
    whole[:, :length] = ids
    targets = np.full((rows, columns), IGNORED, np.int32)
    targets[:, : length - 1] = ids[:, 1:]
    return Batch(whole, targets)


def run_step(executor: Executor, batch: Batch, loss_scale: float) -> None:
    targets = int((batch.targets != IGNORED).sum())
    while True:
        executor.begin()
        outcome = executor.run(batch, loss_scale, targets)
        executor.finish()
        if outcome.is_finite or loss_scale <= 1:
            return
        loss_scale /= 2


def check_names(
    model: Path, found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> None:
    for name, gradient in expected.items():
        shape = found[name].shape if name in found else None
        if shape != gradient.shape:
            what = "which the model has not" if shape is None else f"here {list(shape)}"
            raise OrionError(
                f"{model}: the reference has a gradient of {name} {list(gradient.shape)}, {what};"
                " the two are not of one model"
            )
