"""Where gradients lie: in tensors that programs write at once, or in one stretch of memory."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from training_cases import GOLDEN, Case, golden, next_tokens

from orion.data import Batch
from orion.train.executor import Executor
from orion.train.optimizer import gradient_norm
from orion.train.parameters import Parameters
from orion.train.strategy import Inputs


def gradients(
    case: Case, batches: list[Batch], *, in_stretch: bool, scale: float = 1.0
) -> tuple[dict[str, np.ndarray], float]:
    """Of all batches together, and their norm."""
    tensors = case.source.checkpoint.tensors
    parameters = Parameters(case.plan, case.machine, tensors, in_stretch=in_stretch)
    assert bool(parameters.gradients.tensors) != in_stretch
    strategy = Inputs(case.plan, case.machine, parameters)
    executor = Executor(case.plan, case.machine, parameters, strategy.programs)
    for _ in range(2):  # the second step replaces what the first one left
        executor.begin()
        for batch in batches:
            executor.run(batch, scale, batch.tokens)
        executor.finish()
    with parameters.held():
        found = {key: parameters.gradients[key].copy() for key in parameters.trainable}
    return found, gradient_norm(parameters)


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("count", [1, 3])
def test_tensors_and_a_stretch_hold_the_same(data: Path, name: str, count: int) -> None:
    case, expected = golden(data, name, "cpu")
    batches = [next_tokens(ids) for ids in expected["curve_ids"][:count]]
    whole, norm = gradients(case, batches, in_stretch=True)
    for scale in (1.0, 4.0):  # a power of two changes no bits but is to be divided by
        found, found_norm = gradients(case, batches, in_stretch=False, scale=scale)
        assert found_norm == norm
        for key, expected_values in whole.items():
            assert np.array_equal(found[key], expected_values), key


def test_no_number_shows_in_the_norm(data: Path) -> None:
    case, expected = golden(data, "llama-tiny-tied", "cpu")
    with case.parameters.held():
        case.parameters.master(case.parameters.trainable[-1])[...] = np.nan
    case.strategy.write_all(case.parameters)
    case.executor.begin()
    case.executor.run(next_tokens(expected["input_ids"]), 1.0, 8)
    case.executor.finish()
    assert not math.isfinite(gradient_norm(case.parameters))
