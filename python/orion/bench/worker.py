"""A worker: a process that measures one thing whenever it is asked, ours or a peer's.

A worker reads lines of JSON and answers each with one, and waits without work in between; so
several can be measured in turn although each needs its own Python.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any

from ..errors import OrionError

# Seconds in which a worker that is interrupted removes its files; then it is killed.
PATIENCE = 5.0


class Worker:
    """`what` names it in errors. Answers are JSON objects; close it, or use it in a `with`."""

    def __init__(self, what: str, command: Sequence[str]) -> None:
        self.what = what
        # A pipe that nobody reads would stop a talkative library.
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        try:
            # In a session of its own, a terminal's Ctrl-C reaches us alone: we interrupt it once.
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                start_new_session=True,
                preexec_fn=take_interrupts,  # noqa: PLW1509  it takes no lock
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
        raise OrionError(f"{self.what} failed: {reason(self._errors.read(), self._process)}")

    def close(self) -> None:
        """Lets it finish what it does."""
        if self._process.poll() is None:
            self._process.communicate()
        self._errors.close()

    def stop(self) -> None:
        """Ends it in the middle of its work."""
        if self._process.poll() is None:
            end(self._process)
        self._errors.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.stop()


def take_interrupts() -> None:
    """A program in the background of a shell ignores them, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def end(process: subprocess.Popen[str]) -> None:
    """Interrupts it, that its temporary files go, and kills it when that does not help."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def reason(said: str, process: subprocess.Popen[str]) -> str:
    """One line: the last that it said, or how it ended; with ORION_DEBUG=1 all of it."""
    lines = said.strip().splitlines()
    if lines and os.environ.get("ORION_DEBUG") == "1":
        return "\n" + "\n".join(lines)
    code = process.returncode
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    return lines[-1] if lines else f"it ended with {ended} and said nothing"
