"""GPT-2: learned positions, layer norms, a bias everywhere, an MLP without gate; knows no device.

Activations are [1, C, 1, S]. Checkpoints hold linear weights as [in, out], and query, key and
value as one; `rename` takes views of them, [out, in] and apart, under the names used here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ir import Graph, Value
from .parts.activation import ACTIVATIONS, NAMES
from .parts.attention import Masks, attend, read_masks, split_heads
from .parts.config import Key, because, read_keys
from .parts.decoder import every_layer, is_first, read_stream, stack, write_logits
from .parts.layers import layer_norm, linear
from .parts.rotary import divide

# A checkpoint's linear weights are [in, out]: adapters' files say so.
WEIGHTS_TURNED = True
EMBEDDING = "transformer.wte.weight"
POSITIONS = "transformer.wpe.weight"

USED = {
    "vocab_size": Key(int),
    "n_positions": Key(int),
    "n_embd": Key(int),
    "n_layer": Key(int),
    "n_head": Key(int),
    "n_inner": Key(int, None),
    "activation_function": Key(NAMES, "gelu_new"),
    "layer_norm_epsilon": Key(float, 1e-5),
    "scale_attn_weights": Key(bool, True),
    "scale_attn_by_inverse_layer_idx": Key(bool, False),
    "tie_word_embeddings": Key(bool, True),
}
IGNORED = {
    **because("the same as n_positions", "n_ctx"),
    **because("scores are summed in fp32 in any case", "reorder_and_upcast_attn"),
}
FIXED: dict[str, tuple[Any, ...]] = {}


@dataclass(frozen=True)
class Config:
    """Keys under the names that config.json gives them."""

    vocab_size: int
    n_positions: int
    n_embd: int
    n_layer: int
    n_head: int
    n_inner: int
    activation_function: str = "gelu_new"
    layer_norm_epsilon: float = 1e-5
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False
    tie_word_embeddings: bool = True

    @property
    def context(self) -> int:
        return self.n_positions

    @property
    def layers(self) -> int:
        return self.n_layer

    @property
    def vocabulary(self) -> int:
        return self.vocab_size

    @property
    def head_weight(self) -> str:
        return EMBEDDING if self.tie_word_embeddings else "lm_head.weight"

    def attention_scale(self, layer: int) -> float:
        scale = (self.n_embd // self.n_head) ** -0.5 if self.scale_attn_weights else 1.0
        return scale / (layer + 1) if self.scale_attn_by_inverse_layer_idx else scale


TINY = Config(vocab_size=288, n_positions=128, n_embd=64, n_layer=2, n_head=4, n_inner=256)


def read_config(config: Mapping[str, Any]) -> Config:
    """OrionError when a key that changes the numbers has a value that is not supported."""
    values = read_keys("gpt2", config, USED, IGNORED, FIXED)
    divide("gpt2", "n_embd", values["n_embd"], "n_head", values["n_head"])
    values["n_inner"] = values["n_inner"] or 4 * values["n_embd"]
    return Config(**values)


def build(config: Config, columns: int, cache: int, layers: Sequence[int] | None = None) -> Graph:
    """`columns` new positions over `cache` earlier ones, through `layers` (by default all)."""
    layers = range(config.layers) if layers is None else layers
    g = Graph(f"layers_s{columns}_l{cache}")
    x = read_stream(g, config.n_embd, columns, layers)
    if is_first(layers):
        role = "position_table table=positions"
        x = g.add(x, g.input("positions", "fp32", x.type.shape, role))
    masks = read_masks(g, columns, cache)
    return stack(g, x, layers, lambda i, x: block(g, config, i, x, masks))


def block(g: Graph, config: Config, layer: int, x: Value, masks: Masks) -> Value:
    prefix, epsilon = f"transformer.h.{layer}.", config.layer_norm_epsilon
    normed = layer_norm(g, x, f"{prefix}ln_1", epsilon, "attention_norm")
    x = g.add(x, attention(g, config, layer, normed, masks))
    normed = layer_norm(g, x, f"{prefix}ln_2", epsilon, "mlp_norm")
    return g.add(x, mlp(g, config, f"{prefix}mlp.", normed))


def attention(g: Graph, config: Config, layer: int, x: Value, masks: Masks) -> Value:
    prefix = f"transformer.h.{layer}.attn."
    query, key, value = (
        split_heads(
            g,
            linear(g, x, f"{prefix}{name}", config.n_embd, name, bias=True),
            config.n_embd // config.n_head,
        )
        for name in ("query", "key", "value")
    )
    mixed = attend(g, layer, query, key, value, masks=masks, scale=config.attention_scale(layer))
    return linear(g, mixed, f"{prefix}out", config.n_embd, "attention_out", bias=True)


def mlp(g: Graph, config: Config, prefix: str, x: Value) -> Value:
    inner = linear(g, x, f"{prefix}up", config.n_inner, "up", bias=True)
    inner = ACTIVATIONS[config.activation_function](g, inner)
    return linear(g, inner, f"{prefix}down", config.n_embd, "down", bias=True)


def head(config: Config, columns: int, tile: int) -> Graph:
    """Final norm and vocabulary scores, in tiles of at most `tile` tokens."""
    g = Graph("head")
    x = g.input("x", "fp32", (1, config.n_embd, 1, columns), "hidden")
    x = layer_norm(g, x, "transformer.ln_f", config.layer_norm_epsilon, "norm")
    return write_logits(g, x, config.head_weight, config.vocab_size, tile)


def tables(config: Config) -> dict[str, str | np.ndarray]:
    """What the host looks rows up in: names of weights."""
    return {"embedding": EMBEDDING, "positions": POSITIONS}


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Every tensor of this config, as `rename` gives them."""
    channels, inner = config.n_embd, config.n_inner
    outer = {
        EMBEDDING: (config.vocab_size, channels),
        POSITIONS: (config.n_positions, channels),
        "transformer.ln_f.weight": (channels,),
        "transformer.ln_f.bias": (channels,),
    }
    if not config.tie_word_embeddings:
        outer["lm_head.weight"] = (config.vocab_size, channels)
    linears = {
        **{f"attn.{name}": (channels, channels) for name in ("query", "key", "value", "out")},
        "mlp.up": (inner, channels),
        "mlp.down": (channels, inner),
    }
    layer: dict[str, tuple[int, ...]] = {}
    for norm in ("ln_1", "ln_2"):
        layer |= {f"{norm}.weight": (channels,), f"{norm}.bias": (channels,)}
    for name, shape in linears.items():
        layer |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return {**outer, **every_layer("transformer.h.", config.layers, layer)}


