"""Whether this process is one of several: when a launcher of MPI says so, or the user does."""

from __future__ import annotations

import os

from ...errors import OrionError
from .base import Alone, Ranks

# Where a launcher leaves the number of processes that it started.
LAUNCHERS = (
    ("OMPI_COMM_WORLD_SIZE", "Open MPI's mpirun"),
    ("PMI_SIZE", "MPICH's or Intel's mpiexec"),
    ("MV2_COMM_WORLD_SIZE", "MVAPICH's mpirun"),
)


def find_ranks(distributed: bool = False) -> Ranks:
    """`distributed` asks for MPI where no launcher of LAUNCHERS shows, as under Slurm's srun.

    OrionError when there is no MPI, or another than the launcher's.
    """
    started, launcher = launched()
    if started == 1 and not distributed:
        return Alone()
    try:
        from .mpi import MpiRanks

        ranks = MpiRanks()
    except ImportError as error:
        raise OrionError(
            f"several processes train together through mpi4py, which cannot be used here ({error}):"
            " pip install 'orion-ane[distributed]', and an MPI such as Open MPI"
        ) from None
    if ranks.count != started and launcher:
        raise OrionError(
            f"{launcher} started {started} processes, and mpi4py sees {ranks.count}: it uses"
            f" another MPI ({ranks.library}); start with the mpirun that belongs to it, or install"
            " mpi4py for the other one"
        )
    return ranks


def launched() -> tuple[int, str]:
    """How many processes a launcher started, and its name; 1 and none where none did."""
    for variable, name in LAUNCHERS:
        value = os.environ.get(variable, "")
        if value.isdigit() and int(value) > 1:
            return int(value), name
    return 1, ""
