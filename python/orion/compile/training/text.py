"""A planned program as MIL, and the constants that stay in it as a weight file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...mil import BlobWriter, to_mil
from ..manifest import Program


def program_text(
    program: Program,
    dialect: Mapping[str, str],
    weights: Path,
    tensors: Mapping[str, Any] | None = None,
) -> str:
    """The text; `weights` is written where there is anything to keep in it.

    `tensors` has the numbers of weights that are constants of the program.
    """
    blob = BlobWriter()
    text = to_mil(program.graph, dialect, blob, tensors or {})
    if blob.records:
        with weights.open("wb") as file:
            blob.write(file)
    return text
