"""What a peer needs before anything is measured, and the worker that runs it.

Peers' workers are the scripts of `workers/`, which know nothing of this package and run in the
Python that has the peer: `--peer-python`, `$ORION_PEER_PYTHON`, or our own. A peer that is a
program is named by `--peer-binary` or `$ORION_PEER_BINARY`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import OrionError, UsageError
from .worker import Worker

WORKERS = Path(__file__).parent / "workers"
PYTHON_VARIABLE = "ORION_PEER_PYTHON"
BINARY_VARIABLE = "ORION_PEER_BINARY"
MISSING = (
    "import sys; from importlib.util import find_spec;"
    "print('missing', *(name for name in sys.argv[1:] if find_spec(name) is None))"
)


def peer_python() -> str:
    return os.environ.get(PYTHON_VARIABLE) or sys.executable


def peer_binary(peer: str) -> str:
    """The program that the user named. OrionError when there is none that runs."""
    named = os.environ.get(BINARY_VARIABLE)
    if not named:
        raise UsageError(
            f"peer {peer} is a program of its own: name it with --peer-binary or ${BINARY_VARIABLE}"
        )
    found = shutil.which(named)
    if found is None:
        raise OrionError(f"peer {peer}: {named} is no file that can be run")
    return str(Path(found).absolute())


def check_modules(peer: str, modules: Sequence[str]) -> None:
    """OrionError when the peer's Python does not run or lacks a module; none is imported."""
    python = peer_python()
    try:
        done = subprocess.run(
            [python, "-c", MISSING, *modules], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise OrionError(f"peer {peer}: {python} does not start: {error.strerror}") from error
    first, *missing = done.stdout.split() or [""]
    if done.returncode or first != "missing":
        raise OrionError(f"peer {peer}: {python} is no Python that runs")
    if missing:
        raise OrionError(
            f"peer {peer}: {python} has no {' and no '.join(missing)}; install what is missing"
            f" there, or name another Python with --peer-python or ${PYTHON_VARIABLE}"
        )


def start_ours(what: str, module: str, *arguments: str) -> Worker:
    """A module of this package, run with the Python that runs us."""
    return Worker(what, [sys.executable, "-m", module, *arguments])


def start_peer(peer: str, script: str, *arguments: str) -> Worker:
    """`workers/<script>.py` in the peer's Python."""
    return Worker(f"peer {peer}", [peer_python(), str(WORKERS / f"{script}.py"), *arguments])
