"""Weights are tensors that every evaluation reads: an update writes them, compiling nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from ...compile.training import TrainingPlan
from ...runtime import kernels
from ..machine import Machine, held
from ..parameters import Parameters, rows_from
from .base import Strategy, Writer


class Inputs(Strategy):
    """Where the device's tensors are the masters, an update has written them already."""

    name = "inputs"

    def __init__(self, plan: TrainingPlan, machine: Machine, parameters: Parameters) -> None:
        self.plan = plan
        self.programs = {name: machine.program(row) for name, row in plan.programs.items()}
        self._parameters = parameters
        self._slots = {
            slot: parameters.memories[slot]
            for key in plan.parameters
            for slot in parameters.copies(key)
        }
        self.write_all(parameters)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Writer]:
        with held(self._slots) as views:
            yield TensorWriter(self._parameters, views)


class TensorWriter(Writer):
    """Into the tensors that `parameters` has beside its masters."""

    def __init__(self, parameters: Parameters, views: dict[str, np.ndarray]) -> None:
        self._parameters, self._views = parameters, views

    def whole(self, key: str) -> np.ndarray | None:
        slots = self._parameters.copies(key)
        view = self._views[slots[0]] if len(slots) == 1 else None
        if view is None or view.dtype != np.float16:
            return None
        return view if view.size == self._parameters.plan.parameters[key].size else None

    def write(self, key: str) -> None:
        for slot in self._parameters.copies(key):
            view = self._views[slot]
            first = self._parameters.plan.slots[slot].first_row
            master = rows_from(self._parameters.master(key), first, view.size)
            kernels.convert(master.reshape(view.shape), view)
