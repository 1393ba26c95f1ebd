"""A checkpoint of a preset on disk, as a user has one: what compiling and start-up read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ..weights import presets, safetensors


@contextmanager
def checkpoint(preset: str) -> Iterator[Path]:
    """A directory with config.json and an fp32 model.safetensors, and room beside it."""
    with TemporaryDirectory(prefix="orion-bench-") as root:
        directory = Path(root) / preset
        directory.mkdir()
        made = presets.make(preset)
        (directory / "config.json").write_text(json.dumps(dict(made.config)), encoding="utf-8")
        safetensors.write(directory / "model.safetensors", made.tensors)
        yield directory
