"""A model's numbers while it learns: masters in fp32, gradients' sums and moments, by key.

Moments lie in one stretch of memory each, and so do masters and gradients, unless the device's own
tensors are fp32 and dense: then these are the masters, of which an update makes no copies, and
programs write gradients where they belong.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..compile.training import Slot, TrainingPlan
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


class Numbers:
    """fp32 by key, dense in the stored shapes: in the device's own `tensors`, else in `arena`."""

    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Memory]
    ) -> None:
        self._shapes = dict(shapes)
        self.tensors = dict(tensors)
        self.arena = Arena({key: shapes[key] for key in shapes if key not in tensors})
        self._views: dict[str, np.ndarray] | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """All may be seen and written inside this block; the device waits."""
        if self._views is not None:
            yield
            return
        with contextlib.ExitStack() as stack:
            self._views = {key: stack.enter_context(self.tensors[key]) for key in self.tensors}
            try:
                yield
            finally:
                self._views = None

    @contextlib.contextmanager
    def seen(self, key: str) -> Iterator[np.ndarray]:
        """One of them alone."""
        if self._views is not None or key not in self.tensors:
            yield self[key]
            return
        with self.tensors[key] as view:
            yield view.reshape(self._shapes[key])

    def __getitem__(self, key: str) -> np.ndarray:
        if key not in self.tensors:
            return self.arena[key]
        assert self._views is not None
        return self._views[key].reshape(self._shapes[key])

    @property
    def bytes(self) -> int:
        return 4 * sum(int(np.prod(shape)) for shape in self._shapes.values())


class Parameters:
    """`tensors` are the first numbers, by the family's names, in the checkpoint's shapes.

    Those that never learn have gradients and no moments. `in_stretch`: all gradients lie in one
    stretch of memory, `gradients.arena`, whatever the device's tensors are.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        machine: Machine,
        tensors: Mapping[str, Any],
        *,
        learns: bool = True,
        in_stretch: bool = False,
    ) -> None:
        self.plan = plan
        self.trainable = plan.trainable
        shapes = {key: plan.parameters[key].stored for key in plan.parameters}
        learnt = {key: shapes[key] for key in self.trainable}
        self.gradients = Numbers(learnt, {} if in_stretch else self._written_at_once(machine))
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
        self._in_place = {
            key: found[0] for key, found in self.slots_of.items() if self._holds_all(key, found)
        }
        masters = {key: self.memories[slot] for key, slot in self._in_place.items()}
        self._masters = Numbers(shapes, masters)
        for key, layout in plan.parameters.items():
            with self.held():
                self.master(key)[...] = layout.to_stored(np.asarray(tensors[key], np.float32))

    def _written_at_once(self, machine: Machine) -> dict[str, Memory]:
        """Tensors for gradients that one call makes as they are kept."""
        slots_of: dict[str, list[Slot]] = {}
        for slot in self.plan.slots.values():
            if slot.kind == "gradient" and slot.key in self.trainable:
                slots_of.setdefault(slot.key, []).append(slot)
        made = {
            key: machine.memory(slots[0].shape, slots[0].dtype)
            for key, slots in slots_of.items()
            if len(slots) == 1 and slots[0].dtype == "fp32"
        }
        return {key: memory for key, memory in made.items() if self._is_whole(key, memory)}

    def _holds_all(self, key: str, slots: list[str]) -> bool:
        return len(slots) == 1 and self._is_whole(key, self.memories[slots[0]])

    def _is_whole(self, key: str, memory: Memory) -> bool:
        """The memory holds a parameter as it is stored, dense and in fp32."""
        with memory as view:
            fits = view.dtype == np.float32 and view.flags.c_contiguous
        return fits and view.size == self.plan.parameters[key].size

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Masters and gradients are seen, and may be written, in this block; the device waits."""
        with self._masters.held(), self.gradients.held():
            yield

    def master(self, key: str) -> np.ndarray:
        """fp32 in the stored shape, dense; inside `held`."""
        return self._masters[key]

    def copies(self, key: str) -> list[str]:
        """The slots that hold a copy of the master, which an update has to write."""
        return [] if key in self._in_place else self.slots_of[key]

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Masters from arrays in the checkpoint's shapes; copies are the strategy's to write."""
        with self.held():
            for key, array in arrays.items():
                self.master(key)[...] = self.plan.parameters[key].to_stored(array)

    def named(self, arena: Arena | Numbers | None = None) -> dict[str, np.ndarray]:
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
        copies = set(self.memories) - set(self._in_place.values())
        tensors = sum(self.plan.slots[name].bytes for name in copies)
        numbers = self._masters.bytes + self.gradients.bytes
        return tensors + numbers + self.first.values.nbytes + self.second.values.nbytes


def rows_from(total: np.ndarray, first_row: int, size: int) -> np.ndarray:
    """`size` numbers of a dense `total` from a row on, flat; a view."""
    start = first_row * total.shape[-1]
    return total.reshape(-1)[start : start + size]
