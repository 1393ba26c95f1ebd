"""Two processes that train one model: the same numbers, the same errors, none left waiting."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mpi_launcher import ORION, require_mpi, run, start
from training_runs import Task, command, wait_for

from orion import weights
from orion.data import make_data
from orion.train import CHECKPOINTS, read_metrics
from orion.weights import adapter

# Where launchers leave a rank's number.
VARIABLES = (b"OMPI_COMM_WORLD_RANK=", b"PMI_RANK=")
Orion = Callable[..., SimpleNamespace]
PROGRAM = str(Path(__file__).with_name("rank_program.py"))


@pytest.fixture(autouse=True)
def mpi() -> str:
    return require_mpi()


def words(task: Task, output: Path, *more: object) -> list[str]:
    return [*ORION, *command(task, output, *more)]


def program(case: str, task: Task, output: Path) -> SimpleNamespace:
    return run([sys.executable, PROGRAM, case, *map(str, task), str(output)], count=2)


def notes(output: Path) -> list[dict[str, Any]]:
    return [json.loads(Path(f"{output}.{rank}.json").read_text()) for rank in range(2)]


def losses(run: Path, name: str = "loss") -> list[float]:
    return [line[name] for line in read_metrics(run) if name in line]


@pytest.fixture(scope="module")
def alone(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One process whose batch is that of two."""
    output = tmp_path_factory.mktemp("alone") / "run"
    done = subprocess.run(words(task, output, "--batch-size", 4), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return output


def test_two_ranks_are_one_of_twice_the_batch(task: Task, tmp_path: Path, alone: Path) -> None:
    output = tmp_path / "run"
    done = run(words(task, output, "--json"), count=2)
    assert done.code == 0, done.err
    assert "2 ranks, 4 sequences a step" in done.err and done.err.count("step 12/12") == 1
    assert json.loads(done.out)["steps"] == 12
    for name in ("loss", "val_loss", "tokens", "grad_norm"):
        np.testing.assert_allclose(losses(output, name), losses(alone, name), atol=1e-6, rtol=1e-6)
    found, expected = (weights.load(path / "model").tensors for path in (output, alone))
    for key in expected:
        np.testing.assert_allclose(np.asarray(found[key]), np.asarray(expected[key]), atol=1e-5)


def test_accumulation_and_another_number_of_ranks(
    task: Task, tmp_path: Path, orion: Orion, alone: Path
) -> None:
    """Two ranks save, one goes on with batches that give as many sequences a step."""
    output = tmp_path / "run"
    batches = ("--batch-size", 1, "--grad-accumulation-steps", 2)
    begun = run(words(task, output, *batches, "--iters", 8, "--lr-schedule", "constant"), count=2)
    assert begun.code == 0, begun.err
    again = orion("train", "--resume", "-o", output, "--iters", 12, "--batch-size", 2)
    assert again.code == 0, again.err
    assert "2 ranks trained before, now 1" in again.err
    other = tmp_path / "other"
    whole = orion(*command(task, other, "--batch-size", 4, "--lr-schedule", "constant"))
    assert whole.code == 0, whole.err
    np.testing.assert_allclose(losses(output), losses(other), atol=1e-6)


def test_three_ranks_repeat_to_the_bit(task: Task, tmp_path: Path) -> None:
    found = []
    for name in ("first", "second"):
        done = run(words(task, tmp_path / name, "--iters", 6), count=3)
        assert done.code == 0, done.err
        found.append(losses(tmp_path / name))
    assert found[0] == found[1]


def test_two_ranks_train_adapters_as_one_with_twice_the_batch(
    task: Task, tmp_path: Path, alone: Path
) -> None:
    model = sorted((alone / CHECKPOINTS).glob("step-*"))[-1]
    options: list[Any] = [*ORION, "lora", "--model", model, "--data", task[1], "--json"]
    options += ["--iters", 6, "--learning-rate", 1e-2, "--max-seq-length", 32, "--rank", 4]
    options += ["--device", "cpu"]
    pair, whole = tmp_path / "pair", tmp_path / "whole"
    done = [
        run([*options, "--batch-size", 2, "-o", pair], count=2),
        run([*options, "--batch-size", 4, "-o", whole]),
    ]
    assert [each.code for each in done] == [0, 0], done
    assert "2 ranks, 4 sequences a step" in done[0].err
    for name in ("loss", "val_loss", "tokens", "grad_norm"):
        np.testing.assert_allclose(losses(pair, name), losses(whole, name), atol=1e-6, rtol=1e-6)
    assert losses(pair)[-1] < losses(pair)[0]
    found, expected = (adapter.read(json.loads(each.out)["model"]).matrices for each in done)
    assert found.keys() == expected.keys()
    for module, matrices in expected.items():
        for ours, theirs in zip(found[module], matrices, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("case", ["overlap", "overlap-sim"])
def test_sums_run_beside_the_backward_pass(task: Task, tmp_path: Path, case: str) -> None:
    done = program(case, task, tmp_path / "run")
    assert done.code == 0, done.err
    for found in notes(tmp_path / "run"):
        assert found["seen"] == [found["size"]] * 5
        assert all(0 < share < 1 for share in found["early"])


def test_an_overflow_on_one_rank_skips_on_all(task: Task, tmp_path: Path) -> None:
    done = program("overflow", task, tmp_path / "run")
    assert done.code == 0, done.err
    for found in notes(tmp_path / "run"):
        assert found["scales"] == [4096, 2048, 1024, 1024, 1024]
        assert (found["skipped"], found["updates"]) == (2, 3)


def test_parameters_that_part_stop_the_run(task: Task, tmp_path: Path) -> None:
    done = program("flip", task, tmp_path / "run")
    assert done.code == 1
    assert "step 4: the parameters of rank 1 (" in done.err and "model.norm.weight" in done.err
    assert done.err.count("orion: ") == 1
    assert not list((tmp_path / "run" / CHECKPOINTS).iterdir())


def test_a_checkpoint_that_cannot_be_written_stops_all(task: Task, tmp_path: Path) -> None:
    done = program("full_disk", task, tmp_path / "run")
    assert done.code == 1
    assert done.err.count("orion: rank 0") == 1 and "): the disk is full" in done.err


def test_different_settings_are_named_before_the_first_step(task: Task, tmp_path: Path) -> None:
    output = tmp_path / "run"
    done = run(
        words(task, output), words(task, output, "--learning-rate", 0.5, "--warmup", 4), count=1
    )
    assert done.code == 2
    assert (
        "the ranks have different configurations: learning_rate is 0.01 on rank 0 and 0.5 on rank"
        " 1; warmup is 3 on rank 0 and 4 on rank 1."
    ) in done.err
    assert done.err.count("orion: ") == 1 and not output.exists()


def test_other_data_and_other_models_are_noticed(task: Task, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**json.loads(task[0].read_text()), "num_hidden_layers": 1}))
    data, text = tmp_path / "data", tmp_path / "text"
    text.write_text("one two three four. " * 40)
    make_data([text], data)
    output = tmp_path / "run"
    done = run(words(task, output), words((config, data), output))
    assert done.code == 2
    for name in ("num_hidden_layers is 2 on rank 0 and 1 on rank 1", "first row of data"):
        assert name in done.err


