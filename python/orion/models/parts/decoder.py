"""What all decoders share: the stack of blocks, the head over the vocabulary, names of tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...ir import Graph, Value


def is_first(layers: Sequence[int]) -> bool:
    """No layers at all are what comes before the first."""
    return not layers or layers[0] == 0


def read_stream(g: Graph, channels: int, columns: int, layers: Sequence[int]) -> Value:
    """What the layers take in, [1, C, 1, S]: token embeddings, or what the layers before gave."""
    role = "embedding table=embedding" if is_first(layers) else "hidden"
    return g.input("x", "fp32", (1, channels, 1, columns), role)


def stack(g: Graph, x: Value, layers: Sequence[int], block: Callable[[int, Value], Value]) -> Graph:
    """`x` through the block of every layer, and out."""
    for layer in layers:
        with g.scope(f"l{layer}"):
            x = block(layer, x)
    g.output("hidden", x, "hidden")
    return g


def write_logits(g: Graph, x: Value, weight: str, vocabulary: int, tile: int) -> Graph:
    """Scores of all tokens, in tiles of at most `tile` of them."""
    channels = x.type.shape[1]
    for index, first in enumerate(range(0, vocabulary, tile)):
        count = min(tile, vocabulary - first)
        part = first if count < vocabulary else None
        shape = (count, channels, 1, 1)
        rows = g.weight(weight, "fp32", shape, f"head_weight_{index}", part)
        g.output(f"logits_{index}", g.linear(x, rows), f"logits first={first}")
    return g


def every_layer(
    prefix: str, count: int, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """The tensors of one layer, for all layers: `prefix` 0 `.name`."""
    return {
        f"{prefix}{layer}.{name}": shape for layer in range(count) for name, shape in shapes.items()
    }
