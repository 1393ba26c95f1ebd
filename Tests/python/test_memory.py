"""What a process is told of its own memory."""

from __future__ import annotations

import subprocess
import sys

from orion.runtime.memory import current_memory, peak_memory

MIB = 1 << 20


def test_the_peak_stays_when_memory_is_given_back() -> None:
    before = peak_memory()
    block = bytearray(256 * MIB)
    held = current_memory()
    del block
    assert held >= 256 * MIB
    assert peak_memory() >= max(before, held - 16 * MIB)
    assert current_memory() < held - 128 * MIB


def test_a_process_is_not_told_its_parents_peak() -> None:
    block = bytearray(256 * MIB)
    said = subprocess.run(
        [sys.executable, "-c", "from orion.runtime.memory import peak_memory as p; print(p())"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert 4 * MIB < int(said.stdout) < len(block)
