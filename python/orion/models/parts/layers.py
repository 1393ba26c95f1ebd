"""Layers with weights of their own: linear, RMS norm, layer norm. Names are the checkpoint's."""

from __future__ import annotations

from ...ir import Graph, Value


def linear(g: Graph, x: Value, key: str, out: int, name: str, *, bias: bool = False) -> Value:
    """`key`.weight [out, in] times x, and `key`.bias added when there is one."""
    shape = (out, x.type.shape[1], 1, 1)
    weight = g.weight(f"{key}.weight", "fp32", shape, f"{name}_weight")
    if not bias:
        return g.linear(x, weight, name=name)
    product = g.linear(x, weight, name=f"{name}_product")
    return g.add(product, vector(g, product, f"{key}.bias", f"{name}_bias"), name=name)


def rms_norm(g: Graph, x: Value, key: str, epsilon: float, name: str, *, axis: int = 1) -> Value:
    weight = vector(g, x, f"{key}.weight", f"{name}_weight", axis)
    return g.rms_norm(x, weight, axis=axis, epsilon=epsilon, name=name)


def layer_norm(g: Graph, x: Value, key: str, epsilon: float, name: str) -> Value:
    weight, bias = (vector(g, x, f"{key}.{part}", f"{name}_{part}") for part in ("weight", "bias"))
    return g.layer_norm(x, weight, bias, axis=1, epsilon=epsilon, name=name)


def vector(g: Graph, x: Value, key: str, name: str, axis: int = 1) -> Value:
    """A weight of one axis, as it meets `axis` of x."""
    shape = tuple(length if i == axis else 1 for i, length in enumerate(x.type.shape))
    return g.weight(key, "fp32", shape, name)
