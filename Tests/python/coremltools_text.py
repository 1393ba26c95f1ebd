"""Prints programs built with coremltools as MIL text with a weight file, as Apple's compiler would.

Runs nothing. Needs coremltools 9.0, which tests alone use.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

OPSETS = {"CoreML5": "ios15", "CoreML6": "ios16", "CoreML7": "ios17", "CoreML8": "ios18"}
DTYPES = {
    "BOOL": "bool",
    "STRING": "string",
    "FLOAT16": "fp16",
    "FLOAT32": "fp32",
    "FLOAT64": "fp64",
    "BFLOAT16": "bf16",
    **{f"INT{bits}": f"int{bits}" for bits in (4, 8, 16, 32, 64)},
    **{f"UINT{bits}": f"uint{bits}" for bits in (1, 2, 3, 4, 6, 8, 16, 32, 64)},
}
# How the bytes of a literal are read; narrower integers stand packed.
ARRAYS = {"fp16": "<f2", "int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2"}
ARRAYS |= {"uint32": "<u4", "int64": "<i8", "uint64": "<u8", "int32": "<i4"}
PACKED = {"int4": 4, "uint1": 1, "uint2": 2, "uint3": 3, "uint4": 4, "uint6": 6}
WEIGHTS = "@model_path/weights.bin"


@dataclass(frozen=True)
class Printed:
    """A program as text, with its weight file if it has one."""

    text: str
    weights: Path | None


def convert(program: Any, directory: Path, *, target: Any, **options: Any) -> Printed:
    """The text of a program after coremltools' own passes; weights go to `directory`."""
    import coremltools as ct

    model = ct.convert(
        program,
        convert_to="mlprogram",
        minimum_deployment_target=target,
        skip_model_load=True,
        compute_precision=options.pop("precision", ct.precision.FLOAT32),
        **options,
    )
    return print_model(model, directory)


def print_model(model: Any, directory: Path, dialect: str = "1.3") -> Printed:
    """The text of a coremltools model."""
    directory.mkdir(parents=True, exist_ok=True)
    found = list(Path(model.weights_dir).glob("*.bin")) if model.weights_dir else []
    weights = directory / "weights.bin" if found else None
    if weights:
        shutil.copyfile(found[0], weights)
    spec = model.get_spec()
    shapes = {x.name: list(x.type.multiArrayType.shape) for x in spec.description.input}
    return Printed(Printer(dialect, shapes).program(spec.mlProgram), weights)


