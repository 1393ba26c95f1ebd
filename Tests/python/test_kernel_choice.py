"""ORION_KERNELS names the kernels of a process; with any of them a text has the same numbers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from models import make_tiny

PROGRAM = """
import hashlib, sys, orion
from orion.runtime import kernels
model = orion.load(sys.argv[1], device="cpu")
logits = model.session.feed([1, 5, 9, 2], logits=1)
print(kernels.limits()["kernels"], hashlib.sha256(logits.tobytes()).hexdigest())
"""


def run(model: Path, kernels: str) -> tuple[str, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(model)],
        env={**os.environ, "ORION_KERNELS": kernels}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    name, digest = done.stdout.split()
    return name, digest, done.stderr


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def best(model: Path) -> tuple[str, str, str]:
    return run(model, "")


def test_kernels_are_chosen_by_name_and_give_the_same_bits(
    model: Path, best: tuple[str, str, str]
) -> None:
    name, bits, said = best
    assert said == "" and name != "c"
    assert run(model, "c") == ("c", bits, "")


def test_kernels_that_the_processor_has_not_are_told_once(
    model: Path, best: tuple[str, str, str]
) -> None:
    name, bits, said = run(model, "abacus")
    assert (name, bits) == best[:2]
    assert said.startswith("orion: ORION_KERNELS=abacus: this processor has no such kernels; ")
    assert said.count("ORION_KERNELS") == 1 and said.endswith(" c\n")
