"""Programs that hold their weights: which numbers each holds, as they stand in the masters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...compile.manifest import Program
from ...compile.training import TrainingPlan, weights_of
from ...ir.types import DTYPES
from ..parameters import Parameters, rows_from


@dataclass(frozen=True)
class Held:
    """A weight of a program: a parameter, or the rows of it from `first_row` on."""

    name: str
    key: str
    first_row: int
    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    def numbers(self, parameters: Parameters) -> np.ndarray:
        """fp32 in the weight's shape; a view of the master, inside `held`."""
        master = rows_from(parameters.master(self.key), self.first_row, self.size)
        return master.reshape(self.shape)


def held_weights(plan: TrainingPlan, program: Program) -> list[Held]:
    nodes = {node["key"]: node.result.type for node in program.graph.walk("weight")}
    found = []
    for name in weights_of(program):
        key, row = name, 0
        if key not in plan.parameters:
            key, _, text = name.rpartition(":")
            row = int(text)
        kind = nodes[name]
        found.append(Held(name, key, row, np.dtype(DTYPES[kind.dtype]), kind.shape))
    return found
