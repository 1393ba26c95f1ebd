"""Small models of odd shapes with random weights, and the slopes that their gradients must be."""

from __future__ import annotations

import re
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from plan_runner import Arrays, Step, in_numpy, run_plan
from profiles_for_tests import M4

from orion import models
from orion.compile.training import TrainingPlan, make_training_plan
from orion.ir import Arithmetic

SEQUENCE, SHORT, BATCH = 32, 7, 2
# The engine's rules and rewrites, in numbers that lose nothing.
WIDE = M4 | {"name": "wide", "preferences": M4["preferences"] | {"activation": "fp32"}}


def shape(family: str, **changes: Any) -> tuple[ModuleType, Any]:
    """A family with a small config of odd sizes."""
    module = models.find(family)
    return module, type(module.TINY)(**{**vars(module.TINY), **changes})


SHAPES = {
    "biases": shape("llama", attention_bias=True, mlp_bias=True, intermediate_size=172),
    "qwen2": shape("qwen2", num_key_value_heads=1),
    "qwen3": shape("qwen3", head_dim=32, tie_word_embeddings=False),
    "narrow": shape("llama", hidden_size=72, intermediate_size=100, head_dim=18),
    "one-layer": shape("gpt2", n_layer=1, activation_function="gelu"),
    "scaled-by-layer": shape("gpt2", scale_attn_by_inverse_layer_idx=True, n_inner=100),
    "relu": shape("gpt2", activation_function="relu2", tie_word_embeddings=False),
}


def drawn(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> Arrays:
    random = np.random.default_rng(seed)
    return {
        key: (random.normal(0, 0.1, size) + (1 if is_gain(key) else 0)).astype(np.float32)
        for key, size in shapes.items()
    }


def is_gain(key: str) -> bool:
    return key.endswith("weight") and ("norm" in key or "ln_" in key)


def ids_of(config: Any, sequence: int = SEQUENCE) -> np.ndarray:
    return np.random.default_rng(1).integers(0, config.vocabulary, (BATCH, sequence))


def plan_for(
    family: Any, config: Any, facts: dict[str, Any], sequence: int = SEQUENCE, **options: Any
) -> TrainingPlan:
    return make_training_plan(family, config, facts, sequence=sequence, batch=BATCH, **options)


def all_shapes(plan: TrainingPlan) -> dict[str, tuple[int, ...]]:
    return {key: layout.shape for key, layout in plan.parameters.items()}


def assert_slopes(plan: TrainingPlan, tensors: Arrays, ids: np.ndarray, **options: Any) -> None:
    """Along a random direction for each kind of parameter, by central differences."""
    random = np.random.default_rng(2)
    gradients = step_of(plan, tensors, ids, **options).gradients
    assert set(gradients) == set(plan.trainable)
    kinds: dict[str, list[str]] = {}
    for key in gradients:
        kinds.setdefault(re.sub(r"\d+", "", key), []).append(key)
    for kind, keys in kinds.items():
        steps = {key: random.standard_normal(gradients[key].shape) * 1e-3 for key in keys}
        above, below = (
            tensors | {key: (tensors[key] + sign * steps[key]).astype(np.float32) for key in keys}
            for sign in (1, -1)
        )
        moved = {key: above[key].astype(np.float64) - below[key] for key in keys}
        expected = sum(float((gradients[key] * moved[key]).sum()) for key in keys)
        scale = sum(
            float(np.linalg.norm(gradients[key]) * np.linalg.norm(moved[key])) for key in keys
        )
        found = loss_of(plan, above, ids, **options) - loss_of(plan, below, ids, **options)
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-4 * scale + 1e-10), kind


def step_of(plan: TrainingPlan, tensors: Arrays, ids: np.ndarray, **options: Any) -> Step:
    return run_plan(plan, tensors, ids, in_numpy(plan, Arithmetic()), **options)


def loss_of(plan: TrainingPlan, tensors: Arrays, ids: np.ndarray, **options: Any) -> float:
    return step_of(replace(plan, calls=plan.calls[: plan.forward]), tensors, ids, **options).loss
