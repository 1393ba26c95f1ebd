"""What a run begins with: a checkpoint's numbers, or fresh ones of a preset or a config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import tokenizer, weights
from ..compile import Source, find_family, read_source
from ..errors import OrionError, UsageError
from ..weights import Checkpoint, presets

CONFIG = "config.json"


def open_source(model: str | Path | None, preset: str | Path | None, seed: int) -> Source:
    """Of a checkpoint by its path, or fresh by a preset's name or a path of a config.json."""
    if (model is None) == (preset is None):
        raise UsageError(
            "Give --model (a checkpoint to go on from) or --preset (fresh weights: a name or a"
            " config.json), one of them."
        )
    if model is not None:
        return read_source(weights.locate(model))
    return fresh(config_of(str(preset)), seed)


def config_of(preset: str) -> dict[str, Any]:
    if presets.is_preset(preset):
        return dict(presets.PRESETS[preset])
    path = Path(preset)
    path = path / CONFIG if path.is_dir() else path
    if not path.is_file():
        names = ", ".join(presets.PRESETS)
        raise UsageError(f"{preset}: is no preset ({names}) and no {CONFIG}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OrionError(f"{path}: holds no JSON: {error}") from None
    if not isinstance(content, dict):
        raise OrionError(f"{path}: expected an object, found a {type(content).__name__}")
    return content


def fresh(content: Mapping[str, Any], seed: int) -> Source:
    """Norms of one, biases of zero, the rest normal, each tensor from the seed and its name."""
    family, config = find_family(content)
    tensors = {
        name: presets.fresh(name, shape, seed) for name, shape in family.shapes(config).items()
    }
    words = tokenizer.ids_only(content, config.vocabulary)
    return Source(
        Checkpoint(dict(content), tensors, ()),
        family.restore(config, tensors),
        family,
        config,
        words,
    )
