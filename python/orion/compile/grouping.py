"""How many layers a program of a step holds: as many as the limits allow, unless the cost model
says that fewer are faster. Builds graphs of one and two layers at most; writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..passes import run_passes
from .cost import OpWork, Work, predict, work_of

# bytes of a number in a stored weight
WEIGHT_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}
# A program's weights take at most this share of the engine's address space: a step's programs,
# and those of the step after it, then lie in it side by side.
PROGRAM_SHARE = 8


class StepWork:
    """The work of a step's programs by the layers they hold. Layers after the first are alike, so
    what a program of many does follows from programs of one and of two.
    """

    def __init__(
        self, family: Any, config: Any, profile: Mapping[str, Any], columns: int, cache: int
    ) -> None:
        self._make = (family, config, profile, columns, cache)
        self._known: dict[tuple[int, ...], Work] = {}

    def of(self, layers: Sequence[int]) -> Work:
        """Of one program that holds these, which follow each other."""
        first, count = layers[0], len(layers)
        start = min(first, 1)
        one = self._built((start,))
        return one if count == 1 else extended(one, self._built((start, start + 1)), count)

    def _built(self, layers: tuple[int, ...]) -> Work:
        if layers not in self._known:
            family, config, profile, columns, cache = self._make
            graph = run_passes(family.build(config, columns, cache, layers), profile)
            self._known[layers] = work_of(graph, profile)
        return self._known[layers]


def extended(one: Work, two: Work, count: int) -> Work:
    """From programs of one and of two layers to one of `count`."""
    added = Counter(map(unnamed, two.ops)) - Counter(map(unnamed, one.ops))
    times = count - 1
    return Work(
        one.inputs + times * (two.inputs - one.inputs),
        one.outputs + times * (two.outputs - one.outputs),
        one.weights + times * (two.weights - one.weights),
        (*one.ops, *(op for op, number in added.items() for _ in range(number * times))),
    )


def unnamed(op: OpWork) -> OpWork:
    return OpWork(op.op, "", op.kind, op.amount, op.result_bytes, op.width, op.largest_bytes)


def groups_of(layers: int, size: int) -> list[range]:
    every = range(layers)
    return [every[i : i + size] for i in range(0, layers, size)]


def choose_groups(
    family: Any,
    config: Any,
    profile: Mapping[str, Any],
    step: tuple[int, int],
    layers_per_program: int | None,
) -> list[range]:
    """The layers of each program of a step of (columns, cache). UsageError beyond the limits."""
    count = int(config.layers)
    most = layers_that_fit(layer_bytes(family, config, profile), profile)
    size = layers_per_program or min(most, count)
    # Where large programs are as fast as small ones, each handing over less is a gain.
    if layers_per_program is None and profile["cost"]["program_slowdown"] > 1:
        size = fastest(StepWork(family, config, profile, *step), profile, count, size)
    groups = groups_of(count, size)
    check_count(len(groups), profile)
    return groups


def fastest(work: StepWork, profile: Mapping[str, Any], layers: int, most: int) -> int:
    """Of the sizes up to `most` that with which a step takes least; of equal ones the largest."""
    sizes = sorted({-(-layers // number) for number in range(1, layers + 1)}, reverse=True)
    held = [
        size for size in sizes if size <= most and -(-layers // size) < programs_at_once(profile)
    ]
    return min(held or [most], key=lambda size: step_seconds(work, profile, layers, size))


def step_seconds(work: StepWork, profile: Mapping[str, Any], layers: int, size: int) -> float:
    times = [predict(work.of(group), profile["cost"]) for group in groups_of(layers, size)]
    return sum(time.seconds for time in times)


def layer_bytes(family: Any, config: Any, profile: Mapping[str, Any]) -> int:
    """Bytes of the weights that one layer multiplies by."""
    shapes: Mapping[str, Sequence[int]] = family.shapes(config)
    layer = [shape for name, shape in shapes.items() if ".0." in name and len(shape) == 2]
    preferences = profile["preferences"]
    each = WEIGHT_BYTES[preferences.get("weights", preferences["activation"])]
    return sum(rows * columns for rows, columns in layer) * each


def layers_that_fit(bytes_each: int, profile: Mapping[str, Any]) -> int:
    """Layers of which a program holds the weights; one layer always counts as fitting."""
    space: int = profile["limits"]["address_space_bytes"] // PROGRAM_SHARE
    return max(1, space // max(1, bytes_each))


def programs_at_once(profile: Mapping[str, Any]) -> int:
    limits = profile["limits"]
    limit: int = limits["loaded_programs_max"]
    return min(limit, limits.get("compiles_max", limit))


def check_count(groups: int, profile: Mapping[str, Any]) -> None:
    """The programs of one step and the head must be loaded together; those of others may wait."""
    limit = programs_at_once(profile)
    if groups + 1 > limit:
        raise UsageError(
            f"{profile['name']} holds {limit} programs at once, but a step would take {groups} and"
            " the head; put more layers into a program"
        )
