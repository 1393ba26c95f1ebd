"""Types and literals of MIL text, in either dialect; knows no op and no graph.

Dialect 1.0 writes a scalar as a tensor without axes, `tensor<int32, []>(1)`; 1.3 as `int32(1)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Literals:
    def __init__(self, program: str) -> None:
        self.bare_scalars = program != "1.0"

    def type(self, dtype: str, shape: Sequence[int] = ()) -> str:
        if not shape and self.bare_scalars:
            return dtype
        return f"tensor<{dtype}, [{', '.join(map(str, shape))}]>"

    def literal(self, dtype: str, value: Any) -> str:
        """A number, a text or an array of numbers, with its type."""
        if isinstance(value, str):
            return f"{self.type(dtype)}({quoted(value)})"
        array = np.asarray(value)
        return f"{self.type(dtype, array.shape)}({payload(dtype, array)})"

    def blob(self, dtype: str, shape: Sequence[int], path: str, offset: int) -> str:
        place = f"path = {self.literal('string', path)}, offset = {self.literal('uint64', offset)}"
        return f"{self.type(dtype, shape)}(BLOBFILE({place}))"

    def build_info(self, facts: dict[str, str]) -> str:
        text = self.type("string")
        pairs = ", ".join(f"{{{quoted(k)}, {quoted(v)}}}" for k, v in sorted(facts.items()))
        return f"dict<{text}, {text}>({{{pairs}}})"


def payload(dtype: str, array: np.ndarray) -> str:
    if array.ndim > 0:
        return f"[{', '.join(payload(dtype, part) for part in array)}]"
    if dtype == "bool":
        return "true" if array else "false"
    if dtype.startswith(("int", "uint")):
        return str(int(array))
    return hexadecimal(float(array))


def hexadecimal(value: float) -> str:
    """The shortest C99 hexadecimal: 0x1.8p+0."""
    text = value.hex()
    if "x" not in text:
        return text  # inf, -inf, nan
    digits, exponent = text.split("p")
    whole, _, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}p{exponent}" if fraction else f"{whole}p{exponent}"


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
