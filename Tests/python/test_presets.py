"""Presets: shapes of known models, and fresh weights that depend on seed and name alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy_session import NumpySession
from profiles_for_tests import CPU

import orion
from orion import models, weights
from orion.weights import presets

# Counts that the models' authors give, for all numbers once.
PARAMETERS = {
    "stories260k": 260_032,
    "stories15m": 15_191_712,
    "stories42m": 41_689_600,
    "stories110m": 109_529_856,
    "gpt2": 124_439_808,
    "smollm-135m": 134_515_008,
    "qwen3-0.6b": 596_049_920,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_shapes_are_the_models(name: str) -> None:
    checkpoint = weights.load(name)
    assert checkpoint.parameters == PARAMETERS[name]
    assert checkpoint.files == weights.files(name) == ()
    model = models.open_model(checkpoint.config, checkpoint.tensors)
    assert sum(tensor.size for tensor in model.tensors.values()) == PARAMETERS[name]


def test_every_preset_is_tested() -> None:
    assert set(PARAMETERS) == set(presets.PRESETS)


def test_numbers_depend_on_seed_and_name_alone() -> None:
    first, again, other = (weights.load("stories260k", seed=seed) for seed in (1, 1, 2))
    names = list(first.tensors)
    forwards = [np.asarray(first.tensors[name]) for name in names]
    backwards = [np.asarray(again.tensors[name]) for name in reversed(names)][::-1]
    for name, a, b in zip(names, forwards, backwards, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)
        assert a.dtype == np.float32
        if a.ndim > 1:
            assert not np.array_equal(a, other.tensors[name])
            assert a.std() == pytest.approx(0.02, rel=0.1)
    layers = [np.asarray(first.tensors[f"model.layers.{i}.mlp.up_proj.weight"]) for i in (0, 1)]
    assert not np.array_equal(*layers)


def test_numbers_are_those_of_every_machine() -> None:
    tensor = np.asarray(weights.load("stories260k", seed=7).tensors["model.embed_tokens.weight"])
    np.testing.assert_allclose(tensor[0, :3], [0.02304838, 0.00264136, 0.02187045], rtol=1e-5)


def test_a_directory_of_that_name_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gpt2").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not presets.is_preset("gpt2")


def test_a_preset_runs_on_ids(tmp_path: Path) -> None:
    with orion.load("stories260k", device="cpu", cache_dir=tmp_path) as model:
        logits = model.session.feed([1, 2, 3], logits=3)
    session = NumpySession(weights.load("stories260k"), CPU)
    np.testing.assert_allclose(logits, session.feed([1, 2, 3], 32, 0), atol=1e-5)
