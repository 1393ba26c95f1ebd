"""Starts `orion` and test programs on several ranks of MPI, or skips aloud where there is none."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

# Open MPI, 4 and 5: tests run as root in containers, and with more ranks than processors.
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
ORION = (sys.executable, "-m", "orion")
TIMEOUT_S = 300


def require_mpi() -> str:
    """The launcher's path: that of this environment's MPI, else the system's."""
    beside = Path(sys.executable).with_name("mpirun")
    launcher = str(beside) if beside.is_file() else shutil.which("mpirun")
    missing = [] if launcher else ["mpirun"]
    missing += [] if importlib.util.find_spec("mpi4py") else ["mpi4py"]
    if missing:
        message = f"no {' and no '.join(missing)}: pip install 'orion-ane[dev]'"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return str(launcher)


def start(*commands: list[str], count: int = 1) -> subprocess.Popen[str]:
    """Each command on `count` ranks, all of one world."""
    words: list[str] = []
    for command in commands:
        words += [*([":"] if words else []), "-n", str(count), *map(str, command)]
    return subprocess.Popen(
        [require_mpi(), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **ENVIRONMENT},
    )


def run(*commands: list[str], count: int = 1) -> SimpleNamespace:
    """The same, to its end: exit code and what was printed."""
    process = start(*commands, count=count)
    try:
        out, err = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return SimpleNamespace(code=process.returncode, out=out, err=err)
