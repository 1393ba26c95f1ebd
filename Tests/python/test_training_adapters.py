"""Plans in which adapters, or a part of the parameters, get gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from profiles_for_tests import CPU
from training_shapes import (
    WIDE,
    all_shapes,
    assert_slopes,
    drawn,
    ids_of,
    loss_of,
    plan_for,
    shape,
)

from orion import models
from orion.compile.training import Adapters, Call
from orion.errors import UsageError


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_adapters_alone_get_gradients(family: str) -> None:
    module = models.find(family)
    config = module.TINY
    targets = ("q_proj", "mlp.up_proj") if family == "llama" else ("query", "down")
    adapters = Adapters(targets, rank=4, alpha=8.0, dropout=0.25)
    plan = plan_for(module, config, CPU, adapters=adapters)
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
        ({"trainable": ["model.norm.bias"]}, "no parameter model.norm.bias that could be trained"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    module = models.find("llama")
    with pytest.raises(UsageError, match=message):
        plan_for(module, module.TINY, CPU, **options)
