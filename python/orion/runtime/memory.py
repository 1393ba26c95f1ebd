"""What this process holds of the machine's memory, in bytes."""

from __future__ import annotations

import os
import re
import resource
import sys
from pathlib import Path


def peak_memory() -> int:
    """The most that it ever held. Linux's ru_maxrss also counts what its parent held."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        status = ""
    held = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
    if held is not None:
        return 1024 * int(held[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def current_memory() -> int:
    """What it holds now; the peak where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return peak_memory()
    return pages * os.sysconf("SC_PAGE_SIZE")
