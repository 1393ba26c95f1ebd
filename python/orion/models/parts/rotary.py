"""What Llama and its descendants have in common: all but the block and what is peculiar to it.

Letters: C channels, D head size, H query heads, K key heads, S new positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import OrionError
from ...ir import Graph, Value
from . import rope
from .activation import ACTIVATIONS, NAMES
from .attention import Masks, read_masks
from .config import Key
from .decoder import read_stream, stack, write_logits
from .layers import linear, rms_norm
from .rope import Rope, Rotation, read_rope, read_rotation, rope_tables

EMBEDDING = "model.embed_tokens.weight"

USED = {
    "hidden_size": Key(int),
    "intermediate_size": Key(int),
    "num_hidden_layers": Key(int),
    "num_attention_heads": Key(int),
    "num_key_value_heads": Key(int, None),
    "vocab_size": Key(int),
    "max_position_embeddings": Key(int),
    "head_dim": Key(int, None),
    "rms_norm_eps": Key(float, 1e-6),
    "hidden_act": Key(NAMES, "silu"),
    "tie_word_embeddings": Key(bool, False),
    **rope.USED,
}
FIXED = rope.FIXED
# Of a config as small as its parts can still be told apart.
TINY: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 288,
    "max_position_embeddings": 128,
    "head_dim": 16,
    "tie_word_embeddings": True,
}


@dataclass(frozen=True)
class RotaryConfig:
    """Keys under the names that config.json gives them."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int
    max_position_embeddings: int
    head_dim: int
    rms_norm_eps: float = 1e-6
    hidden_act: str = "silu"
    tie_word_embeddings: bool = False
    rope: Rope = field(default_factory=Rope)

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

    @property
    def query_channels(self) -> int:
        return self.num_attention_heads * self.head_dim

    @property
    def key_channels(self) -> int:
        return self.num_key_value_heads * self.head_dim


def finish(family: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of `USED` keys as a config takes them: what was left out follows from the rest."""
    kept = {key: value for key, value in values.items() if key not in rope.USED}
    heads = kept["num_attention_heads"]
    kept["num_key_value_heads"] = kept["num_key_value_heads"] or heads
    if kept["head_dim"] is None:
        divide(family, "hidden_size", kept["hidden_size"], "num_attention_heads", heads)
        kept["head_dim"] = kept["hidden_size"] // heads
    divide(family, "num_attention_heads", heads, "num_key_value_heads", kept["num_key_value_heads"])
    divide(family, "head_dim", kept["head_dim"], "the two of a rotary pair", 2)
    return {**kept, "rope": read_rope(family, values)}


def divide(family: str, whole: str, a: int, part: str, b: int) -> None:
    if a % b:
        raise OrionError(f"config.json: {family} needs a {whole} that {part} divides; got {a}, {b}")


@dataclass(frozen=True)
class RotaryStep:
    """What every layer of a step reads beside its own input."""

    rotation: Rotation
    masks: Masks


def read_step(g: Graph, config: RotaryConfig, columns: int, cache: int) -> RotaryStep:
    rotation = read_rotation(g, config.head_dim, columns)
    return RotaryStep(rotation, read_masks(g, columns, cache))


Block = Callable[[Graph, Any, int, Value, RotaryStep], Value]


def build_layers(
    config: RotaryConfig, size: tuple[int, int], layers: Sequence[int] | None, block: Block
) -> Graph:
    """`size` is new columns and cached positions; `layers` are all of them when None."""
    columns, cache = size
    layers = range(config.layers) if layers is None else layers
    g = Graph(f"layers_s{columns}_l{cache}")
    x = read_stream(g, config.hidden_size, columns, layers)
    step = read_step(g, config, columns, cache)
    return stack(g, x, layers, lambda layer, x: block(g, config, layer, x, step))


def head(config: RotaryConfig, columns: int, tile: int) -> Graph:
    """Final norm and vocabulary scores, in tiles of at most `tile` tokens."""
    g = Graph("head")
    x = g.input("x", "fp32", (1, config.hidden_size, 1, columns), "hidden")
    x = rms_norm(g, x, "model.norm", config.rms_norm_eps, "norm")
    return write_logits(g, x, config.head_weight, config.vocab_size, tile)


def gated_mlp(
    g: Graph, config: RotaryConfig, prefix: str, x: Value, *, bias: bool = False
) -> Value:
    """down(activation(gate(x)) * up(x))"""
    gate = linear(g, x, f"{prefix}gate_proj", config.intermediate_size, "gate", bias=bias)
    up = linear(g, x, f"{prefix}up_proj", config.intermediate_size, "up", bias=bias)
    inner = g.mul(ACTIVATIONS[config.hidden_act](g, gate), up)
    return linear(g, inner, f"{prefix}down_proj", config.hidden_size, "down", bias=bias)


def tables(config: RotaryConfig) -> dict[str, str | np.ndarray]:
    """What the host looks rows up in: a weight's name, or an array of one row a position."""
    return {"embedding": EMBEDDING, **rope_tables(config.rope, config.head_dim, config.context)}


def layer_shapes(config: RotaryConfig) -> dict[str, tuple[int, ...]]:
    """The tensors that a layer of every family has."""
    hidden, inner = config.hidden_size, config.intermediate_size
    wide, narrow = config.query_channels, config.key_channels
    return {
        "input_layernorm.weight": (hidden,),
        "self_attn.q_proj.weight": (wide, hidden),
        "self_attn.k_proj.weight": (narrow, hidden),
        "self_attn.v_proj.weight": (narrow, hidden),
        "self_attn.o_proj.weight": (hidden, wide),
        "post_attention_layernorm.weight": (hidden,),
        "mlp.gate_proj.weight": (inner, hidden),
        "mlp.up_proj.weight": (inner, hidden),
        "mlp.down_proj.weight": (hidden, inner),
    }


def outer_shapes(config: RotaryConfig) -> dict[str, tuple[int, ...]]:
    """The tensors outside of the layers."""
    table = (config.vocab_size, config.hidden_size)
    head = {} if config.tie_word_embeddings else {"lm_head.weight": table}
    return {EMBEDDING: table, "model.norm.weight": (config.hidden_size,), **head}


def rename(config: RotaryConfig, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Without the rotary frequencies that old checkpoints store; the config gives them."""
    return {name: t for name, t in tensors.items() if not name.endswith("rotary_emb.inv_freq")}


def restore(config: RotaryConfig, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `rename`."""
    return dict(tensors)


def checkpoint_place(module: str) -> tuple[str, int, int]:
    """Every linear layer has a tensor of its own in a checkpoint."""
    return module, 0, 1
