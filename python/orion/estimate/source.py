"""What is to be estimated, by its path or name: a model by its config alone, or MIL texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import weights
from ..compile import find_family
from ..errors import OrionError
from ..weights import hub, presets
from ..weights.checkpoint import CONFIG
from ..weights.huggingface import read_json


@dataclass(frozen=True)
class Configured:
    """A model as its family reads its config; no weight of it is there."""

    name: str
    family: Any
    config: Any

    @property
    def parameters(self) -> int:
        total = 0
        for shape in self.family.shapes(self.config).values():
            count = 1
            for length in shape:
                count *= length
            total += count
        return total


def is_text(path: Path) -> bool:
    """A MIL file, or a directory of them: of a bundle, or with a model.mil."""
    if path.is_file():
        return path.suffix == ".mil"
    return (path / "manifest.json").is_file() or (path / "model.mil").is_file()


def open_config(path: str | Path) -> Configured:
    """Of a preset, a config.json or its directory, an id on the hub, or a llama2.c checkpoint.

    OrionError names what is missing or wrong.
    """
    family, config = find_family(content_of(path))
    return Configured(Path(path).name if Path(path).exists() else str(path), family, config)


def content_of(path: str | Path) -> Mapping[str, Any]:
    place = Path(path)
    if presets.is_preset(path):
        return presets.PRESETS[str(path)]
    if not place.exists() and hub.is_id(path):
        place = hub.fetch(str(path), (CONFIG,))
    config = place / CONFIG if place.is_dir() else place.with_name(CONFIG)
    if place.suffix == ".json":
        config = place
    if place.exists() and place.suffix != ".bin" and config.is_file():
        return read_json(config)
    try:
        return weights.load(place).config
    except OrionError as error:
        names = ", ".join(presets.PRESETS)
        raise type(error)(
            f"{error}. An estimate takes a {CONFIG}, a preset ({names}), a bundle or a MIL file"
        ) from None
