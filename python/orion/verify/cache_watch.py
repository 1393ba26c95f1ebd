"""Sees which parts of a cache were there and had to be made again, which means: damaged.

The library heals a damaged cache by itself and gives the right numbers; a user whose disk loses
bytes should still hear of it. Files of a cache are never written over but replaced, so a new file
under an old name is one that was not usable.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# Memories of digests come and go with the times of other files.
UNWATCHED_ROOMS = {"identity"}
# Rooms where every file is an entry of its own.
ROOMS_OF_FILES = {"packs"}


class CacheWatch:
    """The files of a cache directory at the time this is made."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._before = dict(self._files())

    def rebuilt(self) -> list[str]:
        """The entries, relative to the cache, of which a file was replaced since."""
        now = dict(self._files())
        replaced = [path for path, file in now.items() if self._before.get(path, file) != file]
        return sorted({self._entry(path) for path in replaced})

    def _entry(self, path: Path) -> str:
        relative = path.relative_to(self.directory)
        is_entry = relative.parent.name in ROOMS_OF_FILES
        return str(relative if is_entry else relative.parent)

    def _files(self) -> Iterator[tuple[Path, tuple[int, int]]]:
        """Each file with what tells it from another of its name; numbers alone are used again."""
        for place, rooms, names in os.walk(self.directory):
            rooms[:] = [room for room in rooms if room not in UNWATCHED_ROOMS]
            for name in names:
                path = Path(place, name)
                try:
                    if not name.startswith(".") and not name.endswith(".lock"):
                        facts = path.stat()
                        yield path, (facts.st_ino, facts.st_mtime_ns)
                except FileNotFoundError:
                    continue  # another process is at work
