"""Checkpoints of a run: a model directory that anything loads, with what going on takes besides.

    RUN/checkpoints/step-00000100/
        config.json, model.safetensors, tokenizer files   the model, in fp32; or
        adapter_config.json, adapter_model.safetensors    the adapters that learn beside it
        optimizer.safetensors                             first/KEY and second/KEY, the moments
        training.json                                     step, data position, loss scale, settings

A checkpoint appears whole or not at all. Knows no device.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OrionError
from ..files import new_directory
from ..weights import safetensors
from .json_file import write_json
from .learnt import Learnt
from .parameters import Parameters

FORMAT = 1
FOLDER = "checkpoints"
STATE = "training.json"
OPTIMIZER = "optimizer.safetensors"
NAME = re.compile(r"step-(\d{8,})\Z")
LEFTOVER = re.compile(r"\.step-\d+\.(new|old)-")


@dataclass(frozen=True)
class Saved:
    """A checkpoint as it lies there; `state` is training.json's content."""

    directory: Path
    state: dict[str, Any]

    @property
    def step(self) -> int:
        return int(self.state["step"])

    @property
    def val_loss(self) -> float | None:
        return self.state.get("val_loss")


def save(run: Path, learnt: Learnt, parameters: Parameters, state: Mapping[str, Any]) -> Path:
    """Writes the checkpoint of `state["step"]`; OrionError when the disk has no room for it."""
    target = place(run, state["step"])
    with parameters.held(), new_directory(target) as new:
        learnt.write(new, parameters.named())
        moments = {
            f"{name}/{key}": array
            for name, arena in (("first", parameters.first), ("second", parameters.second))
            for key, array in parameters.named(arena).items()
        }
        safetensors.write(new / OPTIMIZER, moments)
        files = {path.name: path.stat().st_size for path in sorted(new.iterdir())}
        write_json(new / STATE, {"format": FORMAT, **state, "files": files})
    return target


def place(run: Path, step: int) -> Path:
    return run / FOLDER / f"step-{step:08d}"


def saved(run: Path) -> list[Saved]:
    """All checkpoints of a run, the earliest first."""
    return [read(path) for path in directories(run)]


def directories(run: Path) -> list[Path]:
    """Of all checkpoints, the earliest first."""
    return sorted(path for path in (run / FOLDER).glob("step-*") if NAME.match(path.name))


def find(path: Path) -> Saved:
    """The checkpoint at `path`, or the last one of the run at `path`."""
    if (path / STATE).is_file():
        return read(path)
    found = directories(path)
    if not found:
        raise OrionError(
            f"{path}: expected a run with {FOLDER}/step-*, found none; without --resume a run"
            " begins anew"
        )
    return read(found[-1])


def read(directory: Path) -> Saved:
    """OrionError for another format, or a file that is not what was written."""
    try:
        state = json.loads((directory / STATE).read_text(encoding="utf-8"))
        version, files = state["format"], state.get("files", {})
    except OSError as error:
        raise OrionError(f"{directory / STATE}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise OrionError(
            f"{directory / STATE}: is no checkpoint's state: {error}; remove {directory.name} to"
            " go on from the one before"
        ) from None
    if version != FORMAT:
        raise OrionError(
            f"{directory}: has format {version}, and this Orion reads {FORMAT}; go on with the"
            " Orion that wrote it, or a newer one"
        )
    for name, size in files.items():
        path = directory / name
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            raise OrionError(
                f"{path}: expected {size} bytes, found {found}; the checkpoint is damaged, remove"
                f" {directory.name} to go on from the one before"
            )
    return Saved(directory, state)


def load(checkpoint: Saved, learnt: Learnt, parameters: Parameters) -> None:
    """Masters and moments; OrionError when they are another model's."""
    directory = checkpoint.directory
    layouts = parameters.plan.parameters
    adapters = learnt.adapters is not None
    keys = {key: row.shape for key, row in layouts.items() if row.adapter or not adapters}
    parameters.load(learnt.read(directory, keys))
    moments = safetensors.read(directory / OPTIMIZER)
    for name, arena in (("first", parameters.first), ("second", parameters.second)):
        for key in parameters.trainable:
            if f"{name}/{key}" not in moments:
                raise OrionError(f"{directory / OPTIMIZER}: lacks {name}/{key}")
            arena[key][...] = layouts[key].to_stored(np.asarray(moments[f"{name}/{key}"]))


def prune(run: Path, keep: int) -> None:
    """Leaves the last `keep` checkpoints and the one of the least validation loss."""
    found = saved(run)
    judged = [entry for entry in found if entry.val_loss is not None]
    best = min(judged, key=lambda entry: entry.val_loss or 0.0, default=None)
    for entry in found[:-keep]:
        if best is None or entry.directory != best.directory:
            remove(entry.directory)


def remove(checkpoint: Path) -> None:
    """It is gone at once: a kill in the middle leaves no half of it under its name."""
    aside = checkpoint.with_name(f".{checkpoint.name}.old-{os.getpid()}")
    checkpoint.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def remove_leftovers(run: Path) -> None:
    """What a killed writer left; only for whoever holds the run's lock."""
    for path in (run / FOLDER).glob(".step-*"):
        if LEFTOVER.match(path.name):
            shutil.rmtree(path, ignore_errors=True)
