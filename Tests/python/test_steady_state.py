"""What runs again and again asks for no memory: tokens, evaluations, training steps on `cpu`.

On `sim` each call makes the objects that the framework's caller would make, so nothing is claimed.

A small library, preloaded, counts the calls of malloc and its kin that come from the engine's
library, from all of its threads; Python's own are its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from training_cases import CONFIG
from training_runs import Task

Count = Callable[..., dict[str, int]]
# Ops that make lists of their own while they run: of boxes found, of what they sort, of places in
# images.
LISTS = {
    *("non_maximum_suppression", "argsort", "topk", "resample", "affine", "crop_resize"),
}

FAMILIES = {
    "llama": CONFIG,
    "gpt2": {
        "model_type": "gpt2",
        "vocab_size": CONFIG["vocab_size"],
        "n_positions": 64,
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 2,
    },
}


@pytest.fixture(scope="module")
def count(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Count:
    """Runs a case of allocation_program.py; without glibc or a C compiler its tests are skipped."""
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("clang")
    missing = [] if sys.platform == "linux" else ["Linux"]
    missing += [] if compiler else ["C compiler"]
    if missing:
        if os.environ.get("CI") == "true" and sys.platform == "linux":
            pytest.fail(f"no {' and no '.join(missing)}")
        pytest.skip(f"no {' and no '.join(missing)}")
    counter = tmp_path_factory.mktemp("counter") / "count.so"
    source = root / "Tests" / "allocations" / "count.c"
    flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([str(compiler), *flags, str(source), "-o", str(counter)], check=True)

    def run(*arguments: object) -> dict[str, int]:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("allocation_program.py"))]
            + [str(argument) for argument in arguments],
            env={**os.environ, "LD_PRELOAD": str(counter)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, int] = json.loads(done.stdout)
        # Where they came from, should a test fail.
        print(done.stderr)
        return found

    return run


def test_what_allocates_is_counted(count: Count, stories: Path) -> None:
    assert count("opening", stories)["sequence"] > 0


def test_a_hundred_more_tokens_allocate_nothing(count: Count, stories: Path) -> None:
    found = count("decoding", stories)
    assert found == {"greedy": 0, "sampled": 0, "penalised": 0, "guessed": 0}


def test_texts_side_by_side_allocate_nothing_but_longer_lists_of_slots(
    count: Count, stories: Path
) -> None:
    # For each text its slots and what a column of it may see: both double when they are full.
    assert count("together", stories)["three texts"] <= 20


def test_evaluating_a_loaded_program_allocates_nothing(count: Count) -> None:
    found = {op for op, number in count("evaluating").items() if number}
    assert found <= LISTS, sorted(found - LISTS)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_training_step_allocates_nothing(
    count: Count, task: Task, tmp_path: Path, family: str
) -> None:
    _, data = task
    config = tmp_path / "config.json"
    config.write_text(json.dumps(FAMILIES[family]))
    assert count("training", config, data) == {"step": 0, "loss": 0}
