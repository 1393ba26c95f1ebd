"""Text to token ids and back: `load(path)`; one file of this room per format. Knows no model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import OrionError, UsageError
from .base import IdsOnly, Tokenizer
from .settings import FILES, Settings, marks
from .stop import StopStrings
from .stream import TokenStream

__all__ = ["IdsOnly", "StopStrings", "TokenStream", "Tokenizer", "find_files", "ids_only", "load"]


def load(path: str | Path, vocabulary: int | None = None) -> Tokenizer:
    """The tokenizer at `path`: a model directory, a bundle, a checkpoint's path, or the file.

    Without one, ids still pass. `vocabulary` is the count of tokens that the model has; OrionError
    when the file's cannot be that model's.
    """
    files = find_vocabulary(Path(path))
    tokenizer = read(files) if files else IdsOnly(*Settings(directory_of(Path(path))).marks())
    if vocabulary is not None:
        tokenizer.check(vocabulary)
    return tokenizer


def ids_only(config: Mapping[str, Any], vocabulary: int) -> IdsOnly:
    """For a model that has no files but a config."""
    tokenizer = IdsOnly(*marks([config]))
    tokenizer.check(vocabulary)
    return tokenizer


def read(files: tuple[Path, ...]) -> Tokenizer:
    name = files[0].name
    if name == "tokenizer.json":
        from . import huggingface

        return huggingface.read_json(files[0])
    if name == "vocab.json":
        from . import huggingface

        return huggingface.read_vocabulary(*files)
    if name.endswith(".model"):
        from . import sentencepiece_model

        return sentencepiece_model.read(files[0])
    from . import llama2c

    return llama2c.read(files[0])


def find_files(path: str | Path) -> tuple[Path, ...]:
    """All files at `path` that text and ids depend on; none when the model takes ids alone."""
    path = Path(path)
    beside = [directory_of(path) / name for name in FILES]
    found = find_vocabulary(path)
    return (*found, *(file for file in beside if file.is_file() and file not in found))


def find_vocabulary(path: Path) -> tuple[Path, ...]:
    """The file, or two, that hold the pieces; the format that says most comes first."""
    if path.is_file() and is_vocabulary(path):
        return (path,)
    directory = directory_of(path)
    if (directory / "tokenizer.json").is_file():
        return (directory / "tokenizer.json",)
    found = sorted(directory.glob("tok*.bin"))
    if len(found) > 1:
        names = ", ".join(p.name for p in found)
        raise OrionError(
            f"{directory}: expected one tokenizer tok*.bin, found {len(found)} ({names});"
            " leave one of them there"
        )
    if found:
        return (found[0],)
    pair = (directory / "vocab.json", directory / "merges.txt")
    model = directory / "tokenizer.model"
    if pair[1].is_file() or (pair[0].is_file() and not model.is_file()):
        return pair
    return (model,) if model.is_file() else ()


def is_vocabulary(path: Path) -> bool:
    return path.name == "tokenizer.json" or (
        path.name.startswith("tok") and path.suffix in (".bin", ".model")
    )


def directory_of(path: Path) -> Path:
    directory = path.parent if path.is_file() else path
    if not directory.is_dir():
        raise UsageError(f"{path}: there is no such model directory or file")
    return directory
