"""A model's numbers while it learns: masters in fp32, gradients' sums and moments, by key.

Gradients and moments lie in one stretch of memory each, and so do the masters, unless the device's
own tensors are fp32 and dense: then they are the masters, and an update copies nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..compile.training import TrainingPlan
from .machine import Machine, Memory

# Values between parameters start on a cache line.
ALIGNED = 16


class Arena:
    """Zeros in one stretch, seen by key in the parameters' stored shapes."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        # By key, with what fills up its last cache line.
        self.places: dict[str, slice] = {}
        end = 0
        for key, shape in shapes.items():
            first, end = end, end + -(-int(np.prod(shape)) // ALIGNED) * ALIGNED
            self.places[key] = slice(first, end)
        self.values = np.zeros(end, np.float32)
        self.views = {
            key: self.values[self.places[key]][: int(np.prod(shape))].reshape(shape)
            for key, shape in shapes.items()
        }

    def __getitem__(self, key: str) -> np.ndarray:
        return self.views[key]


class Parameters:
    """`tensors` are the first numbers, by the family's names, in the checkpoint's shapes.

    Those that never learn have gradients and no moments.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        machine: Machine,
        tensors: Mapping[str, Any],
        *,
        learns: bool = True,
    ) -> None:
        self.plan = plan
        self.trainable = plan.trainable
        shapes = {key: plan.parameters[key].stored for key in plan.parameters}
        learnt = {key: shapes[key] for key in self.trainable}
        self.gradients = Arena(learnt)
        self.first, self.second = (Arena(learnt if learns else {}) for _ in range(2))
        slots = {slot.name: slot for slot in plan.slots.values() if slot.kind == "parameter"}
        # The tensors that programs read, by slot.
        self.memories: dict[str, Memory] = {
            name: machine.memory(slot.shape, slot.dtype) for name, slot in slots.items()
        }
        self.slots_of: dict[str, list[str]] = {key: [] for key in plan.parameters}
        for name, slot in slots.items():
            assert slot.key is not None
            self.slots_of[slot.key].append(name)
        found = {key: self._serves_as_master(key) for key in shapes}
        self._in_place = {key: name for key, name in found.items() if name is not None}
        self._masters = Arena({key: shapes[key] for key in shapes if found[key] is None})
        self._views: dict[str, np.ndarray] | None = None
        for key, layout in plan.parameters.items():
            with self.held():
                self.master(key)[...] = layout.to_stored(np.asarray(tensors[key], np.float32))

    def _serves_as_master(self, key: str) -> str | None:
        layout, slots = self.plan.parameters[key], self.slots_of[key]
        if len(slots) != 1:
            return None
        memory = self.memories[slots[0]]
        with memory as view:
            fits = view.dtype == np.float32 and view.flags.c_contiguous
        return slots[0] if fits and view.size == layout.size else None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Masters are seen, and may be written, inside this block; the device waits."""
        if self._views is not None:
            yield
            return
        with contextlib.ExitStack() as stack:
            slots = set(self._in_place.values())
            self._views = {slot: stack.enter_context(self.memories[slot]) for slot in slots}
            try:
                yield
            finally:
                self._views = None

    def master(self, key: str) -> np.ndarray:
        """fp32 in the stored shape, dense; inside `held`."""
        slot = self._in_place.get(key)
        if slot is None:
            return self._masters[key]
        assert self._views is not None
        return self._views[slot].reshape(self.plan.parameters[key].stored)

    def copies(self, key: str) -> list[str]:
        """The slots that hold a copy of the master, which an update has to write."""
        return [] if key in self._in_place else self.slots_of[key]

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Masters from arrays in the checkpoint's shapes; copies are the strategy's to write."""
        with self.held():
            for key, array in arrays.items():
                self.master(key)[...] = self.plan.parameters[key].to_stored(array)

    def named(self, arena: Arena | None = None) -> dict[str, np.ndarray]:
        """The trainable masters, or an arena's values, in the checkpoint's shapes; inside `held`.

        Views, mostly: take what is to last.
        """
        layouts = self.plan.parameters
        return {
            key: layouts[key].from_stored(self.master(key) if arena is None else arena[key])
            for key in (self.plan.parameters if arena is None else self.trainable)
        }

    @property
    def bytes(self) -> int:
        """Of masters, gradients and moments, and of the device's copies."""
        arenas = (self._masters, self.gradients, self.first, self.second)
        tensors = sum(self.plan.slots[name].bytes for name in self.memories)
        return tensors + sum(arena.values.nbytes for arena in arenas)


def rows_from(total: np.ndarray, first_row: int, size: int) -> np.ndarray:
    """`size` numbers of a dense `total` from a row on, flat; a view."""
    start = first_row * total.shape[-1]
    return total.reshape(-1)[start : start + size]
