"""What a user chooses when a model is compiled, checked against the profile; reads no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import UsageError

WEIGHTS = ("auto", "fp32", "fp16", "int8")


@dataclass(frozen=True)
class Options:
    """`weights`: their type in the bundle; "auto" is the activations' or, where those are fp32,
    the checkpoint's. `layers_per_program`: by default as many as the profile's limits allow.
    """

    weights: str = "auto"
    layers_per_program: int | None = None

    def check(self, profile: Mapping[str, Any]) -> None:
        allowed = weight_types(profile)
        if self.weights not in allowed:
            raise UsageError(
                f"weights {self.weights!r} are not made for profile {profile['name']}: expected"
                f" {', '.join(allowed[:-1])} or {allowed[-1]}"
            )
        if self.layers_per_program is not None and self.layers_per_program < 1:
            raise UsageError(
                f"a program holds at least 1 layer, not {self.layers_per_program} of them"
            )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def weight_types(profile: Mapping[str, Any]) -> tuple[str, ...]:
    """Weights wider than the activations would be rounded to them before every product."""
    narrow = profile["preferences"]["activation"] == "fp16"
    return tuple(kind for kind in WEIGHTS if not (narrow and kind == "fp32"))


def chosen_weights(wanted: str, profile: Mapping[str, Any], stored: Iterable[str]) -> str:
    """The type that "auto" stands for; `stored` are the dtypes of the checkpoint's matrices."""
    if wanted != "auto":
        return wanted
    activation: str = profile["preferences"]["activation"]
    return "fp16" if set(stored) == {"fp16"} else activation
