"""What the library keeps on disk, and the hash it knows a file by."""

import json
import os
from pathlib import Path
from typing import Any

from orion.runtime.abi import encode_text, library, take_text


def default_cache_dir() -> Path:
    """$ORION_CACHE, else ~/.cache/orion: what the library uses too."""
    named = os.environ.get("ORION_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "orion"


def cache_entries(cache_dir: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
    """{kind, path, bytes, files} of each part of a cache directory; None: the default one."""
    directory = None if cache_dir is None else os.fspath(cache_dir)
    entries: list[dict[str, Any]] = json.loads(
        take_text(library().orion_cache_json, encode_text(directory))
    )
    return entries


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file in hexadecimal."""
    return take_text(library().orion_file_sha256, encode_text(os.fspath(path)))
