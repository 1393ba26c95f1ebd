"""SHA-256 of files, remembered as long as the file stays what it was; knows no bundle.

An entry holds device, inode, size, times of change, the digest, and a digest of all that: an
entry that does not check itself counts as none. A file that changed within the last moments is
not remembered, for it may change again within the same tick of the clock.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

from ..files import sha256

SETTLED_NANOSECONDS = 100_000_000


class Identities:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def sha256(self, path: Path) -> str:
        """Digest of the file at `path`. OSError when it cannot be read."""
        before = stamp(path)
        entry = self.directory / hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]
        with contextlib.suppress(OSError, ValueError):
            known, digest, check = entry.read_text().split("\n")
            if known == before and check == checked(known, digest):
                return digest
        digest = sha256(path)
        if stamp(path) == before and settled(path):
            self.remember(entry, before, digest)
        return digest

    def remember(self, entry: Path, known: str, digest: str) -> None:
        """A memory that cannot be written is only slow."""
        temporary = entry.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            self.directory.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_text(f"{known}\n{digest}\n{checked(known, digest)}")
                temporary.replace(entry)
            except OSError:
                temporary.unlink()


def stamp(path: Path) -> str:
    s = path.stat()
    return f"{s.st_dev} {s.st_ino} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns}"


def settled(path: Path) -> bool:
    s = path.stat()
    return time.time_ns() - max(s.st_mtime_ns, s.st_ctime_ns) > SETTLED_NANOSECONDS


def checked(known: str, digest: str) -> str:
    return hashlib.sha256(f"{known} {digest}".encode()).hexdigest()
