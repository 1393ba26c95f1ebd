"""Holds a run's first gradients against fp32: on `cpu`, or in numpy where that is what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..compile.training import make_training_plan
from ..data import Batch
from ..errors import OrionError
from ..runtime import Device, profile
from .executor import Executor
from .learnt import Learnt
from .machine import DeviceMachine, Machine, NumpyMachine
from .parameters import Parameters
from .ranks import Ranks
from .settings import Settings
from .strategy import Inputs

# Largest relative L2 error of a parameter's gradient, where a device computes in fp16 and in fp32.
BOUND_FP16, BOUND_FP32 = 2e-2, 5e-5
# A gradient counts as no smaller than this part of the norm of all of them.
LEAST = 1e-4
# How many parameters an error names.
NAMED = 5


class PartedError(OrionError):
    """Gradients that are not those of the reference."""


class Verifier:
    """Computes a step's gradients a second time, from the same masters and batches."""

    def __init__(
        self, learnt: Learnt, device: Device, sequence: int, settings: Settings, ranks: Ranks
    ) -> None:
        self._ranks = ranks
        source = learnt.source
        is_fp32 = profile(device.profile)["arithmetic"]["storage"] == "declared"
        self.bound = BOUND_FP32 if is_fp32 else BOUND_FP16
        self.name = "numpy" if is_fp32 else "cpu"
        self._machine: Machine = NumpyMachine() if is_fp32 else DeviceMachine(Device("cpu"))
        plan = make_training_plan(
            source.family,
            source.config,
            profile("cpu"),
            sequence=sequence,
            batch=settings.batch_size,
            adapters=learnt.adapters,
        )
        first = learnt.first(settings.seed)
        self._parameters = Parameters(
            plan, self._machine, first, learns=False, in_stretch=ranks.count > 1
        )
        self._strategy = Inputs(plan, self._machine, self._parameters)
        self._executor = Executor(
            plan,
            self._machine,
            self._parameters,
            self._strategy.programs,
            dropout=learnt.adapters.dropout if learnt.adapters else 0.0,
            seed=settings.seed,
        )

    def errors(
        self, parameters: Parameters, batches: Sequence[Batch], numbers: Sequence[int], targets: int
    ) -> dict[str, float]:
        """Of each parameter's gradient, relative; `parameters` still have what made it.

        `numbers` are the batches' in the run, `targets` those of all ranks' batches.
        """
        with parameters.held():
            self._parameters.load(parameters.named())
        self._strategy.write_all(self._parameters)
        self._executor.begin()
        for number, batch in zip(numbers, batches, strict=True):
            self._executor.run(batch, 1.0, targets, number)
        self._executor.finish()
        self._ranks.start(self._parameters.gradients.arena.values)
        self._ranks.finish()
        with parameters.held(), self._parameters.held():
            found = parameters.named(parameters.gradients)
            expected = self._parameters.named(self._parameters.gradients)
            return relative_errors(found, expected)

    def check(self, step: int, errors: Mapping[str, float]) -> dict[str, Any]:
        """What a line of metrics says of them. PartedError beyond the bound."""
        worst = sorted(errors, key=errors.__getitem__, reverse=True)
        if not errors[worst[0]] <= self.bound:
            rows = "; ".join(f"{key} {errors[key]:.3g}" for key in worst[:NAMED])
            raise PartedError(
                f"step {step}: gradients part from those of {self.name} in fp32 by more than"
                f" {self.bound:g} (relative L2): {rows}. Nothing was updated by them. Another"
                " --loss-scale may help where they are small; else this device should not train"
                " this model"
            )
        return {"grad_rel_l2_max": errors[worst[0]], "grad_rel_l2_worst": worst[0]}


def relative_errors(
    found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> dict[str, float]:
    norms = {
        key: float(np.linalg.norm(array.astype(np.float64))) for key, array in expected.items()
    }
    least = LEAST * float(np.linalg.norm(list(norms.values())))
    return {
        key: float(np.linalg.norm(found[key] - array)) / max(norms[key], least, 1e-30)
        for key, array in expected.items()
    }
