"""Attention over cached and new positions, and the ports it needs: masks, caches, new rows.

Letters: D head size, H query heads, K key heads, G = H / K, S new positions, L cached ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Graph, Value


@dataclass(frozen=True)
class Masks:
    """Which positions a column may see, as something to add to the scores."""

    new: Value  # [1, 1, S, S]
    cache: Value | None  # [1, 1, S, L]


def read_masks(g: Graph, columns: int, cache: int) -> Masks:
    new = g.input("mask_new", "fp32", (1, 1, columns, columns), "mask over=new")
    if cache == 0:
        return Masks(new, None)
    return Masks(new, g.input("mask_cache", "fp32", (1, 1, columns, cache), "mask over=cache"))


def split_heads(g: Graph, x: Value, size: int) -> Value:
    """[1, H*D, 1, S] as [1, H, D, S]."""
    _, channels, _, columns = x.type.shape
    return g.reshape(x, shape=(1, channels // size, size, columns))


def join_heads(g: Graph, x: Value) -> Value:
    """[1, H, D, S] or [K, G, D, S] as [1, H*D, 1, S]."""
    columns = x.type.shape[-1]
    return g.reshape(x, shape=(1, x.type.size // columns, 1, columns))


def attend(
    g: Graph, layer: int, query: Value, key: Value, value: Value, *, masks: Masks, scale: float
) -> Value:
    """query [1, H, D, S], key and value [1, K, D, S] to [1, H*D, 1, S].

    Every key head serves G query heads. The new keys and values go out, for the host to keep.
    """
    _, heads, size, columns = query.type.shape
    key_heads = key.type.shape[1]
    g.output(f"k_new_{layer}", join_heads(g, key), f"new_key layer={layer} axis=3")
    g.output(f"v_new_{layer}", join_heads(g, value), f"new_value layer={layer} axis=3")

    segments = []
    if masks.cache is not None:
        length = masks.cache.type.shape[-1]
        for kind, short in (("key", "k"), ("value", "v")):
            role = f"{kind}_cache layer={layer} axis=3"
            shape = (1, key_heads * size, 1, length)
            cached = g.input(f"{short}_cache_{layer}", "fp32", shape, role)
            segments.append(g.reshape(cached, shape=(key_heads, 1, size, length)))
        segments.append(masks.cache)
    new_shape = (key_heads, 1, size, columns)
    segments += [g.reshape(key, shape=new_shape), g.reshape(value, shape=new_shape), masks.new]

    query = g.reshape(query, shape=(key_heads, heads // key_heads, size, columns))
    return join_heads(g, g.attention(query, segments, scale=scale))
