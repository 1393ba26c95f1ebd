"""The demo goes all its way, and its numbers are those of the run it kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from orion import demo as module
from orion.errors import UsageError
from orion.train import read_metrics


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("STORIES", 200), ("ADAPTED_STORIES", 24), ("ADAPTED_ITERS", 3)):
        monkeypatch.setattr(module, name, value)


@pytest.mark.usefixtures("small")
def test_the_demo_trains_resumes_adapts_and_tells(tmp_path: Path) -> None:
    report = module.Report()
    messages = list(module.demo(tmp_path, "cpu", 4, report))
    commands = [message.split()[1] for message in messages if message.startswith("orion ")]
    assert commands == ["data", "train", "train", "lora", "generate"]
    lines = read_metrics(tmp_path / "run")
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert report.steps == 4
    assert report.first_loss == lines[0]["loss"]
    assert report.val_loss == lines[-1]["val_loss"]
    assert report.compiles_after_first_step == 0 < report.loaded_programs
    assert report.texts["adapter"] == report.texts["again"]
    assert all(text.startswith(module.PROMPT) for text in report.texts.values())
    rows: dict[str, Any] = dict(report.rows())
    assert rows["reloads"] == 0
    json.dumps(report.to_json())


def test_a_demo_needs_an_empty_place_and_some_steps(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 or more"):
        list(module.demo(tmp_path, "cpu", 1))
    (tmp_path / "config.json").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        list(module.demo(tmp_path, "cpu"))
    assert (tmp_path / "config.json").read_text() == "mine"
