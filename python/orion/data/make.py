"""Writes directories of token files: from text, from lines of JSON, or from stories of our own."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import tokenizer as tokenizers
from ..errors import OrionError, UsageError
from ..files import check_new, new_directory
from ..tokenizer import Tokenizer
from . import bytes_as_tokens, stories, tokens
from .examples import ids_of, joined, read_jsonl, read_texts

STORIES_VOCABULARY = 512
STORIES_MODEL = "tokenizer.model"
# Stories that the tokenizer learns from.
TAUGHT = 2000


@dataclass(frozen=True)
class MadeData:
    """What was written; counts of ids by split."""

    directory: str
    vocabulary: int
    train: int
    valid: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def make_data(
    files: Sequence[str | Path],
    directory: str | Path,
    *,
    model: str | Path | None = None,
    valid: float = 0.1,
) -> MadeData:
    """Token files of texts (.txt, .jsonl, or any file with bytes as tokens), in one stream.

    `model`: whose tokenizer to use; None: bytes as tokens. The last share `valid` of the ids is for
    validation. The tokenizer's files are put beside them. `directory` appears whole or not at all.
    """
    if not 0 <= valid < 1:
        raise UsageError(f"--valid is a share from 0 up to 1, not {valid}.")
    target = Path(directory)
    check_new(target)
    with new_directory(target) as place:
        if model is None:
            words = tokenizers.load(bytes_as_tokens.write(place))
            ids = np.concatenate([as_bytes(Path(path)) for path in files])
        else:
            words = copied_tokenizer(model, place)
            ids = joined(part for path in files for part in as_tokens(Path(path), words))
        if len(ids) < 2:
            names = ", ".join(map(str, files))
            raise OrionError(f"{names}: holds {len(ids)} tokens, and learning takes at least 2")
        return write(target, place, words, split(ids, valid))


def make_stories(
    directory: str | Path,
    *,
    count: int = 4000,
    seed: int = 0,
    vocabulary: int = STORIES_VOCABULARY,
    valid: float = 0.05,
) -> MadeData:
    """A corpus of `count` small stories, and a tokenizer that learnt from them."""
    if count < 1:
        raise UsageError(f"--stories takes 1 or more, not {count}.")
    target = Path(directory)
    check_new(target)
    texts = [stories.story(seed, number) for number in range(count)]
    model = learnt(texts[:TAUGHT], vocabulary)
    with new_directory(target) as place:
        (place / STORIES_MODEL).write_bytes(model)
        words = tokenizers.load(place)
        coded = [ids_of(text, words) for text in texts]
        held = min(count - 1, round(count * valid))
        parts = (joined(coded[: count - held]), joined(coded[count - held :]))
        return write(target, place, words, parts)


def learnt(texts: Sequence[str], vocabulary: int) -> bytes:
    """A tokenizer.model of this many pieces; the same texts give the same bytes."""
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocabulary,
            byte_fallback=True,
            character_coverage=1.0,
            num_threads=1,
            hard_vocab_limit=True,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UsageError(f"--vocabulary {vocabulary}: no tokenizer of that size: {error}") from None
    return model.getvalue()


def copied_tokenizer(model: str | Path, target: Path) -> Tokenizer:
    words = tokenizers.load(model)
    if not words.has_text:
        raise UsageError(f"{model}: has no tokenizer; name a model that has one, or use --bytes")
    for path in words.files:
        shutil.copyfile(path, target / path.name)
    return words


def as_bytes(path: Path) -> np.ndarray:
    try:
        return np.fromfile(path, np.uint8)
    except OSError as error:
        raise OrionError(f"{path}: cannot be read: {error.strerror}") from None


def as_tokens(path: Path, words: Tokenizer) -> Iterator[np.ndarray]:
    read = read_jsonl if path.suffix == ".jsonl" else read_texts
    for example in read(path, words):
        yield example.ids


def split(ids: np.ndarray, valid: float) -> tuple[np.ndarray, np.ndarray]:
    first = int(len(ids) * (1 - valid) + 1e-9)
    return ids[:first], ids[first:]


def write(
    target: Path, place: Path, words: Tokenizer, parts: tuple[np.ndarray, np.ndarray]
) -> MadeData:
    """Into `place`, which becomes `target`."""
    digest = tokens.digest_of(words)
    for name, ids in zip(("train", "valid"), parts, strict=True):
        if name == "train" or len(ids) > 1:
            with tokens.TokenWriter(place / f"{name}.bin", words.vocabulary, digest) as writer:
                writer.add(ids)
    return MadeData(str(target), words.vocabulary, len(parts[0]), len(parts[1]))
