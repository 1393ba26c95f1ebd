"""Activation functions by the names that configs give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...ir import Graph, Value

Activation = Callable[[Graph, Value], Value]


def gelu(g: Graph, x: Value) -> Value:
    return g.gelu(x)


def tanh_gelu(g: Graph, x: Value) -> Value:
    return g.gelu(x, mode="TANH_APPROXIMATION")


def quick_gelu(g: Graph, x: Value) -> Value:
    return g.mul(x, g.sigmoid(g.mul(x, 1.702)))


def silu(g: Graph, x: Value) -> Value:
    return g.silu(x)


ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": gelu,
    "gelu_python": gelu,
    "gelu_10": lambda g, x: g.clip(g.gelu(x), low=-10.0, high=10.0),
    "gelu_new": tanh_gelu,
    "gelu_fast": tanh_gelu,
    "gelu_accurate": tanh_gelu,
    "gelu_pytorch_tanh": tanh_gelu,
    "gelu_python_tanh": tanh_gelu,
    "quick_gelu": quick_gelu,
    "silu": silu,
    "swish": silu,
    "relu": lambda g, x: g.relu(x),
    "relu2": lambda g, x: g.square(g.relu(x)),
    "relu6": lambda g, x: g.clip(x, low=0.0, high=6.0),
    "sigmoid": lambda g, x: g.sigmoid(x),
    "tanh": lambda g, x: g.tanh(x),
    "linear": lambda g, x: x,
}
NAMES = tuple(ACTIVATIONS)
