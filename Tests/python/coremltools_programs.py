"""Programs built with coremltools' own builder, each with what numpy makes of it. Runs nothing.

A program is a function of coremltools and its builder that returns the program; its meaning takes
the inputs by name. Everything is imported where it is used: importing coremltools is slow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from op_rows_convolutions import conv as np_conv
from op_rows_convolutions import conv_transpose as np_conv_transpose
from op_rows_sequences import lstm as np_lstm

Array = np.ndarray
Inputs = dict[str, Array]


@dataclass(frozen=True)
class Example:
    """A program, how it is compressed, and what it gives."""

    name: str
    build: Callable[[Any], Any]
    inputs: dict[str, tuple[int, ...]]
    meaning: Callable[[Inputs], list[Array]]
    target: str = "iOS18"
    # Relative to the largest result.
    bound: float = 1e-5


EXAMPLES: list[Example] = []


def example(inputs: dict[str, tuple[int, ...]], **options: Any) -> Callable[..., Any]:
    """Collects a pair of functions: one returns the builder's program, one numpy's meaning."""

    def take(maker: Callable[[], tuple[Callable[..., Any], Callable[..., Any]]]) -> Any:
        build, meaning = maker()
        EXAMPLES.append(Example(maker.__name__, build, inputs, meaning, **options))
        return maker

    return take


def weights(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def layer_norm(x: Array, gamma: Array, beta: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * gamma + beta)


IMAGE = {"x": (1, 3, 12, 12)}


@example(IMAGE, target="iOS15")
def conv_net() -> Any:
    w1, b1, w2 = weights(1, 8, 3, 3, 3), weights(2, 8), weights(3, 4, 8, 3, 3)

    def build(mb: Any) -> Any:
        def program(x: Any) -> Any:
            y = mb.relu(x=mb.conv(x=x, weight=w1, bias=b1, pad_type="same", strides=[2, 2]))
            y = mb.conv(x=y, weight=w2, pad_type="custom", pad=[1, 0, 0, 1])
            return mb.reduce_mean(x=mb.sigmoid(x=y), axes=[2, 3], keep_dims=False)

        return program

    def meaning(given: Inputs) -> list[Array]:
        y = relu(np_conv(given["x"], weight=w1, bias=b1, pad_type="same", strides=[2, 2]))
        y = np_conv(y, weight=w2, pad_type="custom", pad=[1, 0, 0, 1])
        return [sigmoid(y).mean((2, 3))]

    return build, meaning


@example(IMAGE, target="iOS16")
def separable_convolutions() -> Any:
    depth, point = weights(4, 6, 1, 3, 3), weights(5, 5, 6, 1, 1)

    def build(mb: Any) -> Any:
        def program(x: Any) -> Any:
            y = mb.concat(values=(x, mb.square(x=x)), axis=1)
            y = mb.conv(x=y, weight=depth, groups=6, dilations=[2, 2])
            return mb.conv(x=y, weight=point)

        return program

    def meaning(given: Inputs) -> list[Array]:
        y = np.concatenate([given["x"], given["x"] ** 2], 1)
        return [np_conv(np_conv(y, weight=depth, groups=6, dilations=[2, 2]), weight=point)]

    return build, meaning


@example({"x": (2, 4, 5, 6)}, target="iOS17")
def decoder() -> Any:
    w, b = weights(6, 4, 3, 4, 4), weights(7, 3)

    def build(mb: Any) -> Any:
        def program(x: Any) -> Any:
            y = mb.conv_transpose(
                x=x, weight=w, bias=b, strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]
            )
            return mb.upsample_nearest_neighbor(
                x=mb.tanh(x=y), scale_factor_height=2, scale_factor_width=3
            )

        return program

    def meaning(given: Inputs) -> list[Array]:
        y = np_conv_transpose(
            given["x"], weight=w, bias=b, strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]
        )
        return [np.tanh(y).repeat(2, 2).repeat(3, 3)]

    return build, meaning


def block_parts() -> dict[str, Array]:
    shapes = {"q": (16, 16), "k": (16, 16), "v": (16, 16), "o": (16, 16)}
    shapes |= {"up": (32, 16), "down": (16, 32)}
    return {name: weights(i + 10, *shape) for i, (name, shape) in enumerate(shapes.items())}


def np_block(x: Array, p: dict[str, Array]) -> Array:
    ones, zeros = np.ones(16), np.zeros(16)
    y = layer_norm(x, ones, zeros)
    q, k, v = (
        (y @ p[name].T).reshape(1, -1, 4, 4).transpose(0, 2, 1, 3) for name in ("q", "k", "v")
    )
    scores = q @ k.transpose(0, 1, 3, 2) * 0.5 + np.triu(np.full((len(x[0]), len(x[0])), -1e4), 1)
    mixed = (softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(x.shape)
    x = x + mixed @ p["o"].T
    z = layer_norm(x, ones, zeros) @ p["up"].T
    return np.asarray(x + (z * sigmoid(z)) @ p["down"].T)


def build_block(mb: Any) -> Any:
    p = block_parts()
    ones, zeros = np.ones(16, np.float32), np.zeros(16, np.float32)
    mask = np.triu(np.full((8, 8), -1e4, np.float32), 1)

    def program(x: Any) -> Any:
        y = mb.layer_norm(x=x, axes=[-1], gamma=ones, beta=zeros)
        heads = []
        for name in ("q", "k", "v"):
            part = mb.reshape(x=mb.linear(x=y, weight=p[name]), shape=[1, 8, 4, 4])
            heads.append(mb.transpose(x=part, perm=[0, 2, 1, 3]))
        scores = mb.matmul(x=heads[0], y=heads[1], transpose_y=True)
        scores = mb.add(x=mb.mul(x=scores, y=np.float32(0.5)), y=mask)
        mixed = mb.matmul(x=mb.softmax(x=scores, axis=-1), y=heads[2])
        mixed = mb.reshape(x=mb.transpose(x=mixed, perm=[0, 2, 1, 3]), shape=[1, 8, 16])
        z = mb.add(x=x, y=mb.linear(x=mixed, weight=p["o"]))
        up = mb.linear(x=mb.layer_norm(x=z, axes=[-1], gamma=ones, beta=zeros), weight=p["up"])
        return mb.add(x=z, y=mb.linear(x=mb.silu(x=up), weight=p["down"]))

    return program


TOKENS = {"x": (1, 8, 16)}


@example(TOKENS, target="iOS17", bound=1e-5)
def transformer_block() -> Any:
    return build_block, lambda given: [np_block(given["x"], block_parts())]


@example({"q": (1, 2, 5, 8), "k": (1, 2, 7, 8), "v": (1, 2, 7, 8)})
def fused_attention() -> Any:
    def build(mb: Any) -> Any:
        return lambda q, k, v: mb.scaled_dot_product_attention(query=q, key=k, value=v)

    def meaning(given: Inputs) -> list[Array]:
        scores = given["q"] @ given["k"].transpose(0, 1, 3, 2) / np.sqrt(8)
        return [softmax(scores) @ given["v"]]

    return build, meaning


@example({"x": (5, 2, 6)}, target="iOS15")
def lstm_both_ways() -> Any:
    names = ("weight_ih", "weight_hh", "bias", "weight_ih_back", "weight_hh_back", "bias_back")
    shapes = [(16, 6), (16, 4), (16,)] * 2
    w = {name: weights(20 + i, *shapes[i]) for i, name in enumerate(names)}
    w |= {"initial_h": np.zeros((2, 8), np.float32), "initial_c": np.zeros((2, 8), np.float32)}
    how = {"direction": "bidirectional", "output_sequence": True}

    def build(mb: Any) -> Any:
        return lambda x: mb.lstm(x=x, **w, **how)

    return build, lambda given: np_lstm(given["x"], **w, **how)
