"""Cases of the op comparison as one MIL program, each with inputs and outputs of its own.

On the engine a value enters and leaves as a row of fp16 whose width its surfaces take.
"""

from collections.abc import Sequence
from typing import Any

import mil_text
import numpy as np
from op_case import FLOATS, MIL, Array, Case, Typed


def literal(dtype: str, value: Any) -> str:
    """`tensor<fp16, [2]>([0x1p+0, inf])`"""
    array = np.asarray(value)
    kind = mil_text.tensor_type(dtype, array.shape) if array.ndim else dtype
    return f"{kind}({_payload(dtype, array)})"


def _payload(dtype: str, array: Array) -> str:
    if array.ndim:
        return f"[{', '.join(_payload(dtype, part) for part in array)}]"
    value = array.item()
    if dtype == "string":
        return f'"{value}"'
    if dtype == "bool":
        return str(bool(value)).lower()
    if dtype in FLOATS:
        return float(value).hex() if np.isfinite(value) else str(float(value))
    return str(int(value))


def constant_type(value: Any, allowed: Sequence[str]) -> str:
    """The type of a Python value, as far as the table leaves a choice."""
    first = np.asarray(value).reshape(-1)[:1]
    kind = {"U": "string", "b": "bool", "i": "int32", "f": "fp32"}[first.dtype.kind]
    return kind if kind in allowed or allowed == ("tuple",) else allowed[0]


