"""A directory of data as mlx_lm has it: train, valid and test, each .jsonl, .txt or .bin.

Tokenizer files beside them say what the ids mean; without them the model's own tokenizer does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .. import tokenizer as tokenizers
from ..errors import OrionError, UsageError
from ..tokenizer import Tokenizer
from . import tokens
from .examples import joined, read_jsonl, read_texts
from .sources import Rows, Source, Stream

SPLITS = ("train", "valid", "test")
KINDS = (".jsonl", ".txt", ".bin")


@dataclass(frozen=True)
class Data:
    """`notes` are what a user should hear of, such as texts that were cut."""

    directory: Path
    train: Source
    valid: Source | None
    test: Source | None
    tokenizer: Tokenizer
    notes: list[str] = field(default_factory=list)


def open_data(
    directory: str | Path,
    length: int,
    vocabulary: int | None = None,
    tokenizer: Tokenizer | None = None,
    *,
    mask_prompt: bool = False,
) -> Data:
    """Rows of `length` from the files of `directory`.

    `tokenizer` is the model's; None, or one that takes ids alone: the directory's own is used.
    OrionError names the file, and the line, that cannot be learnt from.
    """
    place = Path(directory)
    if not place.is_dir():
        raise UsageError(
            f"{place}: expected a directory with train.jsonl, train.txt or train.bin; `orion data`"
            " makes one from text"
        )
    words = tokenizer_of(place, tokenizer, vocabulary)
    found: dict[str, Source | None] = {}
    notes: list[str] = []
    for split in SPLITS:
        path = file_of(place, split)
        found[split] = None if path is None else open_file(path, length, words, mask_prompt)
        note = note_of(found[split], length)
        notes += [note] if note else []
        if path is not None and path.suffix == ".bin":
            check_tokens(tokens.read(path), words, vocabulary)
    train = found["train"]
    if train is None:
        names = ", ".join(f"train{kind}" for kind in KINDS)
        raise OrionError(f"{place}: expected one of {names} in it, found none")
    return Data(place, train, found["valid"], found["test"], words, notes)


def tokenizer_of(directory: Path, models: Tokenizer | None, vocabulary: int | None) -> Tokenizer:
    if models is not None and models.has_text:
        return models
    return tokenizers.load(directory, vocabulary)


def file_of(directory: Path, split: str) -> Path | None:
    found = [path for kind in KINDS if (path := directory / f"{split}{kind}").is_file()]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise OrionError(f"{directory}: holds {names}; leave one of them, the others aside")
    return found[0] if found else None


def open_file(path: Path, length: int, words: Tokenizer, mask_prompt: bool) -> Source:
    return OPENERS[path.suffix](path, length, words, mask_prompt)


def open_jsonl(path: Path, length: int, words: Tokenizer, mask_prompt: bool) -> Source:
    return Rows(path, list(read_jsonl(path, words)), length, mask_prompt=mask_prompt)


def open_text(path: Path, length: int, words: Tokenizer, _mask_prompt: bool) -> Source:
    return Stream(path, joined(example.ids for example in read_texts(path, words)), length)


def open_tokens(path: Path, length: int, _words: Tokenizer, _mask_prompt: bool) -> Source:
    return Stream(path, tokens.read(path).ids, length)


OPENERS: dict[str, Callable[[Path, int, Tokenizer, bool], Source]] = {
    ".jsonl": open_jsonl,
    ".txt": open_text,
    ".bin": open_tokens,
}


def check_tokens(file: tokens.TokenFile, words: Tokenizer, vocabulary: int | None) -> None:
    if vocabulary is not None and file.vocabulary > vocabulary:
        raise OrionError(
            f"{file.path}: its ids go up to {file.vocabulary - 1}, and the model's vocabulary ends"
            f" at {vocabulary - 1}; make the tokens with this model's tokenizer (`orion data"
            " --model`), or train a model of that vocabulary"
        )
    digest = tokens.digest_of(words)
    if digest and file.tokenizer and digest != file.tokenizer:
        raise OrionError(
            f"{file.path}: its ids are of another tokenizer than {words.files[0]}; make it again"
            " with `orion data --model`"
        )


def note_of(source: Source | None, length: int) -> str:
    cut = source.cut if isinstance(source, Rows) else []
    if source is None or not cut:
        return ""
    longest = cut[0]
    return (
        f"{source.path}: {len(cut)} of {source.rows} examples are longer than a row of {length}"
        f" tokens and are cut; the longest, line {longest.line}, has {len(longest.ids)}."
        " --max-seq-length makes rows longer; `orion data` makes one stream, which cuts nothing off"
    )
