"""Weights are patched in the programs' files, which are unloaded and loaded; nothing is compiled.

Whether a device then computes with the new ones is its nature: the canary finds out at the start,
and after every batch of reloads one program, another each time, shows that it follows its file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np

from ...compile.training import Call, TrainingPlan
from ...runtime import kernels
from ..machine import DeviceMachine, DeviceProgram, Memory
from ..parameters import Parameters
from .base import StaleWeightsError, Strategy, Writer
from .held_weights import Held, held_weights

# Numbers of a probe: neither zero nor large, so that they show what weights do to them.
PROBE_SEED, PROBE_RANGE = 0, (0.1, 0.5)


class Reload(Strategy):
    """`parameters` are on the host; each program has a file of its own."""

    name = "reload"

    def __init__(self, plan: TrainingPlan, machine: DeviceMachine, parameters: Parameters) -> None:
        self.plan = plan
        self._parameters = parameters
        self._held = {name: held_weights(plan, row) for name, row in plan.programs.items()}
        with parameters.held():
            self.programs: dict[str, DeviceProgram] = {
                name: machine.program(
                    planned, {row.name: row.numbers(parameters) for row in self._held[name]}
                )
                for name, planned in plan.programs.items()
            }
        self._patchable = [name for name, weights in self._held.items() if weights]
        self._probes = {name: Probe(plan, machine, name) for name in self._patchable}
        self._turn = 0

    @contextlib.contextmanager
    def writing(self) -> Iterator[Writer]:
        checked = self._patchable[self._turn % len(self._patchable)]
        self._turn += 1
        with contextlib.ExitStack() as stack:
            files = {
                name: stack.enter_context(self.programs[name].program.weights())
                for name in self._patchable
            }
            yield FileWriter(self._parameters, self._places(files))
        for name in self._patchable:
            self.programs[name].program.reload()
        if not self._follows_its_file(checked):
            raise StaleWeightsError(
                f"program {checked}: computes with its old weights after its file was patched and"
                " it was reloaded"
            )

    def _places(self, files: dict[str, np.ndarray]) -> dict[str, list[tuple[Held, np.ndarray]]]:
        """By parameter: each weight that holds of it, and the view of a file where it lies."""
        places: dict[str, list[tuple[Held, np.ndarray]]] = {}
        for name, file in files.items():
            for row in self._held[name]:
                places.setdefault(row.key, []).append((row, self._view(name, row, file)))
        return places

    def _view(self, name: str, row: Held, file: np.ndarray) -> np.ndarray:
        start = self.programs[name].places[row.name]
        return file[start : start + row.size * row.dtype.itemsize].view(row.dtype)

    def _follows_its_file(self, name: str) -> bool:
        """Halved weights give other outputs, and those that belong there the same as before.

        An update may be too small to show, and what a stale device serves may be older than the
        last one; halving tells either way.
        """
        program, probe = self.programs[name], self._probes[name]
        now = probe.run(program)
        kept = self._scale_all(name, None)
        program.program.reload()
        halved = probe.run(program)
        self._scale_all(name, kept)
        program.program.reload()
        return differ(now, halved) and not differ(now, probe.run(program))

    def _scale_all(self, name: str, numbers: dict[str, np.ndarray] | None) -> dict[str, np.ndarray]:
        """Halves a program's weights, or puts `numbers` there; what stood there before."""
        with self.programs[name].program.weights() as file:
            kept = {}
            for row in self._held[name]:
                view = self._view(name, row, file)
                kept[row.name] = view.copy()
                view[...] = view * 0.5 if numbers is None else numbers[row.name]
            return kept


class Probe:
    """Inputs of its own for one program, always the same, and where its outputs go."""

    def __init__(self, plan: TrainingPlan, machine: DeviceMachine, name: str) -> None:
        random = np.random.default_rng(PROBE_SEED)
        call = next(call for call in plan.calls if isinstance(call, Call) and call.program == name)
        inputs = {port: plan.slots[slot] for port, slot in call.inputs.items()}
        outputs = {port: plan.slots[slot] for port, slot in call.outputs.items()}
        self._inputs: dict[str, Memory] = {}
        for port, slot in inputs.items():
            memory = self._inputs[port] = machine.memory(slot.shape, slot.dtype)
            with memory as view:
                view[...] = random.uniform(*PROBE_RANGE, slot.shape)
        self._outputs = {
            port: machine.memory(slot.shape, slot.dtype) for port, slot in outputs.items()
        }

    def run(self, program: DeviceProgram) -> list[np.ndarray]:
        inputs, outputs = program.port_names
        program.evaluate(
            [self._inputs[port] for port in inputs], [self._outputs[port] for port in outputs]
        )
        found = []
        for port in outputs:
            with self._outputs[port] as view:
                found.append(view.copy())
        return found


def differ(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> bool:
    return any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True))


class FileWriter(Writer):
    def __init__(
        self, parameters: Parameters, places: dict[str, list[tuple[Held, np.ndarray]]]
    ) -> None:
        self._parameters, self._places = parameters, places

    def whole(self, key: str) -> np.ndarray | None:
        places = self._places.get(key, [])
        if len(places) != 1 or places[0][0].size != self._parameters.plan.parameters[key].size:
            return None
        view = places[0][1]
        return view if view.dtype == np.float16 else None

    def write(self, key: str) -> None:
        for row, view in self._places.get(key, []):
            kernels.convert(row.numbers(self._parameters).reshape(-1), view)
