"""A run from its first step to its last: what it learns, writes, refuses, survives."""

from __future__ import annotations

import json
import math
import os
import shutil
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
from training_cases import CONFIG, GOLDEN, write_task

from orion import weights
from orion.errors import OrionError, UsageError
from orion.train import CHECKPOINTS, DivergedError, Trainer, finish, read_metrics
from orion.train.executor import Executor, Outcome

Orion = Callable[..., SimpleNamespace]
DEVICES = ("cpu", "sim:m4-macos15")
FIELDS = {
    *("step", "loss", "learning_rate", "tokens", "tokens_per_s", "grad_norm", "loss_scale"),
    *("skipped", "compiles", "loaded_programs", "update_s", "step_s", "virtual_s"),
}
OPTIONS: dict[str, Any] = {
    "iters": 12,
    "batch_size": 2,
    "max_seq_length": 32,
    "learning_rate": 1e-2,
    "warmup": 3,
    "lr_schedule": "cosine",
    "save_every": 4,
    "steps_per_eval": 4,
    "val_batches": 1,
}


@pytest.fixture(scope="session")
def task(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_task(tmp_path_factory.mktemp("task"))


def make(task: tuple[Path, Path], output: Path | None, device: str = "cpu", **more: Any) -> Trainer:
    config, data = task
    resume = more.pop("resume", False)
    options = {**OPTIONS, **more}
    return Trainer(preset=config, data=data, output=output, device=device, resume=resume, **options)


def masters(trainer: Trainer) -> dict[str, np.ndarray]:
    with trainer.learner.parameters.held():
        return {key: array.copy() for key, array in trainer.learner.parameters.named().items()}


def run_through(trainer: Trainer) -> tuple[list[float], dict[str, np.ndarray]]:
    with trainer:
        losses = [line["loss"] for line in trainer.steps()]
        return losses, masters(trainer)


@pytest.mark.parametrize("device", DEVICES)
def test_a_run_learns_and_says_so(task: tuple[Path, Path], tmp_path: Path, device: str) -> None:
    with make(task, tmp_path / "run", device, iters=40) as trainer:
        lines = list(trainer.steps())
        report = finish(trainer)
    assert lines[0]["loss"] == pytest.approx(math.log(256), rel=0.05)
    assert lines[-1]["loss"] < 0.75 * lines[0]["loss"]
    assert read_metrics(tmp_path / "run") == lines
    for line in lines:
        assert line.keys() >= FIELDS
        assert line["compiles"] == lines[0]["compiles"], "nothing is compiled after the first step"
        assert (line["virtual_s"] > 0) == (device != "cpu")
    assert [line["step"] for line in lines if "val_loss" in line] == list(range(4, 41, 4))
    assert lines[-1]["tokens"] == 40 * 64 and lines[-1]["skipped"] == 0
    assert report["val_loss"] < 0.8 * lines[0]["loss"] and report["steps"] == 40
    back = weights.load(report["model"])
    assert back.config == CONFIG
    assert {tensor.dtype for tensor in back.tensors.values()} == {"fp32"}


@pytest.mark.parametrize("device", DEVICES)
def test_resumed_runs_are_the_same_to_the_bit(
    task: tuple[Path, Path], tmp_path: Path, device: str
) -> None:
    losses, final = run_through(make(task, None, device))
    for stop in (4, 8):
        output = tmp_path / f"run{stop}"
        with make(task, output, device) as trainer:
            for line in trainer.steps():
                if line["step"] == stop + 1:
                    break  # one step beyond the checkpoint, which is lost
        again, found = run_through(make(task, output, device, resume=True))
        assert again == losses[stop:]
        assert [line["loss"] for line in read_metrics(output)] == losses
        for key, array in final.items():
            assert np.array_equal(array, found[key]), key


def test_accumulated_microbatches_are_one_batch(task: tuple[Path, Path]) -> None:
    losses, final = run_through(make(task, None, iters=4, batch_size=4))
    again, found = run_through(make(task, None, iters=4, batch_size=1, grad_accumulation_steps=4))
    np.testing.assert_allclose(again, losses, rtol=1e-5)
    for key, array in final.items():
        np.testing.assert_allclose(found[key], array, atol=2e-4)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_widths_that_the_device_pads(task: tuple[Path, Path], tmp_path: Path, kind: str) -> None:
    """A stream of 48 channels, where rows hold multiples of 32; gradients stay those of `cpu`."""
    configs = {
        "llama": {**CONFIG, "hidden_size": 48, "tie_word_embeddings": False, "vocab_size": 272},
        "gpt2": {
            "model_type": "gpt2",
            "n_embd": 48,
            "n_layer": 1,
            "n_head": 2,
            "n_positions": 64,
            "vocab_size": 272,
        },
    }
    config = tmp_path / "config.json"
    config.write_text(json.dumps(configs[kind]))
    with make((config, task[1]), None, "sim:m4-macos15", iters=3, verify=2) as trainer:
        assert any(layout.padding for layout in trainer.learner.plan.parameters.values())
        lines = list(trainer.steps())
    assert lines[1]["grad_rel_l2_max"] < 2e-2 and lines[2]["loss"] < lines[0]["loss"]


def test_the_seed_decides(task: tuple[Path, Path]) -> None:
    first, _ = run_through(make(task, None, iters=2))
    same, _ = run_through(make(task, None, iters=2))
    other, _ = run_through(make(task, None, iters=2, seed=1))
    assert first == same != other


def test_overflow_skips_and_halves(
    task: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Executor.run

    def overflowing(self: Executor, batch: Any, scale: float, *more: int) -> Outcome:
        outcome = run(self, batch, scale, *more)
        if scale > 1024:
            self.parameters.gradients.values[3] = np.inf
            return Outcome(outcome.loss, outcome.count, False)
        return outcome

    monkeypatch.setattr(Executor, "run", overflowing)
    with make(task, None, "sim:m4-macos15", iters=5) as trainer:
        before = masters(trainer)
        lines = []
        for line in trainer.steps():
            lines.append(line)
            if line["step"] == 2:
                for key, array in masters(trainer).items():
                    assert np.array_equal(array, before[key]), "a skipped step changes nothing"
        assert [line["loss_scale"] for line in lines] == [4096, 2048, 1024, 1024, 1024]
        assert [line["skipped"] for line in lines] == [1, 2, 2, 2, 2]
        assert trainer.learner.updates == 3
        assert all(np.isfinite(array).all() for array in masters(trainer).values())


def test_real_overflow_is_noticed(task: tuple[Path, Path]) -> None:
    with make(task, None, "sim:m4-macos15", iters=3, loss_scale=2.0**40) as trainer:
        lines = list(trainer.steps())
        assert lines[0]["skipped"] == 1 and not math.isfinite(lines[0]["grad_norm"])
        assert all(np.isfinite(array).all() for array in masters(trainer).values())


def test_divergence_stops_and_keeps_the_last_good(task: tuple[Path, Path], tmp_path: Path) -> None:
    with make(task, tmp_path / "run", iters=4) as trainer:
        list(trainer.steps())
    with (
        make(
            task, tmp_path / "run", resume=True, iters=60, learning_rate=300.0, grad_clip=0
        ) as trainer,
        pytest.raises(DivergedError, match=r"Try a learning rate of 30,.*step-00000004"),
    ):
        list(trainer.steps())
    assert [path.name for path in (tmp_path / "run" / CHECKPOINTS).iterdir()] == ["step-00000004"]


def test_checkpoints_are_models(task: tuple[Path, Path], tmp_path: Path) -> None:
    with make(task, tmp_path / "run", keep=2, iters=20) as trainer:
        list(trainer.steps())
        final = masters(trainer)
    found = sorted((tmp_path / "run" / CHECKPOINTS).iterdir())
    assert len(found) in (2, 3), "the last two, and the best one"
    assert found[-1].name == "step-00000020"
    tensors = weights.load(found[-1]).tensors
    assert tensors.keys() == final.keys()
    for key, array in final.items():
        assert np.array_equal(np.asarray(tensors[key]), array)


@pytest.mark.parametrize("name", GOLDEN)
def test_exports_have_names_shapes_and_dtypes_of_what_came(
    data: Path, task: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    source = data / "golden" / name
    options = {"batch_size": 1, "max_seq_length": 32, "iters": 1, "learning_rate": 1e-3}
    with Trainer(source, task[1], device="cpu", output=tmp_path / "run", **options) as trainer:
        list(trainer.steps())
        made = weights.load(finish(trainer)["model"])
    given = weights.load(source)
    assert made.config == given.config and made.tensors.keys() == given.tensors.keys()
    for key, tensor in given.tensors.items():
        assert (made.tensors[key].shape, made.tensors[key].dtype) == (tensor.shape, tensor.dtype)
        change = np.abs(np.asarray(made.tensors[key]) - np.asarray(tensor)).max()
        assert 0 < change < 2.1e-3, key


def test_exports_keep_bare_names_and_fp16(
    data: Path, task: tuple[Path, Path], tmp_path: Path
) -> None:
    given = weights.load(data / "golden" / "gpt2-tiny")
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text(json.dumps(given.config))
    bare = {
        key.removeprefix("transformer."): np.asarray(tensor, np.float16)
        for key, tensor in given.tensors.items()
    }
    weights.safetensors.write(source / "model.safetensors", bare)
    options = {"batch_size": 1, "max_seq_length": 32, "iters": 1}
    with Trainer(source, task[1], device="cpu", output=tmp_path / "run", **options) as trainer:
        list(trainer.steps())
        made = weights.load(finish(trainer)["model"])
    assert made.tensors.keys() == bare.keys()
    assert {tensor.dtype for tensor in made.tensors.values()} == {"fp16"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: edit(d, format=2), "has format 2, and this Orion reads 1"),
        (lambda d: (d / "training.json").write_text("{"), "is no checkpoint's state"),
        (lambda d: (d / "optimizer.safetensors").write_bytes(b"x"), "the checkpoint is damaged"),
        (lambda d: (d / "model.safetensors").unlink(), "expected .* bytes, found None"),
    ],
)
def test_bad_checkpoints(
    task: tuple[Path, Path], tmp_path: Path, change: Callable[[Path], Any], message: str
) -> None:
    with make(task, tmp_path / "run", iters=1) as trainer:
        list(trainer.steps())
    change(tmp_path / "run" / CHECKPOINTS / "step-00000001")
    with pytest.raises(OrionError, match=message):
        make(task, tmp_path / "run", resume=True)


def edit(directory: Path, **changes: Any) -> None:
    path = directory / "training.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_checkpoint_of_another_model(task: tuple[Path, Path], tmp_path: Path) -> None:
    with make(task, tmp_path / "run", iters=1) as trainer:
        list(trainer.steps())
    other = tmp_path / "config.json"
    other.write_text(json.dumps({**CONFIG, "hidden_size": 64}))
    with pytest.raises(OrionError, match="of another model: hidden_size is 32 there and 64 here"):
        make((other, task[1]), tmp_path / "run", resume=True)


def test_one_run_a_directory(task: tuple[Path, Path], tmp_path: Path) -> None:
    with make(task, tmp_path / "run", iters=1) as trainer:
        with pytest.raises(UsageError, match="another process trains there"):
            make(task, tmp_path / "run")
        list(trainer.steps())
    with pytest.raises(UsageError, match="holds a run already; --resume"):
        make(task, tmp_path / "run")
    with pytest.raises(OrionError, match="expected a run with checkpoints"):
        make(task, tmp_path / "empty", resume=True)


def test_bad_requests(task: tuple[Path, Path], tmp_path: Path) -> None:
    config, data = task
    for options, message in (
        ({"max_seq_length": 65}, "beyond the model's context of 64"),
        ({"preset": "nothing"}, "is no preset"),
        ({"model": config, "preset": config}, "Give --model"),
        ({"data": None}, "Give a directory of data"),
    ):
        given: dict[str, Any] = {"preset": config, "data": data, "device": "cpu", **options}
        with pytest.raises(UsageError, match=message):
            Trainer(**given)


def test_out_of_disk_leaves_the_old_checkpoint(
    task: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    output = tmp_path / "run"
    with make(task, output, iters=8) as trainer:
        steps = trainer.steps()
        for _ in range(7):
            next(steps)
        before = contents(output / CHECKPOINTS)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        try:
            with pytest.raises(OrionError, match=r"cannot be written: .*free some space"):
                next(steps)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
    assert contents(output / CHECKPOINTS) == before
    losses, _ = run_through(make(task, output, iters=8, resume=True))
    assert len(losses) == 4


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def command(task: tuple[Path, Path], output: Path, *more: object) -> list[str]:
    config, data = task
    words = ["train", "--preset", config, "--data", data, "--device", "cpu", "--output", output]
    for name, value in OPTIONS.items():
        words += [f"--{name.replace('_', '-')}", value]
    return [str(word) for word in (*words, *more)]


def test_the_command(task: tuple[Path, Path], tmp_path: Path, orion: Orion) -> None:
    done = orion(*command(task, tmp_path / "run", "--json", "--steps-per-report", 5))
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["steps"] == 12 and report["device"] == "cpu"
    for part in ("step 5/12", "loss ", "lr ", "tokens/s", "GB", "left", "val loss"):
        assert part in done.err
    made = orion("generate", "--model", report["model"], "--prompt", "one ", "-m", 8, "--json")
    assert made.code == 0, made.err
    assert len(json.loads(made.out)["new_ids"]) == 8
    again = orion("train", "--resume", "--output", tmp_path / "run", "--iters", 14)
    assert again.code == 0 and "resumed after step 12" in again.err, again.err
    assert [line["step"] for line in read_metrics(tmp_path / "run")] == list(range(1, 15))


def test_a_config_file_and_its_overrides(
    task: tuple[Path, Path], tmp_path: Path, orion: Orion
) -> None:
    pytest.importorskip("yaml")
    config, data = task
    (tmp_path / "c.yaml").write_text(
        f"preset: {config}\ndata: {data}\ndevice: cpu\nadapter_path: {tmp_path / 'run'}\n"
        "iters: 3\nbatch_size: 2\nmax_seq_length: 32\nlearning_rate: 1e-3\n"
    )
    done = orion("train", "-c", tmp_path / "c.yaml", "--iters", 2)
    assert done.code == 0, done.err
    lines = read_metrics(tmp_path / "run")
    assert len(lines) == 2 and lines[0]["learning_rate"] == 1e-3
    bad = orion("train", "-c", tmp_path / "c.yaml", "--batch-size", 0, "-o", tmp_path / "other")
    assert bad.code == 2 and "--batch-size is 1 or more" in bad.err


def start(task: tuple[Path, Path], output: Path, *more: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "orion", *command(task, output, *more)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def steps_written(output: Path) -> int:
    path = output / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def wait_for(output: Path, count: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 120
    while steps_written(output) < count and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.002)


def test_interrupts_save(task: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "run"
    process = start(task, output, "--iters", 100000, "--save-every", 0)
    wait_for(output, 3, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "is saved. Go on with: orion train --resume --output" in said
    (kept,) = (output / CHECKPOINTS).iterdir()
    assert kept.name == f"step-{steps_written(output):08d}"


def test_killed_runs_end_as_if_they_were_not(
    task: tuple[Path, Path], tmp_path: Path, orion: Orion
) -> None:
    """A few random moments; scripts/train-and-kill has twenty."""
    losses, final = run_through(make(task, None, iters=30, save_every=3))
    output = tmp_path / "run"
    random = np.random.RandomState(os.getpid())
    resume: tuple[str, ...] = ()
    for _ in range(3):
        process = start(task, output, "--iters", 30, "--save-every", 3, *resume)
        wait_for(output, steps_written(output) + 4, process)
        time.sleep(random.uniform(0, 0.05))
        process.kill()
        process.communicate(timeout=60)
        saved = output / CHECKPOINTS
        resume = ("--resume",) if any(saved.glob("step-*")) else ()
        if not resume:
            shutil.rmtree(output)
    again, found = run_through(make(task, output, iters=30, save_every=3, resume=bool(resume)))
    assert again == losses[-len(again) :] if again else True
    assert [line["loss"] for line in read_metrics(output)] == losses
    for key, array in final.items():
        assert np.array_equal(array, found[key]), key
