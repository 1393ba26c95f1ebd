"""Copies of models for tests to damage; the smallest is made by the package itself."""

import shutil
from pathlib import Path

from orion.weights import tiny


def make_tiny(directory: Path, seed: int = 1) -> Path:
    """A checkpoint and its tokenizer, of random weights."""
    tiny.write(directory, seed=seed)
    return directory


def copy_of(model: Path, directory: Path) -> Path:
    """A copy that can be written to."""
    directory.mkdir()
    for file in model.iterdir():
        shutil.copyfile(file, directory / file.name)
    return directory


def checkpoint_of(model: Path) -> Path:
    return next(path for path in sorted(model.glob("*.bin")) if not path.name.startswith("tok"))


def tokenizer_of(model: Path) -> Path:
    return next(model.glob("tok*.bin"))


def flip_byte(path: Path, place: int | None = None) -> None:
    """Flips the bits of one byte, in the middle unless told."""
    content = bytearray(path.read_bytes())
    index = len(content) // 2 if place is None else place
    content[index] ^= 0xFF
    path.write_bytes(content)
