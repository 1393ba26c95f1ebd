"""What a run leaves behind: its settings at the start, the model and a report at the end."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import OrionError
from ..files import explained, new_directory
from ..runtime.memory import peak_memory
from .json_file import write_json
from .lora import Lora
from .settings import Settings
from .trainer import Trainer

SETTINGS = "run.json"
FINISHED = "model"


def write_settings(trainer: Trainer, chosen: dict[str, Any]) -> None:
    """run.json: what `--resume` needs no telling of."""
    content = {**chosen, **trainer.settings.to_json(), **trainer.learnt.to_json()}

    def write(run: Path) -> None:
        path = run / SETTINGS
        temporary = path.with_name(f".{path.name}.new")
        with explained(path):
            write_json(temporary, content)
            temporary.replace(path)

    trainer.kept.write(write)


def settings_of(run: Path) -> dict[str, Any]:
    path = run / SETTINGS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OrionError(f"{path}: cannot be read: {error}") from None
    known = {field.name for kind in (Settings, Lora) for field in fields(kind)}
    known |= {"model", "preset", "data", "device"}
    return {name: value for name, value in content.items() if name in known}


def finish(trainer: Trainer) -> dict[str, Any]:
    """Writes the model, and says how the run went; `model` is where it lies."""
    counters = trainer.learner.machine.counters()
    directory = trainer.kept.write(lambda run: str(export(trainer, run / FINISHED)))
    return {
        "model": directory,
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
        "peak_memory_bytes": peak_memory(),
    }


def export(trainer: Trainer, directory: Path) -> Path:
    """The model, or the adapters, as others read them."""
    with trainer.learner.parameters.held(), new_directory(directory) as new:
        trainer.learnt.finish(new, trainer.learner.parameters.named())
    return directory
