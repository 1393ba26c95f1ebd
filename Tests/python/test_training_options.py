"""Plans for odd shapes: gradients, layouts, slots, rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plan_runner import Arrays, run_plan
from profiles_for_tests import CPU, LIMITS, M4
from test_training_plan import (
    FP16_BOUND,
    LOSS_SCALE,
    on_device,
)
from training_shapes import (
    SHAPES,
    SHORT,
    WIDE,
    assert_slopes,
    drawn,
    ids_of,
    plan_for,
    shape,
    step_of,
)

from orion.compile.training import Call, program_text
from orion.runtime import Device, profile
from orion.runtime.checking import check


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
        run = on_device(Device("sim:m4-macos15"), plan, tmp_path)
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
