"""Llama in plain numpy, row by row, as llama2.c defines it; shares no code with the compiler.

Reads the legacy checkpoint itself: interleaved rotary pairs, tied head, fp32.
"""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path

import numpy as np


class ReferenceLlama:
    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        dim, hidden, layers, heads, key_heads, vocabulary, _ = struct.unpack("<7i", raw[:28])
        assert vocabulary > 0
        self.layers, self.heads, self.key_heads, self.size = layers, heads, key_heads, dim // heads
        keys = key_heads * self.size
        shapes = {
            "embedding": (vocabulary, dim),
            "attention_norm": (layers, dim),
            "wq": (layers, dim, dim),
            "wk": (layers, keys, dim),
            "wv": (layers, keys, dim),
            "wo": (layers, dim, dim),
            "mlp_norm": (layers, dim),
            "w1": (layers, hidden, dim),
            "w2": (layers, dim, hidden),
            "w3": (layers, hidden, dim),
            "norm": (dim,),
        }
        numbers = np.frombuffer(raw, "<f4", offset=28)
        self.w: dict[str, np.ndarray] = {}
        for name, shape in shapes.items():
            self.w[name], numbers = numbers[: prod(shape)].reshape(shape), numbers[prod(shape) :]

    def logits(self, ids: list[int]) -> np.ndarray:
        """[T, V] for all T positions at once."""
        w, count = self.w, len(ids)
        x = w["embedding"][ids]
        for layer in range(self.layers):
            h = norm(x, w["attention_norm"][layer])
            q = self.turn((h @ w["wq"][layer].T).reshape(count, self.heads, self.size))
            k = self.turn((h @ w["wk"][layer].T).reshape(count, self.key_heads, self.size))
            v = (h @ w["wv"][layer].T).reshape(count, self.key_heads, self.size)
            out = np.empty_like(q)
            for head in range(self.heads):
                kind = head // (self.heads // self.key_heads)
                for t in range(count):
                    score = k[: t + 1, kind] @ q[t, head] / np.sqrt(np.float32(self.size))
                    weight = np.exp(score - score.max())
                    out[t, head] = (weight / weight.sum()) @ v[: t + 1, kind]
            x = x + out.reshape(count, -1) @ w["wo"][layer].T
            h = norm(x, w["mlp_norm"][layer])
            gate, up = h @ w["w1"][layer].T, h @ w["w3"][layer].T
            x = x + (gate / (1 + np.exp(-gate)) * up) @ w["w2"][layer].T
        return norm(x, w["norm"]) @ w["embedding"].T

    def turn(self, x: np.ndarray) -> np.ndarray:
        """Each neighbouring pair of a head by position times its frequency."""
        positions = np.arange(len(x))[:, None]
        angles = positions / 10000.0 ** (np.arange(0, self.size, 2) / self.size)
        pairs = x.reshape(*x.shape[:-1], -1, 2)
        turned = (pairs[..., 0] + 1j * pairs[..., 1]) * np.exp(1j * angles)[:, None]
        return np.stack([turned.real, turned.imag], -1).reshape(x.shape).astype(np.float32)


def norm(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-5)) * weight
