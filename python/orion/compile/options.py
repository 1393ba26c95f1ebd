"""What a user chooses when a model is compiled, checked against the profile; reads no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import UsageError

WEIGHTS = ("auto", "fp32", "fp16", "int8")


@dataclass(frozen=True)
class AdapterRoom:
    """Which linear layers take a low-rank adapter, by the last parts of their names, and the
    largest rank that fits.
    """

    rank: int
    targets: tuple[str, ...]

    def check(self) -> None:
        if self.rank < 1:
            raise UsageError(f"an adapter has at least rank 1, not {self.rank}")
        if not self.targets:
            raise UsageError("an adapter changes at least one layer; name some, as q_proj")

    def preference(self, family: Any, config: Any, profile: Mapping[str, Any]) -> dict[str, Any]:
        """As passes read it; the rank as wide as the profile's inputs must be.

        UsageError when a target names no linear layer.
        """
        multiple = profile["limits"]["width_multiple"]
        places = adapter_places(family, config)
        names = {module.rsplit(".", 1)[-1] for module, _ in places.values()}
        unknown = sorted(set(self.targets) - names)
        if unknown:
            raise UsageError(
                f"adapters: no linear layer of the model is called {', '.join(unknown)}; expected"
                f" some of {', '.join(sorted(names))}"
            )
        chosen = {
            module: place
            for module, place in places.items()
            if place[0].rsplit(".", 1)[-1] in self.targets
        }
        return {"rank": -(-self.rank // multiple) * multiple, "places": chosen}


def adapter_places(family: Any, config: Any) -> dict[str, tuple[str, int]]:
    """For every linear layer inside the blocks: the checkpoint's module that holds it, and the
    first of the module's outputs that are its own.
    """
    places = {}
    for key, shape in family.shapes(config).items():
        module = key.removesuffix(".weight")
        if len(shape) == 2 and any(part.isdigit() for part in module.split(".")):
            name, index, _count = family.checkpoint_place(module)
            places[module] = (name, index * shape[0])
    return places


@dataclass(frozen=True)
class Options:
    """`weights`: their type in the bundle; "auto" is the activations' or, where those are fp32,
    the checkpoint's. `layers_per_program`: by default as many as the profile's limits allow.
    `adapters`: none by default.
    """

    weights: str = "auto"
    layers_per_program: int | None = None
    adapters: AdapterRoom | None = None

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
        if self.adapters is not None:
            self.adapters.check()

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
