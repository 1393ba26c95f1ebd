"""Sliding windows of attention: configs that use one are refused, for every layer here sees all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import OrionError
from .config import Key

# What the families' authors take where a config says nothing.
DEFAULT_WINDOW, DEFAULT_FIRST = 4096, 28

USED = {
    "use_sliding_window": Key(bool, False),
    "sliding_window": Key(int, DEFAULT_WINDOW),
    "max_window_layers": Key(int, DEFAULT_FIRST),
    "layer_types": Key(list, None),
}


def refuse_window(family: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without the keys of this file. OrionError when a window would be in use."""
    kinds, window = values["layer_types"], values["sliding_window"]
    others = sorted({str(kind) for kind in kinds or []} - {"full_attention"})
    if others:
        raise OrionError(
            f"config.json: {family} is supported with layer_types 'full_attention', not"
            f" {', '.join(map(repr, others))}"
        )
    narrow = values["use_sliding_window"] and window < values["max_position_embeddings"]
    first = values["max_window_layers"]
    if kinds is None and narrow and first < values["num_hidden_layers"]:
        raise OrionError(
            f"config.json: {family} is supported with use_sliding_window false, and here layers"
            f" from {first} on see {window} positions only"
        )
    return {key: value for key, value in values.items() if key not in USED}
