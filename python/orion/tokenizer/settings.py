"""The JSON files beside a tokenizer: special tokens, begin and end, chat template; no vocabulary.

Read are tokenizer_config.json, special_tokens_map.json, added_tokens.json, generation_config.json,
config.json, chat_template.jinja and chat_template.json; in a bundle, its manifest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OrionError

# What belongs to a tokenizer beside its vocabulary; config.json and a manifest are the model's.
FILES = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
)
JSON_BYTES_MAX = 64 << 20


@dataclass(frozen=True)
class Added:
    """A token that text is searched for before it is taken apart."""

    content: str
    special: bool = True
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = False
    single_word: bool = False


class Settings:
    """What the files of one directory say. Ids are as they stand there, in range or not."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = read(directory / "tokenizer_config.json")
        self.map = read(directory / "special_tokens_map.json")
        self.files = tuple(directory / name for name in FILES if (directory / name).is_file())
        # None: the vocabulary's own way.
        self.add_bos: bool | None = self.boolean("add_bos_token")
        self.chat_template = self.read_chat_template()
        self.special = self.special_texts()

    def boolean(self, name: str) -> bool | None:
        value = self.config.get(name)
        if value is not None and not isinstance(value, bool):
            raise OrionError(
                f"{self.directory / 'tokenizer_config.json'}: {name} is {value!r}, expected true,"
                " false or null"
            )
        return value

    def text(self, name: str) -> str | None:
        """The text of a special token, `bos_token` for instance."""
        for content in (self.config, self.map):
            value = content.get(name)
            value = value.get("content") if isinstance(value, dict) else value
            if isinstance(value, str) and value:
                return value
        return None

    def special_texts(self) -> dict[str, str]:
        names = [key for part in (self.config, self.map) for key in part if key.endswith("_token")]
        found = {name: self.text(name) for name in names}
        return {name: text for name, text in found.items() if text}

    def added(self) -> dict[int, Added]:
        """Tokens by id, beside those of the vocabulary's own file."""
        found = {}
        texts = set(self.special.values())
        for content, token in read(self.directory / "added_tokens.json").items():
            found[self.number(token, "added_tokens.json", content)] = Added(
                content, content in texts
            )
        rows = self.config.get("added_tokens_decoder", {})
        flags = ("special", "lstrip", "rstrip", "normalized", "single_word")
        for token, row in rows.items() if isinstance(rows, dict) else ():
            index = self.number(token, "tokenizer_config.json", "added_tokens_decoder")
            if not isinstance(row, dict) or not isinstance(row.get("content"), str):
                raise OrionError(
                    f"{self.directory / 'tokenizer_config.json'}: added_tokens_decoder {token} has"
                    " no content"
                )
            found[index] = Added(
                row["content"], **{flag: row.get(flag, False) is True for flag in flags}
            )
        return found

    def number(self, value: Any, name: str, what: str) -> int:
        if str(value).isdecimal() and int(value) < 1 << 31:
            return int(value)
        raise OrionError(f"{self.directory / name}: {what}: {value!r} is no token id")

    def marks(self) -> tuple[int | None, tuple[int, ...]]:
        """The model's begin token and its end tokens, as far as they stand as ids."""
        manifest = read(self.directory / "manifest.json")
        if manifest:
            return first(manifest.get("begin_token")), ids(manifest.get("end_tokens"))
        names = ("generation_config.json", "config.json")
        return marks([read(self.directory / name) for name in names])

    def read_chat_template(self) -> str | None:
        path = self.directory / "chat_template.jinja"
        if path.is_file():
            return read_text(path)
        for content in (read(self.directory / "chat_template.json"), self.config):
            value = content.get("chat_template")
            if isinstance(value, list):
                named = {row.get("name"): row.get("template") for row in value}
                value = named.get("default")
            if isinstance(value, str):
                return value
        return None


def marks(configs: Sequence[Mapping[str, Any]]) -> tuple[int | None, tuple[int, ...]]:
    """The begin token that comes first, and all end tokens."""
    begins = [first(config.get("bos_token_id")) for config in configs]
    ends = [end for config in configs for end in ids(config.get("eos_token_id"))]
    return next((begin for begin in begins if begin is not None), None), unique(ends)


def ids(value: Any) -> tuple[int, ...]:
    """One id, or several, or none."""
    values = value if isinstance(value, list) else [value]
    return unique([v for v in values if isinstance(v, int) and not isinstance(v, bool) and v >= 0])


def first(value: Any) -> int | None:
    return next(iter(ids(value)), None)


def unique(values: list[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(values))


def read(path: Path) -> dict[str, Any]:
    """The object of a JSON file; a file that is absent holds nothing."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise OrionError(f"{path}: is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise OrionError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


def read_text(path: Path) -> str:
    try:
        if path.stat().st_size > JSON_BYTES_MAX:
            raise OrionError(
                f"{path}: is larger than {JSON_BYTES_MAX >> 20} MiB; it is no such file"
            )
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise OrionError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise OrionError(f"{path}: is no UTF-8 text: {error.reason}") from None
