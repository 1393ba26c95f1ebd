"""What a plan runs on: a device, or numpy, the definition; both give memory and programs alike."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..compile.manifest import Program as PlannedProgram
from ..compile.training import program_text
from ..ir.interpret import Arithmetic, interpret
from ..ir.types import DTYPES
from ..runtime import Device, Program, Tensor, profile

WEIGHTS = "weights.bin"


Tensors = Mapping[str, np.ndarray]


class Memory(Protocol):
    """A tensor: its numbers are seen inside `with memory as view`."""

    shape: tuple[int, ...]
    dtype: str

    def __enter__(self) -> np.ndarray: ...

    def __exit__(self, *exception: object) -> None: ...


class Runnable(Protocol):
    """A program; its port names are in the order in which `evaluate` takes inputs and outputs."""

    @property
    def port_names(self) -> tuple[list[str], list[str]]: ...

    def evaluate(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None: ...


class Machine(Protocol):
    name: str

    def memory(self, shape: Sequence[int], dtype: str) -> Memory: ...

    def program(self, planned: PlannedProgram, tensors: Tensors | None = None) -> Runnable: ...

    def counters(self) -> dict[str, Any]: ...


class DeviceProgram:
    """A program that may hold weights: `places` says where in its file each begins, in bytes."""

    def __init__(
        self,
        program: Program,
        planned: PlannedProgram,
        places: dict[str, int],
        is_patchable: bool,
    ) -> None:
        self.program = program
        self.places = places
        self.is_patchable = is_patchable
        # Outputs come in the order of the graph's, under names of the text's.
        self._outputs = [output.name for output in planned.graph.outputs]

    @property
    def port_names(self) -> tuple[list[str], list[str]]:
        return [port.name for port in self.program.inputs], self._outputs

    def evaluate(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        self.program.evaluate(inputs, outputs)

    def close(self) -> None:
        self.program.close()


class DeviceMachine:
    """A device and its profile."""

    def __init__(self, device: Device) -> None:
        self.name = device.name
        self.device = device
        self.profile = profile(device.profile)

    def memory(self, shape: Sequence[int], dtype: str) -> Memory:
        return Tensor(self.device, shape, dtype)

    def program(self, planned: PlannedProgram, tensors: Tensors | None = None) -> DeviceProgram:
        """Compiles. With `tensors`, the weights that it holds, their file can be written later."""
        with tempfile.TemporaryDirectory(prefix="orion-train-") as directory:
            weights = Path(directory) / WEIGHTS
            text, places = program_text(planned, self.profile["dialect"], weights, tensors)
            file = weights if weights.is_file() else None
            patchable = bool(tensors) and file is not None
            program = Program(self.device, text, file, patchable=patchable)
            return DeviceProgram(program, planned, places, patchable)

    def counters(self) -> dict[str, Any]:
        return self.device.counters()


class Array:
    """Memory of numpy's."""

    def __init__(self, shape: Sequence[int], dtype: str) -> None:
        self.shape, self.dtype = tuple(shape), dtype
        self.array = np.zeros(self.shape, DTYPES[dtype])

    def __enter__(self) -> np.ndarray:
        return self.array

    def __exit__(self, *exception: object) -> None:
        pass


class NumpyProgram:
    def __init__(self, planned: PlannedProgram, arithmetic: Arithmetic, tensors: Tensors) -> None:
        self._graph, self._arithmetic = planned.graph, arithmetic
        self._weights = {key: array.copy() for key, array in tensors.items()}

    @property
    def port_names(self) -> tuple[list[str], list[str]]:
        return (
            [node.result.name for node in self._graph.inputs],
            [output.name for output in self._graph.outputs],
        )

    def evaluate(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        names = self.port_names
        given = {name: memory.array for name, memory in zip(names[0], inputs, strict=True)}
        results: Mapping[str, np.ndarray] = interpret(
            self._graph, given, self._weights, self._arithmetic
        )
        for name, memory in zip(names[1], outputs, strict=True):
            memory.array[...] = results[name]


class NumpyMachine:
    """The definition in fp32: slow, and right by what the words mean."""

    name = "numpy"

    def __init__(self, arithmetic: Arithmetic | None = None) -> None:
        self._arithmetic = arithmetic or Arithmetic.declared()

    def memory(self, shape: Sequence[int], dtype: str) -> Memory:
        return Array(shape, dtype)

    def program(self, planned: PlannedProgram, tensors: Tensors | None = None) -> Runnable:
        return NumpyProgram(planned, self._arithmetic, tensors or {})

    def counters(self) -> dict[str, Any]:
        return dict.fromkeys(("compiles", "loads", "unloads", "loaded_programs"), 0) | {
            "virtual_s": 0.0
        }


@contextlib.contextmanager
def held(memories: Mapping[str, Memory]) -> Iterator[dict[str, np.ndarray]]:
    """All of them in the host's hands: views by name. Names may share their memory."""
    with contextlib.ExitStack() as stack:
        different = {id(memory): memory for memory in memories.values()}
        views = {key: stack.enter_context(memory) for key, memory in different.items()}
        yield {name: views[id(memory)] for name, memory in memories.items()}
