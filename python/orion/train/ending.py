"""What a run leaves behind: its settings at the start, the model and a report at the end."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ..compile.files import explained, new_directory
from ..errors import OrionError
from ..weights import safetensors
from ..weights.lazy import LazyTensor
from .checkpoint import CONFIG, MODEL, write_json
from .settings import Settings
from .trainer import Trainer

SETTINGS = "run.json"
FINISHED = "model"


def write_settings(trainer: Trainer, chosen: dict[str, Any]) -> None:
    """run.json: what `--resume` needs no telling of."""
    if trainer.run is None:
        return
    path = trainer.run.path / SETTINGS
    temporary = path.with_name(f".{path.name}.new")
    with explained(path):
        write_json(temporary, {**chosen, **trainer.settings.to_json()})
        temporary.replace(path)


def settings_of(run: Path) -> dict[str, Any]:
    path = run / SETTINGS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OrionError(f"{path}: cannot be read: {error}") from None
    known = {field.name for field in fields(Settings)} | {"model", "preset", "data", "device"}
    return {name: value for name, value in content.items() if name in known}


def finish(trainer: Trainer) -> dict[str, Any]:
    """Writes the model, and says how the run went; `model` is where it lies."""
    counters = trainer.learner.machine.counters()
    directory = None if trainer.run is None else export(trainer, trainer.run.path / FINISHED)
    return {
        "model": None if directory is None else str(directory),
        "steps": trainer.step_done,
        "tokens": trainer.tokens,
        "loss": trainer.divergence.running,
        "val_loss": trainer.val_loss,
        "skipped": trainer.skipped,
        "device": trainer.device.name,
        "profile": trainer.device.profile,
        "weight_update": trainer.learner.strategy.name,
        "compiles": counters["compiles"],
        "loaded_programs": counters["loaded_programs"],
        "peak_memory_bytes": trainer.peak_memory,
    }


def export(trainer: Trainer, directory: Path) -> Path:
    """A model directory under Hugging Face's names, in the dtypes that the model came in."""
    source, parameters = trainer.source, trainer.learner.parameters
    with parameters.held(), new_directory(directory) as new:
        named = source.family.restore(source.config, parameters.named())
        given = source.given
        tensors = {name: as_given(name, named[name], given) for name in named}
        write_json(new / CONFIG, source.checkpoint.config)
        safetensors.write(new / MODEL, tensors)
        for path in trainer.data.tokenizer.files:
            shutil.copyfile(path, new / path.name)
    return directory


def as_given(name: str, array: np.ndarray, given: Any) -> LazyTensor:
    """The numbers as the source's dtype; bf16 is rounded when it is written."""
    dtype = getattr(given.get(name), "dtype", "fp32")
    dtype = dtype if dtype in ("fp16", "bf16") else "fp32"
    kind = np.float16 if dtype == "fp16" else np.float32
    return LazyTensor(array.shape, dtype, lambda: np.asarray(array, kind), name, name)
