"""Training of low-rank adapters alone: their settings, first numbers, and PEFT's form of them.

Keys of parameters are the layers' own (`..q_proj.lora_A.weight`); PEFT's names are a checkpoint's,
which may hold several layers side by side in one. Knows no device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np

from ..compile.training import Adapters
from ..compile.training.adapters import INNER, OUTER
from ..errors import UsageError
from ..weights import adapter as peft


@dataclass(frozen=True)
class Lora:
    """`target_modules` are the last parts of names of linear layers, as a checkpoint has them.

    `num_layers` counts from the last layer; -1: all. The product is multiplied by alpha / rank.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    target_modules: str = "q_proj,v_proj"
    num_layers: int = -1

    def __post_init__(self) -> None:
        rows = (
            ("rank", self.rank, self.rank >= 1, "1 or more"),
            ("alpha", self.alpha, self.alpha > 0, "above 0"),
            ("dropout", self.dropout, 0 <= self.dropout < 1, "from 0 up to 1"),
            (
                "num-layers",
                self.num_layers,
                self.num_layers == -1 or self.num_layers > 0,
                "-1 (all), or 1 or more",
            ),
            ("target-modules", self.target_modules, bool(self.names), "at least one name"),
        )
        for name, value, fits, expected in rows:
            if not fits:
                raise UsageError(f"--{name} is {expected}, not {value!r}.")

    @property
    def names(self) -> tuple[str, ...]:
        parts = (part.strip() for part in self.target_modules.split(","))
        return tuple(dict.fromkeys(filter(None, parts)))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def adapters(self, family: Any, config: Any) -> Adapters:
        """As plans take them. UsageError: a name of no linear layer, or a rank that none has."""
        found: dict[str, list[str]] = {}
        largest: dict[str, int] = {}
        for key, shape in family.shapes(config).items():
            module = key.removesuffix(".weight")
            parts = module.split(".")
            numbers = [index for index, part in enumerate(parts) if part.isdigit()]
            if len(shape) != 2 or not numbers:
                continue
            name = family.checkpoint_place(module)[0].rsplit(".", 1)[-1]
            found.setdefault(name, []).append(".".join(parts[numbers[0] + 1 :]))
            largest[name] = max(largest.get(name, 0), min(shape))
        unknown = [name for name in self.names if name not in found]
        if unknown:
            raise UsageError(
                f"--target-modules: no linear layer of the model is called {', '.join(unknown)};"
                f" expected some of {', '.join(sorted(found))}"
            )
        useful = max(largest[name] for name in self.names)
        if self.rank > useful:
            raise UsageError(
                f"--rank {self.rank}: no matrix of {', '.join(self.names)} has a rank above"
                f" {useful}, so a larger one adds nothing; choose {useful} or less."
            )
        targets = dict.fromkeys(target for name in self.names for target in found[name])
        count = config.layers
        if self.num_layers > count:
            raise UsageError(f"--num-layers {self.num_layers}: the model has {count} layers.")
        chosen = None if self.num_layers < 0 else tuple(range(count)[-self.num_layers :])
        return Adapters(tuple(targets), self.rank, self.alpha, self.dropout, chosen)


def first_numbers(
    adapters: Adapters, shapes: Mapping[str, tuple[int, ...]], seed: int
) -> dict[str, np.ndarray]:
    """B zero, so that training begins at the model; A uniform within 1 / sqrt(inputs), as PEFT."""
    numbers = {}
    for index, (key, shape) in enumerate(sorted(adapters.shapes(shapes).items())):
        if key.endswith(OUTER):
            numbers[key] = np.zeros(shape, np.float32)
            continue
        bound = 1 / sqrt(shape[1])
        random = np.random.default_rng((seed, index))
        numbers[key] = random.uniform(-bound, bound, shape).astype(np.float32)
    return numbers


def to_peft(
    named: Mapping[str, np.ndarray], family: Any, settings: Lora, base: str | None
) -> peft.Adapter:
    """Layers that a checkpoint holds side by side become one adapter of the sum of their ranks,
    which adds to each what its own did; the ranks of the others are filled up with zeros.
    """
    parts: dict[str, dict[int, tuple[np.ndarray, np.ndarray]]] = {}
    counts: dict[str, int] = {}
    for key, a in named.items():
        if not key.endswith(f".{INNER}"):
            continue
        module = key.removesuffix(f".{INNER}")
        name, index, counts[name] = family.checkpoint_place(module)
        parts.setdefault(name, {})[index] = (a, named[f"{module}.{OUTER}"])
    most = max(counts.values())
    matrices = {
        name: joined(parts[name], count, most * settings.rank) for name, count in counts.items()
    }
    return peft.Adapter(
        rank=most * settings.rank,
        alpha=most * settings.alpha,
        targets=settings.names,
        matrices=matrices,
        dropout=settings.dropout,
        base=base,
        partial=settings.num_layers != -1,
        turned=getattr(family, "WEIGHTS_TURNED", False),
    )


def joined(
    pairs: Mapping[int, tuple[np.ndarray, np.ndarray]], count: int, rank: int
) -> tuple[np.ndarray, np.ndarray]:
    """A [rank, inputs] with the parts' rows one after the other, B [outputs, rank] to match."""
    small, inputs = pairs[0][0].shape
    outputs = pairs[0][1].shape[0]
    a = np.zeros((rank, inputs), np.float32)
    b = np.zeros((count * outputs, rank), np.float32)
    for index, (inner, outer) in pairs.items():
        columns = slice(index * small, (index + 1) * small)
        a[columns] = inner
        b[index * outputs : (index + 1) * outputs, columns] = outer
    return a, b


def from_peft(
    found: peft.Adapter, keys: Mapping[str, tuple[int, ...]], family: Any
) -> dict[str, np.ndarray]:
    """The inverse, for the keys and shapes of `first_numbers`. UsageError when it is another's."""
    numbers = {}
    for key, shape in keys.items():
        module, _, kind = key.rpartition(".lora_")
        name, index, _count = family.checkpoint_place(module)
        if name not in found.matrices:
            raise UsageError(f"the adapter lacks {name}; it was made with other --target-modules")
        a, b = found.matrices[name]
        rank = shape[0] if kind == "A.weight" else shape[1]
        columns = slice(index * rank, (index + 1) * rank)
        part = a[columns] if kind == "A.weight" else b[index * shape[0] :][: shape[0], columns]
        if part.shape != shape:
            raise UsageError(
                f"the adapter's {key} has the shape {list(part.shape)}, expected {list(shape)}"
            )
        numbers[key] = np.array(part)
    return numbers
