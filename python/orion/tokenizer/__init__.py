"""Text to token ids and back: `load(path)`; one file of this room per format. Knows no model."""

from __future__ import annotations

from pathlib import Path

from ..errors import OrionError, UsageError
from . import llama2c
from .llama2c import Tokenizer
from .stream import TokenStream

__all__ = ["TokenStream", "Tokenizer", "find_tokenizer", "load"]


def load(path: str | Path, vocabulary: int | None = None) -> Tokenizer:
    """The tokenizer at `path`: a model directory, a bundle, a checkpoint's path, or the file.

    `vocabulary` is the count of tokens that the model has; OrionError when the file has another.
    """
    file = find_tokenizer(path)
    tokenizer = llama2c.read(file)
    if vocabulary is not None and tokenizer.vocabulary != vocabulary:
        raise OrionError(
            f"{file}: holds {tokenizer.vocabulary} tokens, but the model beside it has a vocabulary"
            f" of {vocabulary}; use the tokenizer that the model was trained with"
        )
    return tokenizer


def find_tokenizer(path: str | Path) -> Path:
    """The one `tok*.bin` at `path`."""
    path = Path(path)
    if path.is_file() and path.name.startswith("tok"):
        return path
    directory = path.parent if path.is_file() else path
    if not directory.is_dir():
        raise UsageError(f"{path}: there is no such model directory or file")
    found = sorted(directory.glob("tok*.bin"))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(p.name for p in found)
        raise OrionError(
            f"{directory}: expected one tokenizer tok*.bin, found {len(found)} ({names});"
            " leave one of them there"
        )
    raise OrionError(f"{directory}: expected one tokenizer tok*.bin, found none")
