"""What undoes a broadcast in a graph: the sum over the axes along which a value was repeated."""

from __future__ import annotations

from .graph import Graph, Value


def sum_to(g: Graph, value: Value, shape: tuple[int, ...]) -> Value:
    """`value` summed to `shape`, which broadcasts to its own; `value` itself where they agree."""
    if value.type.shape == shape:
        return value
    extra = value.type.rank - len(shape)
    padded = (1,) * extra + shape
    folded = tuple(i for i, n in enumerate(padded) if n == 1 and value.type.shape[i] != 1)
    if folded:
        value = g.reduce_sum(value, axes=folded)
    return value if extra == 0 else g.reshape(value, shape=shape)
