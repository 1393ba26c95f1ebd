"""Lines of .jsonl and texts of .txt as lists of token ids; knows no batch.

A line of .jsonl is {"text": ...}, {"prompt": ..., "completion": ...} or {"messages": [...]}, as
mlx_lm has them; messages become text by the model's own chat template.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OrionError
from ..files import no_utf8
from ..tokenizer import Tokenizer
from ..tokenizer.chat import ChatTemplate

# What separates texts in a .txt file of many.
SEPARATOR = "<|endoftext|>"
FORMS = '{"text": ...}, {"prompt": ..., "completion": ...} or {"messages": [...]}'
# Separates a prompt from its completion where the model has no chat template.
JOINT = "\n"


@dataclass(frozen=True)
class Example:
    """`answer` is the index of the first id to be learnt as such: 1, or behind the prompt."""

    ids: np.ndarray
    line: int
    answer: int = 1


def read_jsonl(path: Path, tokenizer: Tokenizer) -> Iterator[Example]:
    """OrionError names the first line that is no JSON, or has no form that is known."""
    template = ChatTemplate(tokenizer.chat_template) if tokenizer.chat_template else None
    for line, text in lines(path):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", str(error))
            raise OrionError(
                f"{path}:{line}: expected a line of JSON, {FORMS}; it is none: {reason}"
            ) from None
        yield example(path, line, row, tokenizer, template)


def lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except OSError as error:
        raise OrionError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise OrionError(f"{path}:{number}: is no UTF-8 text: {error.reason}") from None


def example(
    path: Path, line: int, row: Any, tokenizer: Tokenizer, template: ChatTemplate | None
) -> Example:
    place = f"{path}:{line}"
    if not isinstance(row, dict):
        raise OrionError(f"{place}: expected an object, {FORMS}; found {type(row).__name__}")
    if isinstance(row.get("text"), str):
        return Example(ids_of(row["text"], tokenizer), line)
    if "messages" in row:
        return conversation(place, line, row["messages"], tokenizer, template)
    if isinstance(row.get("prompt"), str) and isinstance(row.get("completion"), str):
        if template is not None:
            turns = [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["completion"]},
            ]
            return conversation(place, line, turns, tokenizer, template)
        prompt = unended(tokenizer.encode(row["prompt"] + JOINT), tokenizer)
        rest = unended(tokenizer.encode(row["completion"], bos=False), tokenizer)
        ids = [*prompt, *rest, *tokenizer.ends[:1]]
        return Example(np.array(ids, np.int32), line, max(1, len(prompt)))
    raise OrionError(f"{place}: expected {FORMS}; found the keys {', '.join(row) or '(none)'}")


def conversation(
    place: str, line: int, messages: Any, tokenizer: Tokenizer, template: ChatTemplate | None
) -> Example:
    """The last message is the answer."""
    if template is None:
        raise OrionError(
            f"{place}: holds messages, and the model has no chat template to make a text of them;"
            ' give {"text": ...} or {"prompt": ..., "completion": ...}'
        )
    sound = isinstance(messages, list) and messages and all(isinstance(m, dict) for m in messages)
    if not sound:
        raise OrionError(f"{place}: expected messages to be a list of objects with role, content")
    whole = template.render(messages=messages, add_generation_prompt=False, **tokenizer.special)
    asked = template.render(messages=messages[:-1], add_generation_prompt=True, **tokenizer.special)
    prompt = tokenizer.encode(asked, bos=False) if whole.startswith(asked) else []
    ids = tokenizer.encode(whole, bos=False)
    return Example(np.array(ids, np.int32), line, max(1, common(prompt, ids)))


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many ids both begin with: a piece may reach over the prompt's end."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))


def ids_of(text: str, tokenizer: Tokenizer) -> np.ndarray:
    """A whole text, from the token that begins texts to the one that ends them."""
    return np.array([*unended(tokenizer.encode(text), tokenizer), *tokenizer.ends[:1]], np.int32)


def unended(ids: list[int], tokenizer: Tokenizer) -> list[int]:
    """Without the end that some tokenizers put behind every text."""
    return ids[:-1] if ids and ids[-1] in tokenizer.ends else ids


def read_texts(path: Path, tokenizer: Tokenizer) -> Iterator[Example]:
    """The texts of a .txt file, apart at `<|endoftext|>`; by far most files are one text."""
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise OrionError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise OrionError(f"{no_utf8(path, error)}; --bytes takes files of any kind") from None
    line = 1
    for text in content.split(SEPARATOR):
        if text.strip():
            stripped = text.strip("\n") if SEPARATOR in content else text
            yield Example(ids_of(stripped, tokenizer), line)
        line += text.count("\n")


def joined(texts: Iterable[np.ndarray]) -> np.ndarray:
    """One stream; where one token both ends a text and begins the next, it stands there once."""
    parts: list[np.ndarray] = []
    for ids in texts:
        shared = bool(parts and len(ids) and len(parts[-1]) and parts[-1][-1] == ids[0])
        parts.append(ids[int(shared) :])
    return np.concatenate(parts) if parts else np.empty(0, np.int32)
