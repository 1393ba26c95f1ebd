"""Shapes of known models with fresh weights from a seed: something to train, or to measure.

A tensor's numbers depend on the seed and its name alone, and come when they are asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoint import Checkpoint
from .lazy import LazyTensor

LLAMA = {
    "model_type": "llama",
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
}


def stories(dim: int, inner: int, layers: int, heads: int, **more: int) -> dict[str, Any]:
    """llama2.c's models for children's stories."""
    return {
        **LLAMA,
        "hidden_size": dim,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "vocab_size": 32000,
        "max_position_embeddings": 1024,
        **more,
    }


PRESETS: dict[str, dict[str, Any]] = {
    "stories260k": stories(
        64, 172, 5, 8, num_key_value_heads=4, vocab_size=512, max_position_embeddings=512
    ),
    "stories15m": stories(288, 768, 6, 6, max_position_embeddings=256),
    "stories42m": stories(512, 1376, 8, 8),
    "stories110m": stories(768, 2048, 12, 12),
    "gpt2": {
        "model_type": "gpt2",
        "vocab_size": 50257,
        "n_positions": 1024,
        "n_embd": 768,
        "n_layer": 12,
        "n_head": 12,
    },
    "smollm-135m": {
        **LLAMA,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "vocab_size": 49152,
        "max_position_embeddings": 2048,
    },
    "qwen3-0.6b": {
        "model_type": "qwen3",
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "tie_word_embeddings": True,
    },
}
# As the families' own training begins.
SPREAD = 0.02


def is_preset(path: str | Path) -> bool:
    """A file or directory of that name goes first."""
    return str(path) in PRESETS and not Path(path).exists()


def make(name: str, seed: int = 0) -> Checkpoint:
    config = PRESETS[name]
    shapes = gpt2_shapes(config) if config["model_type"] == "gpt2" else rotary_shapes(config)
    return Checkpoint(
        dict(config),
        {tensor: fresh(tensor, shape, seed) for tensor, shape in shapes.items()},
        (),
    )


def fresh(name: str, shape: tuple[int, ...], seed: int) -> LazyTensor:
    """Norms of one, biases of zero, the rest normal."""
    if len(shape) == 1:
        value = np.float32(0 if name.endswith(".bias") else 1)
        read: Callable[[], np.ndarray] = lambda: np.full(shape, value)  # noqa: E731
    else:
        read = lambda: normal(name, shape, seed)  # noqa: E731
    return LazyTensor(shape, "fp32", read, ("fresh", name, shape, seed), name)


# Parts of a tensor are read one after the other: it is made once for all of them.
@lru_cache(maxsize=1)
def normal(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    random = np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], np.uint64)))
    result = np.empty(shape, np.float32)
    random.standard_normal(out=result, dtype=np.float32)
    result *= np.float32(SPREAD)
    result.flags.writeable = False
    return result


def rotary_shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    size = config.get("head_dim", hidden // config["num_attention_heads"])
    wide, narrow = (size * config[f"num_{kind}_heads"] for kind in ("attention", "key_value"))
    layer: dict[str, tuple[int, ...]] = {
        "input_layernorm": (hidden,),
        "self_attn.q_proj": (wide, hidden),
        "self_attn.k_proj": (narrow, hidden),
        "self_attn.v_proj": (narrow, hidden),
        "self_attn.o_proj": (hidden, wide),
        "post_attention_layernorm": (hidden,),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }
    if config["model_type"] == "qwen3":
        layer |= {"self_attn.q_norm": (size,), "self_attn.k_norm": (size,)}
    return {
        "model.embed_tokens.weight": (config["vocab_size"], hidden),
        **{
            f"model.layers.{i}.{name}.weight": shape
            for i in range(config["num_hidden_layers"])
            for name, shape in layer.items()
        },
        "model.norm.weight": (hidden,),
    }


def gpt2_shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    channels = config["n_embd"]
    layer: dict[str, tuple[int, ...]] = {}
    for name, out in (("attn.c_attn", 3), ("attn.c_proj", 1), ("mlp.c_fc", 4)):
        layer |= {f"{name}.weight": (channels, out * channels), f"{name}.bias": (out * channels,)}
    layer |= {"mlp.c_proj.weight": (4 * channels, channels), "mlp.c_proj.bias": (channels,)}
    for name in ("ln_1", "ln_2"):
        layer |= {f"{name}.weight": (channels,), f"{name}.bias": (channels,)}
    return {
        "transformer.wte.weight": (config["vocab_size"], channels),
        "transformer.wpe.weight": (config["n_positions"], channels),
        **{
            f"transformer.h.{i}.{name}": shape
            for i in range(config["n_layer"])
            for name, shape in layer.items()
        },
        "transformer.ln_f.weight": (channels,),
        "transformer.ln_f.bias": (channels,),
    }
