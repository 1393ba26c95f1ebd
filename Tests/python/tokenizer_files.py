"""What tests of tokenizers share: files beside a vocabulary, and ids as a stream of text."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from orion.tokenizer import Tokenizer


def streamed(words: Tokenizer, ids: Iterable[int], skip_special: bool = True) -> str:
    stream = words.stream(skip_special)
    return "".join([*map(stream.push, ids), stream.flush()])


def with_files(source: Path, directory: Path, **files: dict[str, Any]) -> Path:
    """A copy of a tokenizer with JSON files beside it."""
    directory.mkdir()
    for path in source.iterdir():
        shutil.copyfile(path, directory / path.name)
    for name, content in files.items():
        (directory / f"{name}.json").write_text(json.dumps(content))
    return directory
