"""Makes a failing program small; what failing means is `failure`'s."""

import ctypes
from ctypes import byref, c_char_p
from dataclasses import dataclass
from typing import Protocol

from orion.diagnose.failure import Failure
from orion.errors import OrionError
from orion.runtime.abi import JUDGE, library
from orion.runtime.checking import Finding, check


class Judge(Protocol):
    """Says how a text fails, or None."""

    def failure(self, text: str) -> Failure | None: ...


@dataclass(frozen=True)
class Reduced:
    """The smallest program that was found, and what it broke."""

    text: str
    failure: Failure
    tries: int

    def suspects(self, profiles: list[str]) -> list[Finding]:
        """Findings on the small program, errors first: what is left is likely the reason."""
        order = {"error": 0, "warning": 1, "note": 2}
        return sorted(
            check(self.text, profiles=profiles), key=lambda finding: order[finding.severity]
        )


def reduce(text: str, judge: Judge) -> Reduced:
    """The smallest program that fails as `text` does; fails itself when `text` does not."""
    found = judge.failure(text)
    if found is None:
        raise OrionError(
            "The program does not fail: it breaks no rule and runs. Name a device to run it on"
            " (--device), another to compare with (--compare), or a rule (--rule)."
        )
    wanted = found.mark
    tries = 0
    raised: BaseException | None = None

    def still_fails(_context: int | None, address: int, count: int) -> int:
        nonlocal tries, raised
        tries += 1
        try:
            candidate = ctypes.string_at(address, count).decode("utf-8")
            failure = judge.failure(candidate)
        except BaseException as error:
            # It cannot pass through the library's frames: it is raised behind them.
            raised = error
            return -1
        return int(failure is not None and failure.mark == wanted)

    encoded = text.encode("utf-8")
    smaller = c_char_p()
    library().orion_shrink(encoded, len(encoded), JUDGE(still_fails), None, byref(smaller))
    reached = (smaller.value or b"").decode("utf-8")
    library().orion_text_free(smaller)
    if raised is not None:
        raise raised
    return Reduced(reached, judge.failure(reached) or found, tries)
