"""Runs of the `orion` command, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import OrionError
from .worker import end, reason


@dataclass(frozen=True)
class Run:
    seconds: float
    peak_bytes: int
    output: str


def run_python(*arguments: str, variables: Mapping[str, str] | None = None) -> Run:
    """From the start of the process to its end; OrionError with what it said when it fails."""
    environment = {**os.environ, **(variables or {})}
    # An installed package has its modules compiled.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        output, error = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        end(process)
        raise
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise OrionError(f"{' '.join(arguments)} failed: {reason(error, process)}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Run(seconds, peak, output)
