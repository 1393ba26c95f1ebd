"""Every family, over what a config can say, against a reference that shares no code with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_models
from hf_models import GPT2, LLAMA, LLAMA3, QWEN2, QWEN3, random_tensors, write_model
from numpy_session import NumpySession
from profiles_for_tests import CPU, M4

import orion
from orion import models
from orion.ir import verify
from orion.ir.interpret import EXACT
from orion.models.parts.activation import NAMES
from orion.weights import Checkpoint
from orion.weights.lazy import lazy

CONFIGS: dict[str, dict[str, Any]] = {
    "llama": LLAMA,
    "llama-tied": {**LLAMA, "tie_word_embeddings": True},
    "llama-every-head-its-keys": {**LLAMA, "num_key_value_heads": 4},
    "llama-no-key-heads": {k: v for k, v in LLAMA.items() if k != "num_key_value_heads"},
    "llama-one-key-head": {**LLAMA, "num_key_value_heads": 1},
    "llama-wide-heads": {**LLAMA, "head_dim": 24},
    "llama-odd-width": {**LLAMA, "hidden_size": 36, "num_attention_heads": 2, "vocab_size": 67},
    "llama-attention-bias": {**LLAMA, "attention_bias": True},
    "llama-mlp-bias": {**LLAMA, "mlp_bias": True},
    "llama-epsilon": {**LLAMA, "rms_norm_eps": 0.1},
    "llama-theta": {**LLAMA, "rope_theta": 500.0},
    "llama-parameters": {**LLAMA, "rope_parameters": {"rope_type": "default", "rope_theta": 70.0}},
    "llama-rope-linear": {**LLAMA, "rope_scaling": {"type": "linear", "factor": 3.0}},
    "llama-rope-linear-new": {
        **LLAMA,
        "rope_parameters": {
            **{"rope_type": "linear", "factor": 3.0, "rope_theta": 50.0},
            "original_max_position_embeddings": 16,
        },
    },
    "llama-llama3": {**LLAMA, "rope_theta": 500.0, "rope_scaling": LLAMA3},
    "llama-llama3-new": {**LLAMA, "rope_parameters": {**LLAMA3, "rope_theta": 500.0}},
    "llama-both": {
        **LLAMA,
        "rope_theta": 500.0,
        "rope_scaling": LLAMA3,
        "rope_parameters": {**LLAMA3, "rope_theta": 500.0},
    },
    "qwen2": QWEN2,
    "qwen2-tied": {**QWEN2, "tie_word_embeddings": True},
    "qwen2-window-unused": {**QWEN2, "use_sliding_window": True, "max_window_layers": 2},
    "qwen2-window-unnamed": {
        **QWEN2,
        **{"use_sliding_window": True, "max_window_layers": 1},
        "layer_types": ["full_attention", "full_attention"],
    },
    "qwen3": QWEN3,
    "qwen3-bias": {**QWEN3, "attention_bias": True, "tie_word_embeddings": True},
    "qwen3-one-key-head": {**QWEN3, "num_key_value_heads": 1},
    "gpt2": GPT2,
    "gpt2-untied": {**GPT2, "tie_word_embeddings": False},
    "gpt2-inner": {**GPT2, "n_inner": 40},
    "gpt2-unscaled": {**GPT2, "scale_attn_weights": False},
    "gpt2-by-layer": {**GPT2, "scale_attn_by_inverse_layer_idx": True},
    "gpt2-epsilon": {**GPT2, "layer_norm_epsilon": 0.1},
    "gpt2-odd-width": {**GPT2, "n_embd": 36, "n_head": 3, "vocab_size": 67},
    **{f"llama-{name}": {**LLAMA, "hidden_act": name} for name in NAMES},
    **{f"gpt2-{name}": {**GPT2, "activation_function": name} for name in NAMES},
}
IDS = np.random.RandomState(5).randint(0, 64, 40).tolist()


def checkpoint(config: dict[str, Any]) -> Checkpoint:
    tensors = {name: lazy(tensor) for name, tensor in random_tensors(config).items()}
    return Checkpoint(config, tensors, ())


@pytest.mark.parametrize("name", CONFIGS)
def test_logits_are_the_references(name: str) -> None:
    config = CONFIGS[name]
    expected = reference_models.logits(config, random_tensors(config), IDS)
    session = NumpySession(checkpoint(config), CPU, EXACT)
    rows = [session.feed(IDS[:20], 32, 0), session.feed(IDS[20:39], 32, 64)]
    rows.append(session.feed(IDS[39:], 1, 64))
    # Tables of rotations are fp32.
    np.testing.assert_allclose(np.concatenate(rows), expected, atol=2e-5 * np.abs(expected).max())


def test_every_option_changes_the_numbers() -> None:
    # A reference and a model that both pass over a key would agree.
    same = {"llama-no-key-heads", "llama-both", "llama-llama3-new", "qwen2-window-unused"}
    same |= {"qwen2-window-unnamed", "llama-silu", "llama-swish", "gpt2-gelu_new"}
    for family, base in (("llama", LLAMA), ("qwen2", QWEN2), ("qwen3", QWEN3), ("gpt2", GPT2)):
        plain = reference_models.logits(base, random_tensors(base), IDS)
        for name, config in CONFIGS.items():
            if name.startswith(f"{family}-") and name not in same:
                other = reference_models.logits(config, random_tensors(config), IDS)
                assert (
                    other.shape != plain.shape
                    or np.abs(other - plain).max() > 1e-4
                    or (config.get("activation_function", "").startswith("gelu_"))
                ), name


@pytest.mark.parametrize(
    "name",
    [
        *["llama-one-key-head", "llama-odd-width", "llama-attention-bias", "llama-mlp-bias"],
        *["llama-rope-linear", "llama-llama3", "llama-relu2", "qwen2", "qwen3", "qwen3-bias"],
        *["gpt2", "gpt2-untied", "gpt2-by-layer", "gpt2-odd-width", "gpt2-gelu", "gpt2-quick_gelu"],
    ],
)
def test_devices_give_the_references_logits(name: str, tmp_path: Path) -> None:
    config = CONFIGS[name]
    expected = reference_models.logits(config, random_tensors(config), IDS)
    directory = write_model(tmp_path / "model", config)
    for device, bound in (("cpu", 2e-5), ("sim:m4-macos15", 2e-2)):
        with orion.load(directory, device=device) as model:
            first = model.session.feed(IDS[:20], logits=20)
            rest = model.session.feed(IDS[20:], logits=20)
        found = np.concatenate([first, rest])
        assert np.abs(found - expected).max() < bound * max(1, np.abs(expected).max()), device


@pytest.mark.parametrize("family", models.known())
def test_tiny_is_well_formed_and_all_its_tensors_are_used(family: str) -> None:
    module = models.find(family)
    config = module.TINY
    graphs = [module.build(config, 32, 64, [i]) for i in range(config.layers)]
    graphs.append(module.head(config, 32, 1 << 16))
    used = {table for table in module.tables(config).values() if isinstance(table, str)}
    for graph in graphs:
        verify(graph)
        used |= {node["key"] for node in graph.walk("weight")}
    assert used == set(module.shapes(config))


@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3", "gpt2", "gpt2-untied"])
def test_restore_undoes_rename(name: str) -> None:
    config = CONFIGS[name]
    module = models.find(config["model_type"])
    read, tensors = module.read_config(config), random_tensors(config)
    restored = module.restore(read, module.rename(read, tensors))
    assert restored.keys() == tensors.keys()
    for key, tensor in tensors.items():
        np.testing.assert_array_equal(restored[key], tensor, err_msg=key)


def test_gpt2_takes_names_without_their_prefix() -> None:
    tensors = random_tensors(GPT2)
    bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    found, expected = (models.open_model(GPT2, held).tensors for held in (bare, tensors))
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_nothing_is_copied_on_the_way_to_a_model() -> None:
    tensors = random_tensors(GPT2)
    renamed = models.open_model(GPT2, tensors).tensors
    for name in ("attn.query", "attn.value", "mlp.up"):
        old = "mlp.c_fc" if name == "mlp.up" else "attn.c_attn"
        view = renamed[f"transformer.h.1.{name}.weight"]
        assert np.shares_memory(view, tensors[f"transformer.h.1.{old}.weight"])


# Activations far from zero, as residual streams of trained models have in some channels.
@pytest.mark.parametrize("offset", [0.0, 30.0, -3000.0])
@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_fp16_norms_hold_out_large_channels(offset: float, scale: float) -> None:
    config = {**GPT2, "n_layer": 1}
    tensors = random_tensors(config)
    tensors["transformer.wte.weight"] = tensors["transformer.wte.weight"] * np.float32(scale)
    tensors["transformer.wpe.weight"][:, 7] += np.float32(offset)
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"] / np.float32(scale)
    config["tie_word_embeddings"] = False
    expected = reference_models.logits(config, tensors, IDS)
    held = {name: lazy(tensor) for name, tensor in tensors.items()}
    found = NumpySession(Checkpoint(config, held, ()), M4).feed(IDS, 64, 0)
    assert np.isfinite(found).all()
    assert np.abs(found - expected).max() < 2e-2 * np.abs(expected).max()
