"""Standard input, output and error may be closed or full: the command says so, or goes on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from models import make_tiny


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_tiny(tmp_path / "model")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_standard_output_is_told(model: Path) -> None:
    with Path("/dev/full").open("w") as full:
        arguments = ["generate", "--model", str(model), "--device", "cpu", "-p", "Once", "--json"]
        done = subprocess.run(
            [sys.executable, "-m", "orion", *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "standard output" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_stream_breaks_nothing(model: Path, tmp_path: Path, closed: int) -> None:
    arguments = ["generate", "--model", str(model), "--device", "cpu", "-p", "Once", "-m", "2"]
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        done = subprocess.run(
            [sys.executable, "-m", "orion", *arguments],
            stdout=out, stderr=err, check=False, preexec_fn=lambda: os.close(closed),
        )  # fmt: skip
    said, text = (tmp_path / "err").read_text(), (tmp_path / "out").read_text()
    assert done.returncode == 0, said
    assert bool(text) is (closed != 1)
    assert "prompt tokens" not in text and ("prompt tokens" in said) is (closed != 2)


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:surrogateescape", "latin-1"])
@pytest.mark.parametrize(
    ("command", "answered"), [(("generate", "-p", "-"), 0), (("chat", "--json"), 1)]
)
def test_input_that_is_no_utf8_is_told_by_its_line(
    stories: Path, encoding: str, command: tuple[str, ...], answered: int
) -> None:
    arguments = [*command, "--model", str(stories), "--device", "cpu", "-m", "2"]

    def run(given: bytes) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [sys.executable, "-m", "orion", *arguments],
            input=given, capture_output=True, check=False,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )  # fmt: skip

    done = run("Zoë\n".encode() + b"b\xffc\nd\n")
    assert done.returncode == 2
    last = done.stderr.decode().splitlines()[-1]
    assert last == "orion: standard input:2: is no UTF-8 text: invalid start byte"
    assert len(done.stdout.splitlines()) == answered
    assert run("Zoë\n".encode()).returncode == 0
