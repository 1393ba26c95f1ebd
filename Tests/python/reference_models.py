"""Decoders in plain numpy, row by row in float64, as their authors define them.

Shares no code with the compiler. Reads config.json's keys and a checkpoint's tensors as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Array = np.ndarray


def erf_gelu(x: Array) -> Array:
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def tanh_gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": erf_gelu,
    "gelu_python": erf_gelu,
    "gelu_10": lambda x: np.clip(erf_gelu(x), -10, 10),
    "gelu_new": tanh_gelu,
    "gelu_fast": lambda x: 0.5 * x * (1 + np.tanh(x * 0.7978845608 * (1 + 0.044715 * x * x))),
    "gelu_accurate": tanh_gelu,
    "gelu_pytorch_tanh": tanh_gelu,
    "gelu_python_tanh": tanh_gelu,
    "quick_gelu": lambda x: x * sigmoid(1.702 * x),
    "silu": lambda x: x * sigmoid(x),
    "swish": lambda x: x * sigmoid(x),
    "relu": lambda x: np.maximum(x, 0),
    "relu2": lambda x: np.maximum(x, 0) ** 2,
    "relu6": lambda x: np.clip(x, 0, 6),
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "linear": lambda x: x,
}


def logits(config: Mapping[str, Any], tensors: Mapping[str, Array], ids: list[int]) -> Array:
    """[T, V] for all T positions at once."""
    wide = {name: np.asarray(tensor, np.float64) for name, tensor in tensors.items()}
    return (gpt2 if config["model_type"] == "gpt2" else rotary)(config, wide, ids)


def attend(q: Array, k: Array, v: Array, scale: float) -> Array:
    """q [T, H, D], k and v [T, K, D] to [T, H * D]; column t sees rows up to t."""
    count, heads, _ = q.shape
    out = np.empty_like(q)
    for head in range(heads):
        kind = head // (heads // k.shape[1])
        for t in range(count):
            score = k[: t + 1, kind] @ q[t, head] * scale
            weight = np.exp(score - score.max())
            out[t, head] = (weight / weight.sum()) @ v[: t + 1, kind]
    return out.reshape(count, -1)


def rms(x: Array, weight: Array, epsilon: float) -> Array:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight


def rotary(config: Mapping[str, Any], w: Mapping[str, Array], ids: list[int]) -> Array:
    heads = config["num_attention_heads"]
    key_heads = config.get("num_key_value_heads") or heads
    size = config.get("head_dim") or config["hidden_size"] // heads
    epsilon = config.get("rms_norm_eps", 1e-6)
    act = ACTIVATIONS[config.get("hidden_act", "silu")]

    def linear(x: Array, name: str) -> Array:
        bias = w.get(f"{name}.bias")
        return x @ w[f"{name}.weight"].T + (0 if bias is None else bias)

    def heads_of(x: Array, name: str, count: int) -> Array:
        y = linear(x, f"{layer}self_attn.{name}_proj").reshape(len(x), count, size)
        norm = w.get(f"{layer}self_attn.{name}_norm.weight")
        return y if norm is None else rms(y, norm, epsilon)

    angles = np.arange(len(ids))[:, None] * frequencies(config, size)
    x = w["model.embed_tokens.weight"][ids]
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        h = rms(x, w[f"{layer}input_layernorm.weight"], epsilon)
        q, k = turn(heads_of(h, "q", heads), angles), turn(heads_of(h, "k", key_heads), angles)
        mixed = attend(q, k, heads_of(h, "v", key_heads), 1 / math.sqrt(size))
        x = x + linear(mixed, f"{layer}self_attn.o_proj")
        h = rms(x, w[f"{layer}post_attention_layernorm.weight"], epsilon)
        inner = act(linear(h, f"{layer}mlp.gate_proj")) * linear(h, f"{layer}mlp.up_proj")
        x = x + linear(inner, f"{layer}mlp.down_proj")
    head = w["model.embed_tokens.weight" if config.get("tie_word_embeddings") else "lm_head.weight"]
    return rms(x, w["model.norm.weight"], epsilon) @ head.T


def turn(x: Array, angles: Array) -> Array:
    """Elements i and i + D/2 of every head, as a complex number times exp(i angle)."""
    half = x.shape[-1] // 2
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angles)[:, None]
    return np.concatenate([turned.real, turned.imag], -1)


def frequencies(config: Mapping[str, Any], size: int) -> Array:
    given = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = given.get("rope_theta") or config.get("rope_theta") or 10000.0
    kind = given.get("rope_type") or given.get("type") or "default"
    found = []
    for pair in range(size // 2):
        frequency = theta ** (-2 * pair / size)
        if kind == "linear":
            frequency /= given["factor"]
        if kind == "llama3":
            frequency = llama3(frequency, given)
        found.append(frequency)
    return np.array(found)


def llama3(frequency: float, given: Mapping[str, Any]) -> float:
    context = given["original_max_position_embeddings"]
    low, high = given["low_freq_factor"], given["high_freq_factor"]
    wavelength = 2 * math.pi / frequency
    if wavelength < context / high:
        return frequency
    if wavelength > context / low:
        return frequency / given["factor"]
    smooth = (context / wavelength - low) / (high - low)
    return (1 - smooth) * frequency / given["factor"] + smooth * frequency


def gpt2(config: Mapping[str, Any], w: Mapping[str, Array], ids: list[int]) -> Array:
    w = {name.removeprefix("transformer."): tensor for name, tensor in w.items()}
    heads, channels = config["n_head"], config["n_embd"]
    epsilon = config.get("layer_norm_epsilon", 1e-5)
    act = ACTIVATIONS[config.get("activation_function", "gelu_new")]

    def norm(x: Array, name: str) -> Array:
        x = x - x.mean(-1, keepdims=True)
        return (
            x / np.sqrt(x.var(-1, keepdims=True) + epsilon) * w[f"{name}.weight"]
            + (w[f"{name}.bias"])
        )

    def conv1d(x: Array, name: str) -> Array:
        return x @ w[f"{name}.weight"] + w[f"{name}.bias"]

    x = w["wte.weight"][ids] + w["wpe.weight"][: len(ids)]
    for i in range(config["n_layer"]):
        layer = f"h.{i}."
        fused = conv1d(norm(x, f"{layer}ln_1"), f"{layer}attn.c_attn")
        q, k, v = (part.reshape(len(ids), heads, -1) for part in np.split(fused, 3, axis=-1))
        scale = 1 / math.sqrt(channels // heads) if config.get("scale_attn_weights", True) else 1.0
        if config.get("scale_attn_by_inverse_layer_idx"):
            scale /= i + 1
        x = x + conv1d(attend(q, k, v, scale), f"{layer}attn.c_proj")
        h = act(conv1d(norm(x, f"{layer}ln_2"), f"{layer}mlp.c_fc"))
        x = x + conv1d(h, f"{layer}mlp.c_proj")
    tied = config.get("tie_word_embeddings", True)
    return norm(x, "ln_f") @ w["wte.weight" if tied else "lm_head.weight"].T
