"""Models that a run leaves: names, shapes and dtypes of what came."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from training_cases import GOLDEN
from training_runs import (
    Task,
)

from orion import weights
from orion.train import Trainer, finish


@pytest.mark.parametrize("name", GOLDEN)
def test_exports_have_names_shapes_and_dtypes_of_what_came(
    data: Path, task: Task, tmp_path: Path, name: str
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


def test_exports_keep_bare_names_and_fp16(data: Path, task: Task, tmp_path: Path) -> None:
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
