"""Models of every family against logits, losses and greedy tokens made with transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy_session import NumpySession
from profiles_for_tests import CPU, M4

import orion
from orion import weights
from orion.ir import Arithmetic

MODELS = ["gpt2-tiny", "llama-tiny-gqa", "llama-tiny-tied", "qwen3-tiny"]
PROMPT = 8
FP32_BOUND, FP16_BOUND = 2e-4, 2e-2
# The lead from which fp16 must not change the choice.
MARGIN = 0.05


class Golden:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.checkpoint = weights.load(directory)
        with np.load(directory / "expected.npz") as expected:
            self.ids, self.logits = expected["input_ids"], expected["logits"]
            self.loss, self.greedy = float(expected["loss"]), expected["greedy"].tolist()


@pytest.fixture(scope="module", params=MODELS)
def golden(request: pytest.FixtureRequest, data: Path) -> Golden:
    return Golden(data / "golden" / request.param)


def loss(logits: np.ndarray, ids: np.ndarray) -> float:
    """Mean cross-entropy of every next token."""
    rows = logits[:, :-1].astype(np.float64)
    log_sum = np.log(np.exp(rows - rows.max(-1, keepdims=True)).sum(-1)) + rows.max(-1)
    chosen = np.take_along_axis(rows, ids[:, 1:, None], -1)[..., 0]
    return float((log_sum - chosen).mean())


def assert_fp16(logits: np.ndarray, golden: Golden) -> None:
    assert np.abs(logits - golden.logits).max() < FP16_BOUND
    best = np.sort(golden.logits, axis=-1)
    clear = best[..., -1] - best[..., -2] > MARGIN
    assert (logits.argmax(-1) == golden.logits.argmax(-1))[clear].all()


@pytest.mark.parametrize("arithmetic", ["exact", "declared"])
def test_the_definition_gives_the_references_logits(golden: Golden, arithmetic: str) -> None:
    how = Arithmetic(arithmetic, np.float64 if arithmetic == "exact" else np.float32)
    rows = [NumpySession(golden.checkpoint, CPU, how).feed(list(row), 64, 0) for row in golden.ids]
    assert np.abs(np.stack(rows) - golden.logits).max() < FP32_BOUND
    assert loss(np.stack(rows), golden.ids) == pytest.approx(golden.loss, abs=1e-5)


def test_the_definition_gives_the_references_tokens(golden: Golden) -> None:
    session = NumpySession(golden.checkpoint, CPU)
    logits, found = session.feed(golden.ids[0, :PROMPT].tolist(), 32, 0), []
    for _ in golden.greedy:
        found.append(int(logits[-1].argmax()))
        logits = session.feed(found[-1:], 1, 128)
    assert found == golden.greedy


def test_fp16_stays_close(golden: Golden) -> None:
    rows = []
    for row in golden.ids:
        session = NumpySession(golden.checkpoint, M4)
        rows.append(session.feed(row[:32].tolist(), 32, 0))
        rows.append(session.feed(row[32:].tolist(), 32, 128))
    assert_fp16(np.concatenate(rows).reshape(golden.logits.shape), golden)


def device_logits(model: orion.Model, ids: np.ndarray) -> np.ndarray:
    rows = []
    for row in ids:
        model.session.reset()
        rows.append(model.session.feed(row.tolist(), logits=len(row)))
    return np.stack(rows)


def test_cpu_gives_the_references_logits_and_tokens(golden: Golden) -> None:
    with orion.load(golden.directory, device="cpu") as model:
        logits = device_logits(model, golden.ids)
        assert np.abs(logits - golden.logits).max() < FP32_BOUND
        assert loss(logits, golden.ids) == pytest.approx(golden.loss, abs=1e-5)
        model.session.reset()
        found = golden.ids[0, :PROMPT].tolist()
        logits = model.session.feed(found, logits=1)
        for _ in golden.greedy:
            found.append(int(logits[-1].argmax()))
            logits = model.session.feed(found[-1:], logits=1)
        assert found[PROMPT:] == golden.greedy


def test_the_engine_in_software_stays_close(golden: Golden) -> None:
    with orion.load(golden.directory, device="sim:m4-macos15") as model:
        assert_fp16(device_logits(model, golden.ids), golden)
