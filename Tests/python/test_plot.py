"""`orion plot`: a picture of one run or several, and what it says without a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from orion.train.metrics import METRICS, MetricsFile
from orion.train.plot import names, says_something, shortened, smoothed

Orion = Callable[..., SimpleNamespace]


def write_run(directory: Path, start: float) -> Path:
    directory.mkdir(parents=True)
    file = MetricsFile(directory / METRICS)
    for step in range(1, 51):
        line = {
            "step": step,
            "loss": start / step**0.2,
            "learning_rate": step * 1e-4,
            "loss_scale": 2.0 ** (step // 20),
            "tokens_per_s": 1000.0 + step,
        }
        file.add({**line, "val_loss": line["loss"] + 0.1} if step % 10 == 0 else line)
    file.close()
    return directory


def test_two_runs_make_a_picture(orion: Orion, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    runs = [write_run(tmp_path / name / "run", start) for name, start in (("a", 5), ("b", 4))]
    done = orion("plot", *runs, "-o", tmp_path / "out.png", "--label", "cpu")
    assert done.code == 0, done.err
    picture = (tmp_path / "out.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 20000
    one = orion("plot", runs[0], "-o", tmp_path / "one.png")
    assert one.code == 0 and (tmp_path / "one.png").read_bytes() != picture


def test_without_a_run(orion: Orion, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = orion("plot", tmp_path)
    assert done.code == 1 and "expected metrics.jsonl" in done.err
    done = orion("plot", tmp_path, "--label", "a", "--label", "b")
    assert done.code == 2 and "more labels than runs" in done.err


def test_names_differ_and_lines_are_smooth() -> None:
    assert names(["x/a", "x/b/metrics.jsonl"], ["first"]) == ["first", "b"]
    assert names(["x/run", "y/run"], []) == ["x/run", "y/run"]
    assert smoothed([1.0, 2.0, 9.0, 3.0, 4.0, 5.0]) == [2.0, 2.5, 3.0, 4.0, 4.5, 4.0]
    assert smoothed([1.0] * 250 + [3.0] * 250)[249:251] == [1.0, 3.0]


def test_panels_that_say_nothing_are_left_out() -> None:
    steady, moving = [{"loss_scale": 1.0}] * 3, [{"loss_scale": 1.0}, {"loss_scale": 2.0}]
    assert not says_something("loss_scale", [steady, steady])
    assert says_something("loss_scale", [steady, moving])
    # A constant learning rate is worth a look.
    assert says_something("learning_rate", [[{"learning_rate": 1.0}]])
    assert not says_something("grad_norm", [steady])


def test_long_names_are_shortened() -> None:
    assert shortened("cpu") == "cpu"
    assert shortened("x" * 60) == "x" * 47 + "…"
