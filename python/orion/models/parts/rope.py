"""Rotary positions: what a config says of them, the tables, and the turning of heads.

Letters: D head size, S new positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import OrionError
from ...ir import Graph, Value
from .config import Key, read_keys

DEFAULT_THETA = 10000.0

# kind of scaling: the keys it has beside its own name and rope_theta
KINDS: dict[str, dict[str, Key]] = {
    "default": {},
    "linear": {"factor": Key(float)},
    "llama3": {
        "factor": Key(float),
        "low_freq_factor": Key(float),
        "high_freq_factor": Key(float),
        "original_max_position_embeddings": Key(int),
    },
}
# kind of scaling: keys that it may carry and does not read
UNREAD: dict[str, dict[str, str]] = {
    "default": {},
    "linear": {"original_max_position_embeddings": "every wave is stretched alike"},
    "llama3": {},
}
# The keys of a config that `read_rope` reads.
USED = {
    "rope_theta": Key(float, None),
    "rope_scaling": Key(dict, None),
    "rope_parameters": Key(dict, None),
}
FIXED = {
    "rope_interleaved": (False,),
    "partial_rotary_factor": (1, 1.0),
}


@dataclass(frozen=True)
class Rope:
    theta: float = DEFAULT_THETA
    kind: str = "default"
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_max_position_embeddings: int = 8192

    def frequencies(self, size: int) -> np.ndarray:
        """Radians a position, for each of the D/2 pairs of a head."""
        plain = self.theta ** -(np.arange(0, size, 2, dtype=np.float64) / size)
        if self.kind == "linear":
            return plain / self.factor
        if self.kind == "llama3":
            return self.llama3(plain)
        return plain

    def llama3(self, plain: np.ndarray) -> np.ndarray:
        """Long waves are stretched by the factor, short ones stay, between them it is blended."""
        turns = self.original_max_position_embeddings * plain / (2 * np.pi)
        low, high = self.low_freq_factor, self.high_freq_factor
        kept = np.clip((turns - low) / (high - low), 0, 1)
        return kept * plain + (1 - kept) * plain / self.factor


def read_rope(family: str, values: Mapping[str, Any]) -> Rope:
    """From `rope_parameters`, or `rope_theta` and `rope_scaling`, or both when they agree."""
    theta = values["rope_theta"]
    found = [
        read_section(family, key, values[key], theta)
        for key in ("rope_parameters", "rope_scaling")
        if values[key] is not None
    ]
    if not found:
        return Rope(theta or DEFAULT_THETA)
    if found[0] != found[-1]:
        raise OrionError(
            "config.json: rope_parameters and rope_scaling disagree; remove the one that is wrong"
        )
    return found[0]


def read_section(family: str, name: str, section: Mapping[str, Any], theta: float | None) -> Rope:
    kind = section.get("rope_type", section.get("type", "default"))
    if kind not in KINDS:
        raise OrionError(
            f"config.json: {name} of the type {kind!r} is not supported;"
            f" supported: {', '.join(KINDS)}"
        )
    used = {**KINDS[kind], "rope_theta": Key(float, theta or DEFAULT_THETA)}
    names = {"rope_type": (kind,), "type": (kind,), "partial_rotary_factor": (1, 1.0)}
    values = read_keys(f"{name} of the type {kind}", section, used, UNREAD[kind], names)
    inner = values.pop("rope_theta")
    if theta is not None and inner != theta:
        raise OrionError(
            f"config.json: rope_theta is {theta}, and {inner} in {name}; remove the wrong one"
        )
    if kind == "llama3" and values["low_freq_factor"] >= values["high_freq_factor"]:
        raise OrionError(
            f"config.json: {name} needs a low_freq_factor below its high_freq_factor, got"
            f" {values['low_freq_factor']} and {values['high_freq_factor']}"
        )
    return Rope(inner, kind, **values)


def rope_tables(rope: Rope, size: int, context: int) -> dict[str, np.ndarray]:
    """Cosines and sines, one row a position."""
    angles = np.outer(np.arange(context, dtype=np.float64), rope.frequencies(size))
    return {
        "rope_cos": np.cos(angles).astype(np.float32),
        "rope_sin": np.sin(angles).astype(np.float32),
    }


@dataclass(frozen=True)
class Rotation:
    """The cosines and sines of a step's columns: [1, 1, D/2, S]."""

    cos: Value
    sin: Value

    def turn(self, g: Graph, heads: Value) -> Value:
        """[1, H, D, S], every head turned by the position of its column."""
        return g.rope(heads, self.cos, self.sin)


def read_rotation(g: Graph, size: int, columns: int) -> Rotation:
    half = size // 2
    tables = [
        g.input(name, "fp32", (1, half, 1, columns), f"position_table table=rope_{name}")
        for name in ("cos", "sin")
    ]
    cos, sin = (g.reshape(table, shape=(1, 1, half, columns)) for table in tables)
    return Rotation(cos, sin)
