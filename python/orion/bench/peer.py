"""A worker: a process that measures one thing whenever it is asked, ours or a peer's.

A worker reads lines of JSON and answers each with one, and waits without work in between; so
several can be measured in turn although each needs its own Python. Peers' workers are the scripts
of `workers/`, which know nothing of this package and run in the Python that has the peer:
`--peer-python`, `$ORION_PEER_PYTHON`, or our own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import OrionError

WORKERS = Path(__file__).parent / "workers"
PYTHON_VARIABLE = "ORION_PEER_PYTHON"


class Worker:
    """`what` names it in errors. Answers are JSON objects; close it, or use it in a `with`."""

    def __init__(self, what: str, command: Sequence[str]) -> None:
        self.what = what
        # A pipe that nobody reads would stop a talkative library.
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
            )
        except OSError as error:
            raise OrionError(f"{what}: {command[0]} does not start: {error.strerror}") from error

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the empty answer tells
        # What libraries print is no answer.
        for line in self._process.stdout:
            if line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        self._process.wait()
        self._errors.seek(0)
        raise OrionError(f"{self.what} failed:\n{self._errors.read().strip()[-2000:]}")

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.communicate()
        self._errors.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def start_ours(what: str, module: str, *arguments: str) -> Worker:
    """A module of this package, run with the Python that runs us."""
    return Worker(what, [sys.executable, "-m", module, *arguments])


def start_peer(peer: str, script: str, *arguments: str) -> Worker:
    """`workers/<script>.py` in the peer's Python."""
    found = os.environ.get(PYTHON_VARIABLE) or sys.executable
    return Worker(f"peer {peer}", [found, str(WORKERS / f"{script}.py"), *arguments])
