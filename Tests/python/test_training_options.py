"""Plans with baked weights, with adapters, with a part of the parameters, for odd shapes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from plan_runner import Arrays, Step, in_numpy, run_plan
from profiles_for_tests import CPU, LIMITS, M4
from test_training_plan import (
    FP16_BOUND,
    FP32_BOUND,
    LOSS_SCALE,
    MODELS,
    largest_error,
    on_device,
    plan_of,
    read_golden,
)

from orion import models
from orion.compile.training import (
    Adapters,
    Call,
    TrainingPlan,
    make_training_plan,
    program_text,
)
from orion.errors import UsageError
from orion.ir import Arithmetic
from orion.runtime import Device, profile
from orion.runtime.checking import check

SEQUENCE, SHORT, BATCH = 32, 7, 2


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
    return run_plan(plan, tensors, ids, in_numpy(plan, Arithmetic(), tensors), **options)


def loss_of(plan: TrainingPlan, tensors: Arrays, ids: np.ndarray, **options: Any) -> float:
    return step_of(replace(plan, calls=plan.calls[: plan.forward]), tensors, ids, **options).loss


@pytest.mark.parametrize("name", SHAPES)
def test_gradients_are_the_slopes_of_the_loss(name: str) -> None:
    family, config = SHAPES[name]
    plan = plan_for(family, config, CPU, SHORT)
    assert_slopes(plan, drawn(family.shapes(config)), ids_of(config, SHORT))


def assert_like(found: Arrays, expected: Arrays, bound: float) -> None:
    whole = np.sqrt(sum(float((g**2).sum()) for g in expected.values()))
    assert found.keys() == expected.keys()
    for key, gradient in expected.items():
        norm = max(float(np.linalg.norm(gradient)), 1e-4 * whole)
        assert float(np.linalg.norm(found[key] - gradient)) < bound * norm, key


# The engine's rules and rewrites, in numbers that lose nothing.
WIDE = M4 | {"name": "wide", "preferences": M4["preferences"] | {"activation": "fp32"}}
TILED = WIDE | {"name": "tiled", "limits": LIMITS | {"matmul_inner_max": 256}}


@pytest.mark.parametrize("facts", [WIDE, TILED], ids=lambda facts: facts["name"])
@pytest.mark.parametrize("name", SHAPES)
def test_the_engines_programs_give_the_same_gradients(name: str, facts: dict[str, Any]) -> None:
    """Widths that the profile does not take are padded, a large head comes in tiles."""
    family, config = SHAPES[name]
    tensors, ids = drawn(family.shapes(config)), ids_of(config)
    plain = plan_for(family, config, CPU)
    expected = step_of(plain, tensors, ids).gradients
    plan = plan_for(family, config, facts)
    assert ("logits:1" in plan.slots) == (facts is TILED)
    assert_like(step_of(plan, tensors, ids).gradients, expected, 5e-6)


@pytest.mark.parametrize("limit", ["axis_width_max", "axis_channels_max", "matmul_inner_max"])
def test_the_head_comes_in_tiles_of_the_smallest_limit(limit: str) -> None:
    family, config = shape("llama")
    facts = WIDE | {"limits": LIMITS | {limit: 256}}
    slots = plan_for(family, config, facts).slots
    assert [slots[f"logits:{tile}"].shape[1] for tile in range(2)] == [256, 32]
    assert "logits:2" not in slots


def test_the_simulator_takes_odd_shapes(tmp_path: Path) -> None:
    facts = profile("m4-macos15")
    for name in ("biases", "narrow"):
        family, config = SHAPES[name]
        tensors, ids = drawn(family.shapes(config)), ids_of(config)
        plain = plan_for(family, config, CPU)
        expected = step_of(plain, tensors, ids).gradients
        plan = plan_for(family, config, facts)
        run = on_device(Device("sim:m4-macos15"), plan, tensors, tmp_path)
        step = run_plan(plan, tensors, ids, run, loss_scale=LOSS_SCALE)
        assert_like(step.gradients, expected, FP16_BOUND)


@pytest.mark.parametrize("name", ["m1-macos15", "m4-macos15", "m5-macos26"])
@pytest.mark.parametrize("kind", ["biases", "scaled-by-layer"])
def test_nothing_is_said_against_the_programs(kind: str, name: str, tmp_path: Path) -> None:
    """By the rules of the chip, which are read apart from how programs are made."""
    family, config = SHAPES[kind]
    facts = profile(name)
    for program in plan_for(family, config, facts).programs.values():
        text, _ = program_text(program, facts["dialect"], tmp_path / "weights.bin")
        findings = check(text, profiles=[name], model_dir=tmp_path)
        assert not [found for found in findings if found.severity != "note"]


# ---- layouts and slots ----


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("facts", [CPU, M4], ids=lambda facts: facts["name"])
def test_layouts_lose_nothing(name: str, facts: dict[str, Any]) -> None:
    family, config = SHAPES[name]
    plan = plan_for(family, config, facts)
    for key, tensor in drawn(family.shapes(config)).items():
        layout = plan.parameters[key]
        stored = layout.to_stored(tensor)
        assert stored.shape == layout.stored
        np.testing.assert_array_equal(layout.from_stored(stored), tensor)
        assert float(np.abs(stored).sum()) == pytest.approx(float(np.abs(tensor).sum()), rel=1e-5)


@pytest.mark.parametrize("name", SHAPES)
def test_slots_are_written_before_they_are_read(name: str) -> None:
    family, config = SHAPES[name]
    plan = plan_for(family, config, CPU)
    written = {
        slot for slot, facts in plan.slots.items() if facts.kind in ("parameter", "constant")
    }
    for index, call in enumerate(plan.calls):
        assert set(call.inputs.values()) <= written
        written |= set(call.outputs.values())
        for slot in [*call.inputs.values(), *call.outputs.values()]:
            assert plan.slots[slot].first <= index <= plan.slots[slot].last
        if isinstance(call, Call):
            graph = plan.programs[call.program].graph
            assert call.inputs.keys() == {node.result.name for node in graph.inputs}
            assert call.outputs.keys() == {output.name for output in graph.outputs}


def test_layers_of_one_shape_share_programs() -> None:
    family, config = shape("llama", num_hidden_layers=4)
    assert len(plan_for(family, config, CPU).programs) == 4
    family, config = SHAPES["scaled-by-layer"]
    assert len(plan_for(family, config, CPU).programs) == 6


# ---- baked weights ----


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("device", ["cpu", "sim:m4-macos15"])
def test_baked_weights_give_the_references_gradients(
    name: str, device: str, data: Path, tmp_path: Path
) -> None:
    golden = read_golden(data / "golden" / name)
    opened = Device(device)
    plan = plan_of(golden, profile(opened.profile), weights="constants")
    assert len(plan.programs) == 2 * (plan.layers + 1)
    tables = {slot for slot in plan.slots if slot.startswith("w:")}
    assert tables == set(plan.calls[0].inputs.values())
    run = on_device(opened, plan, golden.tensors, tmp_path)
    step = run_plan(plan, golden.tensors, golden.ids, run, loss_scale=LOSS_SCALE)
    assert largest_error(golden, step) < (FP32_BOUND if device == "cpu" else FP16_BOUND)


# ---- adapters, and a part of the parameters ----


@pytest.mark.parametrize("weights", ["inputs", "constants"])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_adapters_alone_get_gradients(family: str, weights: str) -> None:
    module = models.find(family)
    config = module.TINY
    targets = ("q_proj", "mlp.up_proj") if family == "llama" else ("query", "down")
    adapters = Adapters(targets, rank=4, alpha=8.0, dropout=0.25)
    plan = plan_for(module, config, CPU, weights=weights, adapters=adapters)
    assert len(plan.trainable) == 2 * 2 * config.layers
    assert not [slot for slot in plan.slots if slot.startswith("g:") and "lora" not in slot]
    assert plan.calls[-1].outputs.keys() == {"g_" + short(key) for key in plan.trainable[:4]}
    random = np.random.default_rng(3)
    masks = {
        name: (random.random(slot.shape) < 0.75) / 0.75
        for name, slot in plan.slots.items()
        if slot.kind == "dropout"
    }
    assert len(masks) == 2 * config.layers
    assert_slopes(plan, drawn(all_shapes(plan)), ids_of(config), extra=masks)


def short(key: str) -> str:
    return "_".join(key.split(".")[3:])


def test_adapters_add_their_product() -> None:
    module = models.find("llama")
    adapters = Adapters(("v_proj", "down_proj"), rank=8, alpha=16.0, layers=(1,))
    plan = plan_for(module, module.TINY, WIDE, adapters=adapters)
    tensors = drawn(all_shapes(plan))
    merged = dict(tensors)
    for key in [key for key in tensors if key.endswith("lora_A.weight")]:
        name = key.removesuffix("lora_A.weight")
        assert name.startswith("model.layers.1.")
        product = tensors[f"{name}lora_B.weight"] @ tensors[key]
        merged[f"{name}weight"] = tensors[f"{name}weight"] + 2.0 * product
    ids = ids_of(module.TINY)
    plain = plan_for(module, module.TINY, CPU)
    found, expected = loss_of(plan, tensors, ids), loss_of(plain, merged, ids)
    assert found == pytest.approx(expected, abs=1e-6)


def test_an_unknown_target_lists_what_there_is() -> None:
    module = models.find("llama")
    with pytest.raises(UsageError, match="called c_attn; there are q_proj, k_proj, v_proj, o_proj"):
        plan_for(module, module.TINY, CPU, adapters=Adapters(("c_attn",), rank=4, alpha=8.0))


def test_a_part_of_the_parameters() -> None:
    """Calls below the lowest of them are left out, and so are products for the others."""
    family, config = shape("llama", num_hidden_layers=3)
    wanted = ["model.layers.1.mlp.up_proj.weight", "model.layers.2.self_attn.q_proj.weight"]
    plan = plan_for(family, config, CPU, trainable=wanted)
    programs = [call.program for call in plan.calls if isinstance(call, Call)]
    assert sum(name.endswith("backward") for name in programs) == 3
    assert "d:1" not in plan.slots
    assert not [slot for slot in plan.slots if slot.startswith("t:0:")]
    assert {slot for slot in plan.slots if slot.startswith("g:")} == {f"g:{key}" for key in wanted}
    assert_slopes(plan, drawn(family.shapes(config)), ids_of(config))


def test_only_the_head_needs_no_layer_backwards() -> None:
    family, config = shape("llama", tie_word_embeddings=False)
    plan = plan_for(family, config, CPU, trainable=["lm_head.weight"])
    assert len(plan.calls) == plan.forward + 1
    assert not [slot for slot in plan.slots if slot.startswith("d:")]
    assert_slopes(plan, drawn(family.shapes(config)), ids_of(config))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "baked"}, "weights 'baked': expected inputs or constants"),
        ({"trainable": ["model.norm.bias"]}, "no parameter model.norm.bias that could be trained"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    module = models.find("llama")
    with pytest.raises(UsageError, match=message):
        plan_for(module, module.TINY, CPU, **options)