def test_what_one_rank_lacks_is_said_by_it(task: Task, tmp_path: Path) -> None:
    output = tmp_path / "run"
    done = run(words(task, output), words((task[0], tmp_path / "nowhere"), output))
    assert done.code != 0
    assert "orion: rank 1 (" in done.err and "nowhere" in done.err
    both = run(words((task[0], tmp_path / "nowhere"), output), count=2)
    assert both.code != 0 and both.err.count("orion: ") == 1, both.err


@pytest.mark.parametrize("lost", [0, 1])
def test_a_killed_rank_ends_the_run_whose_checkpoint_goes_on(
    task: Task, tmp_path: Path, orion: Orion, lost: int
) -> None:
    output = tmp_path / "run"
    process = start(words(task, output, "--iters", 100000, "--save-every", 5), count=2)
    wait_for(output, 12, process)
    os.kill(ranks_of(process)[lost], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert f"orion: rank {1 - lost} (" in said and "a rank was lost" in said, said
    saved = sorted((output / CHECKPOINTS).glob("step-*"))[-1]
    assert f"the last good checkpoint is {saved}" in said
    step = int(saved.name.removeprefix("step-"))
    again = orion("train", "--resume", "-o", output, "--iters", step + 2)
    assert again.code == 0 and f"resumed after step {step}" in again.err, again.err


def test_a_rank_that_stands_still_is_named(task: Task, tmp_path: Path) -> None:
    output = tmp_path / "run"
    process = start(words(task, output, "--iters", 100000, "--rank-timeout", 5), count=2)
    wait_for(output, 3, process)
    os.kill(ranks_of(process)[1], signal.SIGSTOP)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "): step" in said and "rank 1 (" in said and "did not come within 5 s" in said, said


def test_a_signal_to_one_rank_saves_and_ends_all(task: Task, tmp_path: Path) -> None:
    output = tmp_path / "run"
    process = start(words(task, output, "--iters", 100000, "--save-every", 0), count=2)
    wait_for(output, 3, process)
    os.kill(ranks_of(process)[1], signal.SIGUSR1)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.count("which is saved. Go on with: orion train --resume") == 1, said
    (kept,) = (output / CHECKPOINTS).iterdir()
    assert kept.name == f"step-{read_metrics(output)[-1]['step']:08d}"


def ranks_of(process: subprocess.Popen[str]) -> list[int]:
    """The launcher's children in order of their ranks, by what it left in their environments."""
    found: dict[int, int] = {}
    end = time.monotonic() + 30
    while len(found) < 2 and time.monotonic() < end:
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                rows = path.read_bytes().split(b"\0")
                stat = (path.parent / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            numbers = [row for row in rows if row.startswith(VARIABLES)]
            if numbers and int(stat[1]) == process.pid:
                found[int(numbers[0].split(b"=")[1])] = int(path.parent.name)
    return [found[0], found[1]]


def test_a_launcher_of_another_mpi(task: Task, tmp_path: Path, orion: Orion) -> None:
    done = orion(*command(task, tmp_path / "run"), MV2_COMM_WORLD_SIZE="2")
    assert done.code == 1
    assert "MVAPICH's mpirun started 2 processes, and mpi4py sees 1" in done.err


def test_without_mpi4py(task: Task, tmp_path: Path) -> None:
    code = "import sys; sys.modules['mpi4py'] = None; from orion.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *command(task, tmp_path / "run", "--distributed")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "pip install 'orion-ane[distributed]'" in done.stderr
