"""The directory of a run: who may write it, and where it goes on; knows no model."""

from __future__ import annotations

import fcntl
from pathlib import Path

from ..errors import UsageError
from ..files import explained
from . import checkpoint

LOCK = ".lock"


class RunDirectory:
    """Held by one process at a time. `resumed` is the checkpoint to go on from."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        with explained(path):
            (path / checkpoint.FOLDER).mkdir(parents=True, exist_ok=True)
            self._lock = (path / LOCK).open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise UsageError(f"{path}: another process trains there; name another") from None
        checkpoint.remove_leftovers(path)
        self.resumed = checkpoint.find(path) if resume else None
        if not resume and checkpoint.directories(path):
            self.close()
            raise UsageError(
                f"{path}: holds a run already; --resume goes on with it, or name another directory"
            )

    def close(self) -> None:
        self._lock.close()
