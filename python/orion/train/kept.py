"""What a run keeps in its directory, if it has one: the first rank writes, the others wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from . import checkpoint
from .checkpoint import Saved
from .learnt import Learnt
from .metrics import METRICS, MetricsFile
from .parameters import Parameters
from .ranks import Ranks
from .rundirectory import RunDirectory

Result = TypeVar("Result")


class Kept:
    """`path` None: nothing is kept. `resumed` is the checkpoint to go on from."""

    def __init__(self, path: Path | None, ranks: Ranks, *, resume: bool) -> None:
        self.path = path
        self._ranks = ranks
        self._directory: RunDirectory | None = None
        self._metrics: MetricsFile | None = None
        self.resumed: Saved | None = None
        if path is None:
            return
        place = ranks.first(lambda: self._open(path, resume))
        if place is not None:
            self.resumed = ranks.together(lambda: checkpoint.read(Path(place)))

    def _open(self, path: Path, resume: bool) -> str | None:
        self._directory = RunDirectory(path, resume=resume)
        resumed = self._directory.resumed
        return str(resumed.directory) if resumed else None

    def begin_metrics(self, after: int) -> None:
        """Lines of later steps than `after` are forgotten."""
        if self._directory:
            self._metrics = MetricsFile(self._directory.path / METRICS, after)

    def add_metrics(self, line: dict[str, Any]) -> None:
        if self._metrics:
            self._metrics.add(line)

    def end_metrics(self) -> None:
        if self._metrics:
            self._metrics.close()

    def save(
        self, learnt: Learnt, parameters: Parameters, state: Mapping[str, Any], keep: int
    ) -> Path | None:
        """The checkpoint of `state["step"]`, where it is not there yet; the last `keep` stay."""

        def write(path: Path) -> str:
            target = checkpoint.place(path, state["step"])
            if not target.is_dir():
                checkpoint.save(path, learnt, parameters, state)
                checkpoint.prune(path, keep)
            return str(target)

        written = self.write(write)
        return None if written is None else Path(written)

    def write(self, function: Callable[[Path], Result]) -> Result | None:
        """What `function` gives on the first rank, told the directory; JSON can hold it."""
        path = self.path
        return None if path is None else self._ranks.first(lambda: function(path))

    def last_saved(self) -> str:
        """The last checkpoint, as a message says it."""
        found = checkpoint.directories(self.path)[-1:] if self.path else []
        return f"the last good checkpoint is {found[0]}" if found else "no checkpoint was saved"

    def close(self) -> None:
        if self._directory:
            self._directory.close()
