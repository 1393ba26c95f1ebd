"""A compiled function of a MIL text, run on arrays or on tensors."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ctypes import byref, c_char, c_size_t, c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np

from orion.errors import UsageError
from orion.runtime.abi import encode_text, library, take_text
from orion.runtime.device import Device
from orion.runtime.handle import Owned
from orion.runtime.interrupts import run_interruptibly
from orion.runtime.tensor import NUMPY_TYPES, Tensor


@dataclass(frozen=True)
class Port:
    """An input or output: what it is called and what it holds."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    def check(self, value: Any) -> np.ndarray:
        """`value` as an array that fits, or an error that says how it does not."""
        array = np.asarray(value)
        if array.shape != self.shape:
            raise UsageError(
                f"Input {self.name} takes the shape {list(self.shape)}, not {list(array.shape)}."
            )
        if not np.can_cast(array.dtype, NUMPY_TYPES[self.dtype], "same_kind"):
            raise UsageError(f"Input {self.name} holds {self.dtype}, not {array.dtype}.")
        return array


class Program(Owned):
    """`function` of a MIL text, compiled for a device.

    `weights` is the file that the text names after `@model_path/`, or the directory that holds all
    the files it names. What the text declares as states stays with the program between runs, and
    is zero at first; programs share no states.

    `shapes` are those of inputs whose sizes the text leaves open (`?`); without it they are the
    text's own default shapes.

    The text of a patchable program calls its weights `@model_path/weights.bin`. Such a program gets
    a copy of that file of its own, which `weights` opens for writing and `reload` loads:

        with program.weights() as view:     # the file's bytes, uint8
            view[128:192] = ...
        program.reload()

    Whether that takes effect is the device's nature; `Device.canary("reload")` finds out.
    """

    _noun = "program"

    def __init__(
        self,
        device: Device,
        text: str,
        weights: str | os.PathLike[str] | None = None,
        function: str = "main",
        *,
        patchable: bool = False,
        shapes: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        encoded = text.encode("utf-8")
        if shapes is not None:
            sizes = json.dumps({name: list(map(int, shape)) for name, shape in shapes.items()})
            bind = (encoded, len(encoded), encode_text(function), encode_text(sizes))
            encoded = take_text(library().orion_mil_bind, *bind).encode("utf-8")
        compiled = c_uint64()
        compiler = library().orion_program_compile
        if patchable:
            compiler = library().orion_program_compile_patchable
        compiler(
            device.handle,
            encoded,
            len(encoded),
            encode_text(None if weights is None else os.fspath(weights)),
            encode_text(function),
            byref(compiled),
        )
        self._own(compiled.value, library().orion_program_free, owner=device)
        self._device = device
        facts = json.loads(take_text(library().orion_program_json, self.handle))
        self.inputs = [_port(fact) for fact in facts["inputs"]]
        self.outputs = [_port(fact) for fact in facts["outputs"]]
        self.states = [_port(fact) for fact in facts["states"]]
        self._may_loop: bool = facts["loops"]
        # Sets of tensors that no running call uses; a list's pop and append are atomic.
        self._idle: list[tuple[list[Tensor], list[Tensor]]] = []

    def run(self, arrays: Mapping[str, Any] | Sequence[Any]) -> dict[str, np.ndarray]:
        """Runs once over arrays, by name or in declared order, and returns new arrays by name."""
        values = self._in_order(arrays)
        inputs, outputs = self._take_tensors()
        for tensor, value in zip(inputs, values, strict=True):
            with tensor as view:
                view[...] = value
        self.evaluate(inputs, outputs)
        results = {}
        for port, tensor in zip(self.outputs, outputs, strict=True):
            with tensor as view:
                results[port.name] = view.copy()
        self._idle.append((inputs, outputs))
        return results

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        """Runs once over tensors in declared order. An interrupt ends a program with loops."""
        arguments = (
            self.handle,
            len(inputs),
            (c_uint64 * len(inputs))(*(tensor.handle for tensor in inputs)),
            len(outputs),
            (c_uint64 * len(outputs))(*(tensor.handle for tensor in outputs)),
        )
        if self._may_loop:
            run_interruptibly(library().orion_program_evaluate, arguments, self.cancel)
        else:
            library().orion_program_evaluate(*arguments)

    def cancel(self) -> None:
        """Makes a run in another thread fail soon, with OrionError."""
        library().orion_program_cancel(self.handle)

    def read_state(self, name: str) -> np.ndarray:
        """What a state holds now, as a new array."""
        index, port = self._state(name)
        tensor = Tensor(self._device, port.shape, port.dtype)
        library().orion_program_state_read(self.handle, index, tensor.handle)
        with tensor as view:
            return view.copy()

    def write_state(self, name: str, value: Any) -> None:
        """Makes a state hold `value` from the next run on."""
        index, port = self._state(name)
        tensor = Tensor(self._device, port.shape, port.dtype)
        with tensor as view:
            view[...] = port.check(value)
        library().orion_program_state_write(self.handle, index, tensor.handle)

    def reset_states(self) -> None:
        """Fills all states with zeros."""
        library().orion_program_states_reset(self.handle)

    def _state(self, name: str) -> tuple[int, Port]:
        for index, port in enumerate(self.states):
            if port.name == name:
                return index, port
        known = ", ".join(port.name for port in self.states) or "none"
        raise UsageError(f"The program's states are {known}; there is no {name}.")

    @contextmanager
    def weights(self) -> Iterator[np.ndarray]:
        """The bytes of a patchable program's weight file, uint8 [bytes]; writing changes the file.

        Sizes and the records' heads must stay. The view ends with the block: it turns read-only.
        """
        address, count = c_void_p(), c_size_t()
        library().orion_program_weights_lock(self.handle, byref(address), byref(count))
        memory = (c_char * count.value).from_address(address.value or 0)
        memory.program = self  # type: ignore[attr-defined]  # lives as long as any view of it
        view: np.ndarray = np.frombuffer(memoryview(memory), np.uint8)
        try:
            yield view
        finally:
            view.flags.writeable = False
            library().orion_program_weights_unlock(self.handle)

    def reload(self) -> None:
        """Unloads and loads a patchable program; nothing is compiled."""
        library().orion_program_reload(self.handle)

    def _in_order(self, arrays: Mapping[str, Any] | Sequence[Any]) -> list[np.ndarray]:
        names = [port.name for port in self.inputs]
        if not isinstance(arrays, Mapping):
            if len(arrays) != len(names):
                raise UsageError(
                    f"The program takes {len(names)} inputs ({', '.join(names)}), not"
                    f" {len(arrays)}."
                )
            arrays = dict(zip(names, arrays, strict=True))
        missing = [name for name in names if name not in arrays]
        unknown = [name for name in arrays if name not in names]
        if missing or unknown:
            problems = [f"{name} is missing" for name in missing]
            problems += [f"there is no {name}" for name in unknown]
            raise UsageError(f"The program takes {', '.join(names)}: {', '.join(problems)}.")
        return [port.check(arrays[port.name]) for port in self.inputs]

    def _take_tensors(self) -> tuple[list[Tensor], list[Tensor]]:
        try:
            return self._idle.pop()
        except IndexError:
            return (
                [Tensor(self._device, port.shape, port.dtype) for port in self.inputs],
                [Tensor(self._device, port.shape, port.dtype) for port in self.outputs],
            )

    def __repr__(self) -> str:
        signature = ", ".join(port.name for port in self.inputs)
        return f"<Program ({signature}) -> ({', '.join(port.name for port in self.outputs)})>"


def _port(fact: dict[str, Any]) -> Port:
    return Port(fact["name"], fact["dtype"], tuple(fact["shape"]))
