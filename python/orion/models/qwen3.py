"""Qwen3: Llama with an RMS norm on every head of queries and keys; knows no device.

Activations are [1, C, 1, S]; weights carry Hugging Face's names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..ir import Graph, Value
from .parts import rotary, window
from .parts.attention import attend, split_heads
from .parts.config import Key, read_keys
from .parts.decoder import every_layer
from .parts.layers import linear, rms_norm
from .parts.rotary import (
    RotaryConfig,
    RotaryStep,
    build_layers,
    gated_mlp,
    layer_shapes,
    outer_shapes,
)
from .parts.window import refuse_window

USED = {
    **rotary.USED,
    **window.USED,
    "head_dim": Key(int, 128),
    "attention_bias": Key(bool, False),
}
IGNORED: dict[str, str] = {}
FIXED = rotary.FIXED

head, tables = rotary.head, rotary.tables
rename, restore = rotary.rename, rotary.restore
checkpoint_place = rotary.checkpoint_place


@dataclass(frozen=True)
class Config(RotaryConfig):
    attention_bias: bool = False


TINY = Config(**rotary.TINY)


def read_config(config: Mapping[str, Any]) -> Config:
    """OrionError when a key that changes the numbers has a value that is not supported."""
    values = read_keys("qwen3", config, USED, IGNORED, FIXED)
    return Config(**rotary.finish("qwen3", refuse_window("qwen3", values)))


def build(config: Config, columns: int, cache: int, layers: Sequence[int] | None = None) -> Graph:
    """`columns` new positions over `cache` earlier ones, through `layers` (by default all)."""
    return build_layers(config, (columns, cache), layers, block)


def block(g: Graph, config: Config, layer: int, x: Value, step: RotaryStep) -> Value:
    prefix, epsilon = f"model.layers.{layer}.", config.rms_norm_eps
    normed = rms_norm(g, x, f"{prefix}input_layernorm", epsilon, "attention_norm")
    x = g.add(x, attention(g, config, layer, normed, step))
    normed = rms_norm(g, x, f"{prefix}post_attention_layernorm", epsilon, "mlp_norm")
    return g.add(x, gated_mlp(g, config, f"{prefix}mlp.", normed))


def attention(g: Graph, config: Config, layer: int, x: Value, step: RotaryStep) -> Value:
    prefix, size, bias = f"model.layers.{layer}.self_attn.", config.head_dim, config.attention_bias
    epsilon = config.rms_norm_eps
    query = linear(g, x, f"{prefix}q_proj", config.query_channels, "query", bias=bias)
    key = linear(g, x, f"{prefix}k_proj", config.key_channels, "key", bias=bias)
    value = linear(g, x, f"{prefix}v_proj", config.key_channels, "value", bias=bias)
    query = rms_norm(
        g, split_heads(g, query, size), f"{prefix}q_norm", epsilon, "query_norm", axis=2
    )
    key = rms_norm(g, split_heads(g, key, size), f"{prefix}k_norm", epsilon, "key_norm", axis=2)
    query, key = step.rotation.turn(g, query), step.rotation.turn(g, key)
    value = split_heads(g, value, size)
    mixed = attend(g, layer, query, key, value, masks=step.masks, scale=size**-0.5)
    return linear(g, mixed, f"{prefix}o_proj", config.hidden_size, "attention_out", bias=bias)


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Every tensor that a checkpoint of this config holds."""
    layer = layer_shapes(config)
    norms = {f"self_attn.{name}.weight": (config.head_dim,) for name in ("q_norm", "k_norm")}
    biases = {
        name.replace(".weight", ".bias"): shape[:1]
        for name, shape in layer.items()
        if config.attention_bias and name.startswith("self_attn.")
    }
    return {
        **outer_shapes(config),
        **every_layer("model.layers.", config.layers, {**layer, **norms, **biases}),
    }
