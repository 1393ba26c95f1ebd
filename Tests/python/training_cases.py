"""Small runs for tests of training: golden models on a machine, and a model that learns quickly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from orion.compile import Source, read_source
from orion.compile.training import make_training_plan
from orion.data import Batch
from orion.runtime import Device, profile
from orion.train.executor import Executor
from orion.train.machine import DeviceMachine, NumpyMachine
from orion.train.parameters import Parameters
from orion.train.strategy import Inputs

GOLDEN = ("gpt2-tiny", "llama-tiny-gqa", "llama-tiny-tied", "qwen3-tiny")
# A device, and how far gradients may be from PyTorch's in fp32, and losses over 40 steps.
BOUNDS = {"numpy": (5e-5, 1e-3), "cpu": (5e-5, 1e-3), "sim:m4-macos15": (2e-2, 2e-2)}
LOSS_SCALE = {"numpy": 1.0, "cpu": 1.0, "sim:m4-macos15": 4096.0}

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 256,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
}


class Case:
    """A model ready to learn on a machine."""

    def __init__(self, source: Source, name: str, sequence: int, batch: int) -> None:
        self.source = source
        self.machine = NumpyMachine() if name == "numpy" else DeviceMachine(Device(name))
        facts = profile("cpu") if name == "numpy" else self.machine.profile  # type: ignore[union-attr]
        self.plan = make_training_plan(
            source.family, source.config, facts, sequence=sequence, batch=batch
        )
        self.parameters = Parameters(self.plan, self.machine, source.checkpoint.tensors)
        self.strategy = Inputs(self.plan, self.machine, self.parameters)
        self.executor = Executor(self.plan, self.machine, self.parameters, self.strategy.programs)

    def gradients(self, batch: Batch, scale: float) -> tuple[float, dict[str, np.ndarray]]:
        """Mean loss, and gradients under a checkpoint's own names."""
        self.executor.begin()
        outcome = self.executor.run(batch, scale, batch.tokens)
        self.executor.finish()
        assert outcome.is_finite and outcome.count == batch.tokens
        with self.parameters.held():
            named = self.parameters.named(self.parameters.gradients)
        return outcome.loss / outcome.count, self.source.family.restore(self.source.config, named)


def golden(data: Path, name: str, machine: str) -> tuple[Case, dict[str, np.ndarray]]:
    directory = data / "golden" / name
    with np.load(directory / "expected.npz") as file:
        expected = dict(file)
    rows, columns = expected["input_ids"].shape
    return Case(read_source(directory), machine, columns, rows), expected


def next_tokens(ids: np.ndarray) -> Batch:
    """Each token is to foretell the next one; the last has nothing to foretell."""
    targets = np.full(ids.shape, -1, np.int32)
    targets[:, :-1] = ids[:, 1:]
    return Batch(ids.astype(np.int32), targets)


def relative_errors(
    found: dict[str, np.ndarray], expected: dict[str, np.ndarray]
) -> dict[str, float]:
    """By parameter, against the larger of its gradient's norm and 1e-4 of the global norm."""
    norms = {key: float(np.linalg.norm(expected[f"grad/{key}"])) for key in found}
    least = 1e-4 * float(np.linalg.norm(list(norms.values())))
    return {
        key: float(np.linalg.norm(found[key] - expected[f"grad/{key}"])) / max(norms[key], least)
        for key in found
    }


def write_task(directory: Path) -> tuple[Path, Path]:
    """A config.json, and data that a small model learns in some dozen steps."""
    from orion.data import make_data

    directory.mkdir(parents=True, exist_ok=True)
    config, text = directory / "config.json", directory / "text"
    config.write_text(json.dumps(CONFIG))
    words = np.random.RandomState(0).choice(
        [b"one ", b"two ", b"three ", b"four. "], 800, p=[0.4, 0.3, 0.2, 0.1]
    )
    text.write_bytes(b"".join(words.tolist()))
    make_data([text], directory / "data", valid=0.1)
    return config, directory / "data"