class Printer:
    """Writes a protobuf of a program as text, each list in the order of Apple's compiler."""

    def __init__(self, dialect: str, shapes: dict[str, list[int]]) -> None:
        self.dialect = dialect
        # Of the inputs, where the program leaves sizes open.
        self.shapes = shapes

    def program(self, program: Any) -> str:
        kind = self.scalar("string")
        known = '{{"coremlc-component-MIL", "3520.4.1"}, {"coremlc-version", "3520.5.1"}}'
        lines = [f"program({self.dialect})"]
        lines += [f"[buildInfo = dict<{kind}, {kind}>({known})]", "{"]
        for name, function in sorted(program.functions.items()):
            opset = OPSETS[function.opset]
            inputs = ", ".join(self.binding(x) for x in sorted(function.inputs, key=named))
            block = self.block(function.block_specializations[function.opset], "        ")
            attributes = self.attributes(function.attributes)
            if "?" in inputs:
                attributes = f"[{self.flexible_shapes(function.inputs)}]"
            given = f"{attributes} " if attributes else ""
            lines.append(f"    func {name}<{opset}>({inputs}) {given}{block};")
        return "\n".join([*lines, "}"])

    def flexible_shapes(self, inputs: Any) -> str:
        text, sizes = self.scalar("string"), "tensor<int32, [?]>"
        pairs = (f'{{"{x.name}", {self.shapes[x.name]}}}' for x in sorted(inputs, key=named))
        return (
            f"FlexibleShapeInformation = tuple<tuple<{text}, dict<{text}, {sizes}>>>"
            f'((("DefaultShapes", {{{", ".join(pairs)}}})))'
        )

    def block(self, block: Any, indent: str) -> str:
        operations = "".join(
            f"{indent}    {self.operation(x, indent)};\n" for x in block.operations
        )
        return f"{{\n{operations}{indent}}} -> ({', '.join(block.outputs)})"

    def operation(self, operation: Any, indent: str) -> str:
        made = ", ".join(self.binding(output) for output in operation.outputs)
        given = ", ".join(
            f"{name} = {self.argument(argument, name)}"
            for name, argument in sorted(operation.inputs.items())
        )
        text = f"{made} = " if made else ""
        text += f"{operation.type}({given}){self.attributes(operation.attributes)}"
        for index, nested in enumerate(operation.blocks):
            inputs = ", ".join(self.binding(x) for x in nested.inputs)
            text += f" block{index}({inputs}) {self.block(nested, indent + '    ')}"
        return text

    def argument(self, argument: Any, name: str) -> str:
        members = [x.name or self.value(x.value) for x in argument.arguments]
        is_list = len(members) > 1 or name in ("values", "loop_vars")
        return f"({', '.join(members)})" if is_list else members[0]

    def attributes(self, attributes: Any) -> str:
        inside = ", ".join(f"{name} = {self.value(x)}" for name, x in sorted(attributes.items()))
        return f"[{inside}]" if inside else ""

    def binding(self, value: Any) -> str:
        return f"{self.type(value.type)} {value.name}"

    # ---- types ----

    def scalar(self, dtype: str) -> str:
        return dtype if self.dialect != "1.0" else f"tensor<{dtype}, []>"

    def type(self, kind: Any) -> str:
        match kind.WhichOneof("type"):
            case "tensorType":
                tensor = kind.tensorType
                dtype = DTYPES[
                    tensor.DESCRIPTOR.file.enum_types_by_name["DataType"]
                    .values_by_number[tensor.dataType]
                    .name
                ]
                sizes = [
                    str(x.constant.size) if x.WhichOneof("dimension") == "constant" else "?"
                    for x in tensor.dimensions
                ]
                return f"tensor<{dtype}, [{', '.join(sizes)}]>" if sizes else self.scalar(dtype)
            case "listType":
                inner = kind.listType
                known = inner.length.WhichOneof("dimension") == "constant"
                length = inner.length.constant.size if known else "?"
                return f"list<{self.type(inner.type)}, {length}>"
            case "dictionaryType":
                inner = kind.dictionaryType
                return f"dict<{self.type(inner.keyType)}, {self.type(inner.valueType)}>"
            case "tupleType":
                return f"tuple<{', '.join(map(self.type, kind.tupleType.types))}>"
            case "stateType":
                return f"state<{self.type(kind.stateType.wrappedType)}>"
        raise AssertionError(f"no text for the type {kind}")

    # ---- values ----

    def value(self, value: Any) -> str:
        kind = self.type(value.type)
        if value.WhichOneof("value") == "blobFileValue":
            path = f'path = {self.scalar("string")}("{WEIGHTS}")'
            offset = f"offset = {self.scalar('uint64')}({value.blobFileValue.offset})"
            return f"{kind}(BLOBFILE({path}, {offset}))"
        return f"{kind}({self.payload(value)})"

    def payload(self, value: Any) -> str:
        inside = value.immediateValue
        match inside.WhichOneof("value"):
            case "tensor":
                shape = [x.constant.size for x in value.type.tensorType.dimensions]
                return nested(self.elements(inside.tensor, value.type.tensorType, shape), shape)
            case "list":
                return f"[{', '.join(map(self.payload, inside.list.values))}]"
            case "tuple":
                return f"({', '.join(map(self.payload, inside.tuple.values))})"
            case "dictionary":
                pairs = inside.dictionary.values
                texts = (f"{{{self.payload(x.key)}, {self.payload(x.value)}}}" for x in pairs)
                return f"{{{', '.join(texts)}}}"
        raise AssertionError(f"no text for the value {value}")

    def elements(self, tensor: Any, kind: Any, shape: Sequence[int]) -> list[str]:
        held = tensor.WhichOneof("value")
        values = getattr(tensor, held).values
        if held == "bytes":
            dtype = self.type_name(kind)
            return [literal(x) for x in from_bytes(values, dtype, int(np.prod(shape)))]
        return [literal(x) for x in values]

    @staticmethod
    def type_name(kind: Any) -> str:
        numbers = kind.DESCRIPTOR.file.enum_types_by_name["DataType"].values_by_number
        return DTYPES[numbers[kind.dataType].name]


def named(value: Any) -> str:
    return value.name


def from_bytes(data: bytes, dtype: str, count: int) -> Iterable[Any]:
    if dtype not in PACKED:
        return np.frombuffer(data, ARRAYS[dtype]).tolist()
    width = PACKED[dtype]
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[: count * width]
    numbers = (bits.reshape(-1, width) << np.arange(width)).sum(1)
    if dtype == "int4":
        numbers = (numbers ^ 8) - 8
    return numbers.tolist()


def literal(value: Any) -> str:
    """One element: floats exactly, in hexadecimal."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, float):
        return value.hex() if np.isfinite(value) else str(value)
    return str(value)


def nested(elements: list[str], shape: Sequence[int]) -> str:
    """Brackets around the elements, a pair for each axis."""
    if not shape:
        return elements[0]
    if shape[0] == 0 or len(shape) == 1:
        return f"[{', '.join(elements)}]"
    step = len(elements) // shape[0]
    rows = (nested(elements[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0]))
    return f"[{', '.join(rows)}]"
