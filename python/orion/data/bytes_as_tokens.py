"""Bytes as tokens: the tokenizer of 256 pieces whose ids are the bytes, as a tokenizer.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VOCABULARY = 256
FILE = "tokenizer.json"


def alphabet() -> list[str]:
    """The letter that stands for each byte where byte-level vocabularies are written down.

    Printable bytes of Latin-1 are themselves; the others follow from U+0100 on.
    """
    own = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    rest = iter(range(0x100, 0x200))
    return [chr(byte) if byte in own else chr(next(rest)) for byte in range(VOCABULARY)]


def content() -> dict[str, Any]:
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {**level, "use_regex": False},
        "post_processor": None,
        "decoder": {**level, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {letter: byte for byte, letter in enumerate(alphabet())},
            "merges": [],
        },
    }


def write(directory: Path) -> Path:
    path = directory / FILE
    path.write_text(json.dumps(content(), ensure_ascii=False), encoding="utf-8")
    return path
