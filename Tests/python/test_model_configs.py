"""Keys of config.json: those that would be passed over are refused, published configs are read."""

from __future__ import annotations

from typing import Any

import pytest
from hf_models import GPT2, LLAMA, LLAMA3, QWEN2, QWEN3

from orion import models
from orion.errors import OrionError


def error_of(config: dict[str, Any]) -> str:
    with pytest.raises(OrionError) as error:
        models.find(config["model_type"]).read_config(config)
    return str(error.value)


WINDOW = {**QWEN2, "use_sliding_window": True}
SCALED = {**LLAMA3, "rope_theta": 1.0}
# config, and what is said about it
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({**LLAMA, "sparkle": 3}, "llama has no key 'sparkle', here 3"),
    ({**LLAMA, "quantization_config": {"bits": 4}}, "supported with quantization_config null, not"),
    ({**LLAMA, "auto_map": {"AutoModel": "x"}}, "supported with auto_map {}, not {'AutoModel'"),
    ({**LLAMA, "partial_rotary_factor": 0.5}, "supported with partial_rotary_factor 1"),
    ({**LLAMA, "rope_interleaved": True}, "supported with rope_interleaved False, not True"),
    ({**LLAMA, "sliding_window": 8}, "llama has no key 'sliding_window', here 8"),
    ({**LLAMA, "hidden_act": "mish"}, "hidden_act 'mish' is not known; known: gelu, gelu_python"),
    ({**LLAMA, "hidden_size": None}, "llama needs the key 'hidden_size', which is missing"),
    ({**LLAMA, "hidden_size": "32"}, "expected a whole number from 1 to 2147483647 as hidden_size"),
    ({**LLAMA, "hidden_size": True}, "as hidden_size, got True"),
    ({**LLAMA, "vocab_size": 0}, "as vocab_size, got 0"),
    ({**LLAMA, "vocab_size": -5}, "as vocab_size, got -5"),
    ({**LLAMA, "vocab_size": 1e30}, "as vocab_size, got 1e+30"),
    ({**LLAMA, "vocab_size": 3.5}, "as vocab_size, got 3.5"),
    ({**LLAMA, "rms_norm_eps": 0}, "expected a number over 0 as rms_norm_eps, got 0"),
    ({**LLAMA, "rms_norm_eps": float("nan")}, "as rms_norm_eps, got nan"),
    ({**LLAMA, "attention_bias": 1}, "expected true or false as attention_bias, got 1"),
    ({**LLAMA, "num_attention_heads": 5}, "a hidden_size that num_attention_heads divides; got 32"),
    ({**LLAMA, "num_key_value_heads": 3}, "that num_key_value_heads divides; got 4, 3"),
    ({**LLAMA, "head_dim": 7}, "a head_dim that the two of a rotary pair divides; got 7, 2"),
    ({**LLAMA, "rope_scaling": {"type": "yarn", "factor": 2.0}}, "of the type 'yarn' is not supp"),
    ({**LLAMA, "rope_scaling": {"type": "dynamic"}}, "'dynamic' is not supported; supported: def"),
    ({**LLAMA, "rope_scaling": [1]}, "expected an object as rope_scaling, got [1]"),
    ({**LLAMA, "rope_scaling": {"type": "linear"}}, "of the type linear needs the key 'factor'"),
    ({**LLAMA, "rope_scaling": {"type": "linear", "factor": 2.0, "mscale": 1}}, "no key 'mscale'"),
    ({**LLAMA, "rope_scaling": {**LLAMA3, "low_freq_factor": 4.0}}, "low_freq_factor below its"),
    ({**LLAMA, "rope_theta": 2.0, "rope_scaling": SCALED}, "rope_theta is 2.0, and 1.0 in rope_sc"),
    ({**LLAMA, "rope_scaling": LLAMA3, "rope_parameters": SCALED}, "rope_scaling disagree"),
    ({**WINDOW, "max_window_layers": 1}, "layers from 1 on see 16 positions only"),
    (
        {
            **WINDOW,
            "num_hidden_layers": 29,
            "sliding_window": None,
            "max_position_embeddings": 5000,
        },
        "layers from 28 on see 4096 positions only",
    ),
    ({**WINDOW, "layer_types": ["full_attention", "chunked"]}, "'full_attention', not 'chunked'"),
    ({**QWEN2, "use_mrope": True}, "qwen2 is supported with use_mrope False, not True"),
    ({**QWEN3, "layer_types": ["sliding_attention"]}, "'full_attention', not 'sliding_attention'"),
    ({**GPT2, "add_cross_attention": True}, "supported with add_cross_attention False, not True"),
    ({**GPT2, "n_head": 5}, "gpt2 needs a n_embd that n_head divides; got 32, 5"),
    ({**GPT2, "activation_function": 3}, "activation_function 3 is not known"),
    ({**GPT2, "hidden_act": "relu"}, "gpt2 has no key 'hidden_act', here 'relu'"),
]


@pytest.mark.parametrize(("config", "message"), REFUSED)
def test_keys_that_would_be_passed_over_are_refused(config: dict[str, Any], message: str) -> None:
    assert message in error_of(config)


# Configs as the models' authors publish them, but for their sizes.
PUBLISHED: dict[str, dict[str, Any]] = {
    "gpt2": {
        **GPT2,
        **{"architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 50256},
        **{"embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range": 0.02, "n_ctx": 64},
        **{"layer_norm_epsilon": 1e-05, "resid_pdrop": 0.1, "summary_activation": None},
        **{"summary_first_dropout": 0.1, "summary_proj_to_labels": True, "use_cache": True},
        **{"summary_type": "cls_index", "summary_use_proj": True, "reorder_and_upcast_attn": False},
        "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
    },
    "llama": {
        **LLAMA,
        **{"attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 128000},
        **{"eos_token_id": [128001, 128008], "head_dim": 8, "hidden_act": "silu"},
        **{"initializer_range": 0.02, "mlp_bias": False, "pretraining_tp": 1, "rope_theta": 5e5},
        **{"rope_scaling": LLAMA3, "torch_dtype": "bfloat16", "transformers_version": "4.45.0"},
        **{"use_cache": True, "is_llama_config": True, "rope_interleaved": False},
    },
    "qwen2": {
        **QWEN2,
        **{"attention_dropout": 0.0, "max_window_layers": 21, "torch_dtype": "bfloat16"},
        **{"sliding_window": 32768, "use_cache": True, "use_mrope": False, "rope_theta": 1e6},
    },
    "qwen3": {
        **QWEN3,
        **{"attention_bias": False, "max_window_layers": 28, "rope_scaling": None},
        **{"sliding_window": None, "use_sliding_window": False, "rope_theta": 1000000},
    },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_configs_are_read(name: str) -> None:
    config = models.find(name).read_config(PUBLISHED[name])
    assert (config.layers, config.vocabulary, config.context) == (2, 64, 64)


@pytest.mark.parametrize("family", models.known())
def test_every_key_has_one_place(family: str) -> None:
    module = models.find(family)
    places = [set(module.USED), set(module.IGNORED), set(module.FIXED)]
    assert sum(map(len, places)) == len(set.union(*places))
    assert all(module.IGNORED.values())
