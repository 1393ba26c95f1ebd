"""A planned program as MIL, and the constants that stay in it as a weight file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...mil import BlobWriter, to_mil
from ...mil.blob import METADATA
from ..manifest import Program


def program_text(
    program: Program,
    dialect: Mapping[str, str],
    weights: Path,
    tensors: Mapping[str, Any] | None = None,
) -> tuple[str, dict[str, int]]:
    """The text, and where in the file the data of each of `tensors` begin, in bytes.

    `tensors` has the numbers of weights that are constants of the program. `weights` is written
    where there is anything to keep in it.
    """
    blob = BlobWriter()
    text = to_mil(program.graph, dialect, blob, tensors or {})
    if blob.records:
        with weights.open("wb") as file:
            blob.write(file)
    return text, {record.name: record.offset + METADATA.size for record in blob.records}