class Text:
    """A program that holds several cases, each with inputs and outputs of its own."""

    def __init__(self, random: np.random.Generator, opset: str, engine: bool):
        self.random = random
        self.opset = opset
        self.engine = engine
        self.attributes = False
        self.inputs: list[tuple[str, str, tuple[int, ...]]] = []
        self.arrays: dict[str, Array] = {}
        self.lines: list[str] = []
        self.outputs: list[str] = []
        # For each case the outputs' names.
        self.results: list[list[str]] = []

    def add(self, case: Case) -> None:
        prefix = f"c{len(self.results)}"
        # Before ios18 the ops on weights carry literals, among their attributes.
        self.attributes = case.row.op.startswith("constexpr_") and self.opset < "ios18"
        given = ", ".join(
            f"{name} = {self.argument(case, name, value, f'{prefix}_{name}')}"
            for name, value in case.given.items()
        )
        names = [f"{prefix}_out{index}" for index in range(len(case.wanted))]
        made = ", ".join(
            f"{self.type_text(dtype, wanted.shape)} {name}"
            for name, dtype, wanted in zip(names, case.dtypes, case.wanted, strict=True)
        )
        if self.attributes:
            made += f' = {case.row.op}()[name = string("{prefix}"), {given}]'
        else:
            made += f' = {case.row.op}({given})[name = string("{prefix}")]'
        self.lines.append(made)
        self.results.append(
            [
                self.leave(name, dtype, wanted.shape)
                for name, dtype, wanted in zip(names, case.dtypes, case.wanted, strict=True)
            ]
        )

    @staticmethod
    def type_text(dtype: str, shape: Sequence[int]) -> str:
        return mil_text.tensor_type(dtype, shape) if shape else dtype

    def argument(self, case: Case, name: str, value: Any, label: str) -> str:
        if isinstance(value, tuple):
            parts = [
                self.argument(case, name, part, f"{label}_{index}")
                for index, part in enumerate(value)
            ]
            return f"({', '.join(parts)})"
        argument = case.version.arguments[name]
        if isinstance(value, Array):
            dtype = MIL[value.dtype]
            whole = self.engine and dtype not in ("fp16", "bool")
            fixed = argument.constant or name in case.row.known or whole
            if not fixed and self.random.random() < 0.85:
                return self.enter(label, value)
        else:
            dtype = value.dtype if isinstance(value, Typed) else None
            value = value.array if isinstance(value, Typed) else value
            dtype = dtype or constant_type(value, argument.types)
        text = literal(dtype, value)
        if self.attributes or (not self.engine and self.random.random() < 0.3):
            return text
        kind = self.type_text(dtype, np.asarray(value).shape)
        self.lines.append(f'{kind} {label} = const()[name = string("{label}"), val = {text}]')
        return label

    def constant(self, label: str, dtype: str, value: Any) -> str:
        text = literal(dtype, value)
        kind = self.type_text(dtype, np.asarray(value).shape)
        self.lines.append(f'{kind} {label} = const()[name = string("{label}"), val = {text}]')
        return label

    def call(self, label: str, dtype: str, shape: Sequence[int], text: str) -> str:
        self.lines.append(f'{self.type_text(dtype, shape)} {label} = {text}[name = string("x")]')
        return label

    def enter(self, label: str, value: Array) -> str:
        """The name of a value that the program is given, in a form its ports can take."""
        dtype, shape = MIL[value.dtype], value.shape
        port = f"{label}_in"
        if not self.engine:
            if value.ndim:
                self.inputs.append((label, dtype, shape))
                self.arrays[label] = value
                return label
            self.inputs.append((port, dtype, (1,)))
            self.arrays[port] = value.reshape(1)
            axes = self.constant(f"{label}_axes", "int32", [0])
            return self.call(label, dtype, (), f"squeeze(x = {port}, axes = {axes})")
        wide = -(-value.size // 32) * 32
        self.inputs.append((port, "fp16", (1, 1, 1, wide)))
        self.arrays[port] = np.resize(value.reshape(-1).astype(np.float16), (1, 1, 1, wide))
        name = port
        if wide != value.size:
            begin = self.constant(f"{label}_begin", "int32", [0] * 4)
            size = self.constant(f"{label}_size", "int32", [1, 1, 1, value.size])
            name = self.call(
                f"{label}_cut", "fp16", (1, 1, 1, value.size),
                f"slice_by_size(x = {name}, begin = {begin}, size = {size})",
            )  # fmt: skip
        new = self.constant(f"{label}_shape", "int32", np.array(shape, np.int32))
        made = f"{label}_half" if dtype == "bool" else label
        name = self.call(made, "fp16", shape, f"reshape(x = {name}, shape = {new})")
        if dtype == "bool":
            zero = self.constant(f"{label}_zero", "fp16", 0.0)
            name = self.call(label, "bool", shape, f"not_equal(x = {name}, y = {zero})")
        return name

    def leave(self, name: str, dtype: str, shape: Sequence[int]) -> str:
        """The port through which a result leaves."""
        if not self.engine:
            if not shape:
                axes = self.constant(f"{name}_axes", "int32", [0])
                name = self.call(
                    f"{name}_wide", dtype, (1,), f"expand_dims(x = {name}, axes = {axes})"
                )
            self.outputs.append(name)
            return name
        if dtype == "bool":
            one = self.constant(f"{name}_one", "fp16", 1.0)
            zero = self.constant(f"{name}_zero", "fp16", 0.0)
            name = self.call(
                f"{name}_half", "fp16", shape, f"select(cond = {name}, a = {one}, b = {zero})"
            )
        elif dtype != "fp16":
            target = self.constant(f"{name}_type", "string", "fp16")
            name = self.call(f"{name}_half", "fp16", shape, f"cast(x = {name}, dtype = {target})")
        count = int(np.prod(shape))
        wide = -(-count // 32) * 32
        flat = self.constant(f"{name}_shape", "int32", [1, 1, 1, count])
        name = self.call(
            f"{name}_flat", "fp16", (1, 1, 1, count), f"reshape(x = {name}, shape = {flat})"
        )
        if wide != count:
            pad = self.constant(f"{name}_pad", "int32", [0, wide - count])
            mode = self.constant(f"{name}_mode", "string", "constant")
            value = self.constant(f"{name}_value", "fp16", 0.0)
            name = self.call(
                f"{name}_padded", "fp16", (1, 1, 1, wide),
                f"pad(x = {name}, pad = {pad}, mode = {mode}, constant_val = {value})",
            )  # fmt: skip
        self.outputs.append(name)
        return name

    def text(self) -> str:
        if not self.inputs:
            # A program that is given nothing cannot be evaluated.
            self.inputs.append(("unused", "fp16", (1, 1, 1, 32)))
            self.arrays["unused"] = np.zeros((1, 1, 1, 32), np.float16)
        body = "".join(f"            {line};\n" for line in self.lines)
        made = mil_text.program(self.inputs, body, self.outputs)
        return made.replace("main<ios18>", f"main<{self.opset}>")

    def unpack(self, results: dict[str, Array], index: int, case: Case) -> list[Array]:
        """The results of one case in the shapes and types it declared."""
        found = []
        for name, wanted, dtype in zip(self.results[index], case.wanted, case.dtypes, strict=True):
            got = results[name].reshape(-1)[: wanted.size].reshape(wanted.shape)
            found.append(got != 0 if self.engine and dtype == "bool" else got)
        return found
