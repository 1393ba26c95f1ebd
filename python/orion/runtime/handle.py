"""Ownership of one handle of the C interface; knows how to give it back, not what it is."""

import contextlib
import weakref
from collections.abc import Callable
from typing import Any

from orion.errors import OrionError, UsageError


def _give_back(free: Callable[[int], None], handle: int, _owner: Any) -> None:
    """Runs at collection or when Python exits, when nobody is left to tell of a failure.

    `_owner` is what the handle lives in: being an argument keeps it alive until now.
    """
    with contextlib.suppress(OrionError):
        free(handle)


class Owned:
    """An object behind a handle: given back by `close`, at collection, or when Python exits."""

    _noun = "object"

    def _own(self, handle: int, free: Callable[[int], None], owner: Any = None) -> None:
        self._handle = handle
        self._free = free
        self._finalizer = weakref.finalize(self, _give_back, free, handle, owner)

    @property
    def handle(self) -> int:
        """The number behind which the C interface keeps this object."""
        if not self._finalizer.alive:
            raise UsageError(f"This {self._noun} was closed; open another.")
        return self._handle

    @property
    def closed(self) -> bool:
        return not self._finalizer.alive

    def close(self) -> None:
        """Gives the object back to the library; a second call does nothing."""
        if self._finalizer.detach() is not None:
            self._free(self._handle)
