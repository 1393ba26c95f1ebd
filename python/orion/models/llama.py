"""Llama: rotary positions, grouped key heads, SwiGLU, RMS norms; knows no device.

Letters: C channels, D head size, H query heads, K key heads, G = H / K, S new positions, L cached
ones, V vocabulary. Activations are [1, C, 1, S]; weights carry Hugging Face's names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..ir import Graph, Value

EMBEDDING = "model.embed_tokens.weight"


@dataclass(frozen=True)
class Config:
    """The keys of config.json that change the numbers."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int
    max_position_embeddings: int
    head_dim: int
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    tie_word_embeddings: bool = True
    model_type: str = "llama"

    @property
    def context(self) -> int:
        return self.max_position_embeddings

    @property
    def layers(self) -> int:
        return self.num_hidden_layers

    @property
    def vocabulary(self) -> int:
        return self.vocab_size

    @property
    def head_weight(self) -> str:
        return EMBEDDING if self.tie_word_embeddings else "lm_head.weight"


TINY = Config(
    hidden_size=64,
    intermediate_size=160,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=288,
    max_position_embeddings=128,
    head_dim=16,
)


def read_config(config: Mapping[str, Any]) -> Config:
    """The keys that this family uses; the others have no effect on its numbers."""
    return Config(**{f.name: config[f.name] for f in fields(Config) if f.name in config})


@dataclass(frozen=True)
class Positions:
    """What every layer reads besides its own input: rotations and masks."""

    cos: Value  # [1, 1, D/2, S]
    sin: Value
    mask_new: Value  # [1, 1, S, S]
    mask_cache: Value | None  # [1, 1, S, L]


def build(config: Config, columns: int, cache: int, layers: Sequence[int] | None = None) -> Graph:
    """`columns` new positions over `cache` earlier ones, through `layers` (by default all)."""
    layers = range(config.num_hidden_layers) if layers is None else layers
    g = Graph(f"layers_s{columns}_l{cache}")
    role = "embedding table=embedding" if layers[0] == 0 else "hidden"
    x = g.input("x", "fp32", (1, config.hidden_size, 1, columns), role)
    positions = read_positions(g, config, columns, cache)
    for layer in layers:
        with g.scope(f"l{layer}"):
            x = block(g, config, layer, x, positions)
    g.output("hidden", x, "hidden")
    return g


def read_positions(g: Graph, config: Config, columns: int, cache: int) -> Positions:
    half = config.head_dim // 2
    tables = [
        g.input(name, "fp32", (1, half, 1, columns), f"position_table table=rope_{name}")
        for name in ("cos", "sin")
    ]
    cos, sin = (g.reshape(table, shape=(1, 1, half, columns)) for table in tables)
    mask_new = g.input("mask_new", "fp32", (1, 1, columns, columns), "mask over=new")
    mask_cache = None
    if cache > 0:
        mask_cache = g.input("mask_cache", "fp32", (1, 1, columns, cache), "mask over=cache")
    return Positions(cos, sin, mask_new, mask_cache)


def block(g: Graph, config: Config, layer: int, x: Value, positions: Positions) -> Value:
    prefix = f"model.layers.{layer}."
    normed = norm(g, config, x, f"{prefix}input_layernorm.weight", "attention_norm")
    x = g.add(x, attention(g, config, layer, normed, positions))
    normed = norm(g, config, x, f"{prefix}post_attention_layernorm.weight", "mlp_norm")
    return g.add(x, mlp(g, config, f"{prefix}mlp.", normed))


