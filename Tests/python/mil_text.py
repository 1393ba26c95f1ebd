"""Builds small MIL programs for tests: one function, constants by value; checks nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

HEADER = """program(1.3)
[buildInfo = dict<string, string>({{"coremlc-component-MIL", "3510.2.1"}, \
{"coremlc-version", "3505.4.1"}})]
{
"""


def tensor_type(dtype: str, shape: Sequence[int]) -> str:
    return f"tensor<{dtype}, [{', '.join(map(str, shape))}]>"


def constant(name: str, value: Any) -> str:
    """A `const` whose type follows from the Python value: bool, int, str, float (fp16) or lists."""
    kind, text = _literal(value)
    return f'            {kind} {name} = const()[name = string("{name}"), val = {kind}({text})];\n'


def _literal(value: Any) -> tuple[str, str]:
    if isinstance(value, list):
        kinds, texts = zip(*map(_literal, value), strict=True)
        return tensor_type(kinds[0], [len(value)]), f"[{', '.join(texts)}]"
    if isinstance(value, bool):
        return "bool", str(value).lower()
    if isinstance(value, int):
        return "int32", str(value)
    if isinstance(value, float):
        return "fp16", value.hex()
    return "string", f'"{value}"'


def call(
    op: str,
    arguments: Mapping[str, Any],
    results: Sequence[tuple[str, str, Sequence[int]]],
) -> str:
    """One op. An argument "%name" is a value, a tuple of them several, all else a constant."""
    first = results[0][0]
    lines, given = "", []
    for name, value in arguments.items():
        if isinstance(value, str) and value.startswith("%"):
            given.append(f"{name} = {value[1:]}")
        elif isinstance(value, tuple):
            given.append(f"{name} = ({', '.join(part[1:] for part in value)})")
        else:
            lines += constant(f"{first}_{name}", value)
            given.append(f"{name} = {first}_{name}")
    made = ", ".join(f"{tensor_type(dtype, shape)} {name}" for name, dtype, shape in results)
    attributes = f'[name = string("{first}")]'
    return f"{lines}            {made} = {op}({', '.join(given)}){attributes};\n"


def program(
    inputs: Sequence[tuple[str, str, Sequence[int]]], body: str, outputs: Sequence[str]
) -> str:
    parameters = ", ".join(f"{tensor_type(dtype, shape)} {name}" for name, dtype, shape in inputs)
    return (
        f"{HEADER}    func main<ios18>({parameters}) {{\n{body}        }} -> "
        f"({', '.join(outputs)});\n}}"
    )
