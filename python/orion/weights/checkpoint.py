"""Finds the checkpoint of a model directory and reads it; knows no tokenizer and no graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OrionError, UsageError


@dataclass(frozen=True)
class Checkpoint:
    """`config` has config.json's keys, `tensors` Hugging Face's names; arrays may be mapped."""

    config: Mapping[str, Any]
    tensors: Mapping[str, np.ndarray]
    files: tuple[Path, ...]

    @property
    def parameters(self) -> int:
        """Numbers in the checkpoint, each tensor once."""
        return sum(tensor.size for tensor in self.tensors.values())


def load(path: str | Path) -> Checkpoint:
    """Reads a model directory, or a checkpoint file. OrionError when it is none or damaged."""
    from . import llama2c

    return llama2c.read(find_checkpoint(path))


def find_checkpoint(path: str | Path) -> Path:
    """The one checkpoint file at `path`."""
    path = Path(path)
    if path.is_file():
        return path
    if not path.is_dir():
        raise UsageError(f"{path}: there is no such model directory or checkpoint file")
    found = sorted(p for p in path.glob("*.bin") if not p.name.startswith("tok"))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(p.name for p in found)
        raise OrionError(
            f"{path}: expected one checkpoint *.bin, found {len(found)} ({names});"
            " name the one to use by its path"
        )
    raise OrionError(f"{path}: expected one checkpoint *.bin (llama2.c's format), found none")