def attention(g: Graph, config: Config, layer: int, x: Value, positions: Positions) -> Value:
    heads, key_heads, size = (
        config.num_attention_heads,
        config.num_key_value_heads,
        config.head_dim,
    )
    prefix = f"model.layers.{layer}.self_attn."
    columns = x.type.shape[-1]
    key_shape = (key_heads, 1, size, columns)
    query = linear(g, x, f"{prefix}q_proj.weight", heads * size, "query")
    key = linear(g, x, f"{prefix}k_proj.weight", key_heads * size, "key")
    value = linear(g, x, f"{prefix}v_proj.weight", key_heads * size, "value")
    query = turn(g, query, positions, size)
    key = turn(g, key, positions, size)
    new_key = g.reshape(key, shape=(1, key_heads * size, 1, columns))
    g.output(f"k_new_{layer}", new_key, f"new_key layer={layer} axis=3")
    g.output(f"v_new_{layer}", value, f"new_value layer={layer} axis=3")

    segments = []
    if positions.mask_cache is not None:
        cache = positions.mask_cache.type.shape[-1]
        shape = (1, key_heads * size, 1, cache)
        for kind, short in (("key", "k"), ("value", "v")):
            role = f"{kind}_cache layer={layer} axis=3"
            cached = g.input(f"{short}_cache_{layer}", "fp32", shape, role)
            segments.append(g.reshape(cached, shape=(key_heads, 1, size, cache)))
        segments.append(positions.mask_cache)
    segments += [g.reshape(key, shape=key_shape), g.reshape(value, shape=key_shape)]
    segments.append(positions.mask_new)

    query = g.reshape(query, shape=(key_heads, heads // key_heads, size, columns))
    mixed = g.attention(query, segments, scale=size**-0.5)
    mixed = g.reshape(mixed, shape=(1, heads * size, 1, columns))
    return linear(g, mixed, f"{prefix}o_proj.weight", config.hidden_size, "attention_out")


def turn(g: Graph, x: Value, positions: Positions, size: int) -> Value:
    """Rotary positions on every head: [1, H*D, 1, S] to [1, H, D, S]."""
    _, channels, _, columns = x.type.shape
    heads = g.reshape(x, shape=(1, channels // size, size, columns))
    return g.rope(heads, positions.cos, positions.sin)


def mlp(g: Graph, config: Config, prefix: str, x: Value) -> Value:
    gate = linear(g, x, f"{prefix}gate_proj.weight", config.intermediate_size, "gate")
    up = linear(g, x, f"{prefix}up_proj.weight", config.intermediate_size, "up")
    inner = g.mul(g.silu(gate), up)
    return linear(g, inner, f"{prefix}down_proj.weight", config.hidden_size, "down")


def norm(g: Graph, config: Config, x: Value, key: str, name: str) -> Value:
    weight = g.weight(key, "fp32", (1, config.hidden_size, 1, 1), f"{name}_weight")
    return g.rms_norm(x, weight, axis=1, epsilon=config.rms_norm_eps, name=name)


def linear(g: Graph, x: Value, key: str, out: int, name: str) -> Value:
    weight = g.weight(key, "fp32", (out, x.type.shape[1], 1, 1), f"{name}_weight")
    return g.linear(x, weight, name=name)


def head(config: Config, columns: int, tile: int) -> Graph:
    """Final norm and vocabulary scores, in tiles of at most `tile` tokens."""
    g = Graph("head")
    x = g.input("x", "fp32", (1, config.hidden_size, 1, columns), "hidden")
    x = norm(g, config, x, "model.norm.weight", "norm")
    for index, first in enumerate(range(0, config.vocab_size, tile)):
        count = min(tile, config.vocab_size - first)
        shape = (count, config.hidden_size, 1, 1)
        part = first if count < config.vocab_size else None
        weight = g.weight(config.head_weight, "fp32", shape, f"head_weight_{index}", part)
        g.output(f"logits_{index}", g.linear(x, weight), f"logits first={first}")
    return g


def tables(config: Config) -> dict[str, str | np.ndarray]:
    """What the host looks rows up in: a weight's name, or an array of one row a position."""
    exponents = np.arange(0, config.head_dim, 2, dtype=np.float64) / config.head_dim
    positions = np.arange(config.context, dtype=np.float64)
    angles = np.outer(positions, config.rope_theta**-exponents)
    return {
        "embedding": EMBEDDING,
        "rope_cos": np.cos(angles).astype(np.float32),
        "rope_sin": np.sin(angles).astype(np.float32),
    }


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Every tensor that a checkpoint of this config holds."""
    wide = config.num_attention_heads * config.head_dim
    narrow = config.num_key_value_heads * config.head_dim
    hidden, inner = config.hidden_size, config.intermediate_size
    found: dict[str, tuple[int, ...]] = {EMBEDDING: (config.vocab_size, hidden)}
    for layer in range(config.num_hidden_layers):
        found |= {
            f"model.layers.{layer}.{name}.weight": shape
            for name, shape in {
                "input_layernorm": (hidden,),
                "self_attn.q_proj": (wide, hidden),
                "self_attn.k_proj": (narrow, hidden),
                "self_attn.v_proj": (narrow, hidden),
                "self_attn.o_proj": (hidden, wide),
                "post_attention_layernorm": (hidden,),
                "mlp.gate_proj": (inner, hidden),
                "mlp.up_proj": (inner, hidden),
                "mlp.down_proj": (hidden, inner),
            }.items()
        }
    found["model.norm.weight"] = (hidden,)
    if not config.tie_word_embeddings:
        found["lm_head.weight"] = (config.vocab_size, hidden)
    return found


def rename(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Without the rotary frequencies that old checkpoints stored; the config gives them."""
    return {
        name: tensor for name, tensor in tensors.items() if not name.endswith("rotary_emb.inv_freq")
    }
