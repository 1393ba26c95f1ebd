"""A training step of a Llama in JAX, compiled as one program, whenever a line comes in.

Arguments: layers, channels, hidden, heads, vocabulary, sequence, batch. Sums and optimizer in fp32;
the buffers of weights and moments are given away, so that they are updated in place.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import jax  # type: ignore[import-not-found, unused-ignore]
import jax.numpy as jnp  # type: ignore[import-not-found, unused-ignore]
import numpy as np

LAYERS, CHANNELS, HIDDEN, HEADS, VOCABULARY, SEQUENCE, BATCH = (int(each) for each in sys.argv[1:8])
WIDTH = CHANNELS // HEADS
RATE, BETA1, BETA2, EPSILON, DECAY = 1e-4, 0.9, 0.999, 1e-8, 0.01


def fresh() -> dict[str, Any]:
    random = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> Any:
        return jnp.asarray(random.standard_normal((rows, columns), np.float32) * 0.02)

    def layer() -> dict[str, Any]:
        found = {name: matrix(CHANNELS, CHANNELS) for name in "qkvo"}
        found |= {"gate": matrix(CHANNELS, HIDDEN), "up": matrix(CHANNELS, HIDDEN)}
        found |= {"down": matrix(HIDDEN, CHANNELS)}
        return found | {"norm1": jnp.ones(CHANNELS), "norm2": jnp.ones(CHANNELS)}

    layers = [layer() for _ in range(LAYERS)]
    return {
        "embedding": matrix(VOCABULARY, CHANNELS),
        "layers": layers,
        "norm": jnp.ones(CHANNELS),
    }


ANGLES = np.arange(SEQUENCE)[:, None] / 10000 ** (np.arange(0, WIDTH, 2) / WIDTH)
COS, SIN = np.cos(ANGLES).astype(np.float32), np.sin(ANGLES).astype(np.float32)
CAUSAL = np.tril(np.ones((SEQUENCE, SEQUENCE), bool))


def norm(x: Any, weight: Any) -> Any:
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-5) * weight


def turned(x: Any) -> Any:
    """Rotary positions on [batch, heads, sequence, width]."""
    a, b = jnp.split(x, 2, -1)
    return jnp.concatenate([a * COS - b * SIN, a * SIN + b * COS], -1)


def block(x: Any, w: dict[str, Any]) -> Any:
    h = norm(x, w["norm1"])
    q, k, v = (
        (h @ w[name]).reshape(-1, SEQUENCE, HEADS, WIDTH).transpose(0, 2, 1, 3) for name in "qkv"
    )
    scores = turned(q) @ turned(k).transpose(0, 1, 3, 2) / np.sqrt(WIDTH).astype(np.float32)
    weights = jax.nn.softmax(jnp.where(CAUSAL, scores, -1e9), -1)
    x += (weights @ v).transpose(0, 2, 1, 3).reshape(x.shape) @ w["o"]
    h = norm(x, w["norm2"])
    return x + (jax.nn.silu(h @ w["gate"]) * (h @ w["up"])) @ w["down"]


def loss(weights: dict[str, Any], ids: Any, targets: Any) -> Any:
    x = weights["embedding"][ids]
    for layer in weights["layers"]:
        x = block(x, layer)
    logits = norm(x, weights["norm"]) @ weights["embedding"].T
    chosen = jnp.take_along_axis(logits, targets[..., None], -1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(logits, -1) - chosen)


def step(state: Any, count: Any, ids: Any, targets: Any) -> Any:
    weights, first, second = state
    value, slopes = jax.value_and_grad(loss)(weights, ids, targets)
    each = jax.tree_util.tree_map
    first = each(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, slopes)
    second = each(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, slopes)

    def moved(w: Any, m: Any, v: Any) -> Any:
        root = jnp.sqrt(v / (1 - BETA2**count)) + EPSILON
        return w * (1 - RATE * DECAY) - RATE * (m / (1 - BETA1**count)) / root

    return (each(moved, weights, first, second), first, second), value


def main() -> None:
    weights = fresh()
    state = (weights, *(jax.tree_util.tree_map(jnp.zeros_like, weights) for _ in range(2)))
    run = jax.jit(step, donate_argnums=0)
    random = np.random.default_rng(0)
    for count, _ in enumerate(sys.stdin, 1):
        rows = random.integers(0, VOCABULARY, (BATCH, SEQUENCE + 1))
        begun = time.perf_counter()
        state, value = run(state, jnp.float32(count), rows[:, :-1], rows[:, 1:])
        found = {"loss": float(value), "step_s": time.perf_counter() - begun}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found["peak_bytes"] = peak * (1 if sys.platform == "darwin" else 1024)
        print(json.dumps(found), flush=True)


main()
