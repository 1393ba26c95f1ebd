"""The examples run, each in a process of its own, and print what they promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

# Example, its arguments, what its output has.
RUNS = (
    ("train", ["cpu"], r"(?s)step 300  loss [01]\.\d+, held out [01]\..*\nOnce there was a \w+"),
    ("lora", ["cpu"], r"with the adapter: 'The cat ran .*\nwithout the adapter: 'The cat sat "),
    ("custom_model", ["cpu"], r"gradients within \d\.\de-0[67] .*\nOne is one, two is two"),
    ("check_mil", [], r"(?s)no-rsqrt.*m4-macos15 takes it: off by 1\.5e-03 .*m1-macos15 still"),
    ("run_program", ["cpu", "sim"], r"(?s)cpu: weights 2.*sim:m4-macos15: 1 compiled, 3 runs"),
)


@pytest.mark.parametrize(("name", "arguments", "expected"), RUNS, ids=[row[0] for row in RUNS])
def test_example(
    root: Path, tmp_path: Path, name: str, arguments: list[str], expected: str
) -> None:
    done = subprocess.run(
        [sys.executable, str(root / "Examples" / "python" / f"{name}.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ORION_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert re.search(expected, done.stdout), done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["cache"], "it leaves nothing behind"


def test_every_example_is_run(root: Path) -> None:
    found = {path.stem for path in (root / "Examples" / "python").glob("*.py")}
    assert found == {row[0] for row in RUNS} | {"parallel_llama"}