# linear layer of a checkpoint: the layers here that it holds side by side
LINEARS = {
    "attn.c_attn": ("attn.query", "attn.key", "attn.value"),
    "attn.c_proj": ("attn.out",),
    "mlp.c_fc": ("mlp.up",),
    "mlp.c_proj": ("mlp.down",),
}
# The causal mask, which old checkpoints store.
BUFFERS = (".attn.bias", ".attn.masked_bias")


def rename(config: Config, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Views under the names used here; names come with or without `transformer.`."""
    renamed: dict[str, Any] = {}
    for given, tensor in tensors.items():
        outside = given.startswith(("transformer.", "lm_head."))
        name = given if outside else f"transformer.{given}"
        if name.endswith(BUFFERS):
            continue
        prefix, old, part = split_name(name)
        parts = LINEARS.get(old)
        if parts is None or len(tensor) == 0:
            renamed[name] = tensor
            continue
        turned = tensor.T if part == "weight" and len(tensor.shape) == 2 else tensor
        rows = turned.shape[0] // len(parts)
        for index, new in enumerate(parts):
            last = (index + 1) * rows if index + 1 < len(parts) else turned.shape[0]
            view = turned if len(parts) == 1 else turned[index * rows : last]
            renamed[f"{prefix}{new}.{part}"] = view
    return renamed


def restore(config: Config, tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The inverse of `rename`: a checkpoint's own names and shapes."""
    olds = {new: (old, i) for old, news in LINEARS.items() for i, new in enumerate(news)}
    restored: dict[str, Any] = {}
    for name, tensor in tensors.items():
        prefix, new, part = split_name(name)
        if new not in olds:
            restored[name] = tensor
            continue
        old, index = olds[new]
        if index == 0:
            pieces = [np.asarray(tensors[f"{prefix}{n}.{part}"]) for n in LINEARS[old]]
            joined = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
            restored[f"{prefix}{old}.{part}"] = joined.T
    return restored


def checkpoint_place(module: str) -> tuple[str, int, int]:
    """The linear layer of a checkpoint that holds the layer `module`: its name, which of the layers
    side by side in it this is, and how many they are.
    """
    prefix, new, _ = split_name(f"{module}.weight")
    for old, news in LINEARS.items():
        if new in news:
            return prefix + old, news.index(new), len(news)
    return module, 0, 1


def split_name(name: str) -> tuple[str, str, str]:
    """`transformer.h.0.` `attn.c_attn` `weight`; other names have no middle."""
    pieces = name.split(".")
    if len(pieces) != 6 or pieces[1] != "h":
        return name, "", ""
    return ".".join(pieces[:3]) + ".", ".".join(pieces[3:5]), pieces[5]
