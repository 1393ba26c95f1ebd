"""What the library keeps on disk, and the hash it knows a file by."""

import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orion.errors import UsageError
from orion.runtime.abi import encode_text, library, take_text

# What may be cleared, and how the names of its entries look; anything else is somebody else's.
# Locks and the directories of running programs stay.
_KEY = r"[0-9a-f]{64}(\..+)?"
CLEARED = {
    "bundles": _KEY,
    "models": _KEY,
    "cpu": rf"{_KEY}|packs",
    "sim": r"paper|m\d\w*-macos\d+",
    "identity": r"\d+-\d+(\..+)?",
}


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


def clear_cache(cache_dir: str | os.PathLike[str] | None = None, kinds: Sequence[str] = ()) -> int:
    """Removes entries of these kinds (none: of all); bytes freed.

    What a program in another process has mapped stays readable for it; what it has not opened yet
    is compiled again. An entry vanishes whole: it is renamed first.
    """
    unknown = [kind for kind in kinds if kind not in CLEARED]
    if unknown:
        raise UsageError(
            f"The cache has no kind {unknown[0]!r} to clear; expected {', '.join(CLEARED)}."
        )
    before = _bytes(cache_dir)
    top = Path(cache_dir or default_cache_dir())
    for kind in kinds or CLEARED:
        room = top / kind
        names = sorted(os.listdir(room)) if room.is_dir() and not room.is_symlink() else []
        for name in names:
            if re.fullmatch(CLEARED[kind], name):
                _remove(room / name)
    return before - _bytes(cache_dir)


def _bytes(cache_dir: str | os.PathLike[str] | None) -> int:
    return sum(entry["bytes"] for entry in cache_entries(cache_dir))


def _remove(entry: Path) -> None:
    if entry.is_symlink() or not entry.is_dir():
        entry.unlink(missing_ok=True)
        return
    leaving = entry.with_name(f".{entry.name}.leaving-{os.getpid()}")
    entry.rename(leaving)
    shutil.rmtree(leaving, ignore_errors=True)


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file in hexadecimal."""
    return take_text(library().orion_file_sha256, encode_text(os.fspath(path)))
