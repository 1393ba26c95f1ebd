"""A program of a plan as text and weight file, and where in the file each parameter lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...ir.types import DTYPES
from ...mil import BlobWriter, to_mil
from ...mil.blob import METADATA
from ..manifest import Program


@dataclass(frozen=True)
class WeightPlace:
    """A baked parameter: `bytes` of `dtype` from `offset` on, row by row as the family has it.

    Of a tile the first row is `first_row`. A parameter may lie in a file more than once.
    """

    key: str
    offset: int
    bytes: int
    dtype: str
    first_row: int = 0


@dataclass(frozen=True)
class ProgramFile:
    text: str
    weights: Path
    places: tuple[WeightPlace, ...]


class NotingBlob(BlobWriter):
    """Remembers where each weight went, in the order of the text."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets: list[int] = []

    def add(self, name: str, array: Any, dtype: str) -> int:
        self.offsets.append(super().add(name, array, dtype))
        return self.offsets[-1]


def write_program(
    program: Program, profile: Mapping[str, Any], tensors: Mapping[str, Any], directory: Path
) -> ProgramFile:
    """Writes `<name>.bin` into `directory`. `tensors`: the parameters by key, as the family has
    them. OrionError when one is missing or holds what its dtype cannot.
    """
    blob = NotingBlob()
    text = to_mil(program.graph, profile["dialect"], blob, tensors)
    path = directory / f"{program.name}.bin"
    with path.open("wb") as file:
        blob.write(file)
    places = [
        WeightPlace(
            node["key"],
            offset + METADATA.size,
            node.result.type.size * np.dtype(DTYPES[node["dtype"]]).itemsize,
            node["dtype"],
            node["first"] or 0,
        )
        for node, offset in zip(program.graph.walk("weight"), blob.offsets, strict=True)
    ]
    return ProgramFile(text, path, tuple(dict.fromkeys(places)))
