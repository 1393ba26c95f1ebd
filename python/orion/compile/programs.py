"""The programs of a bundle: for every step the layers in groups, and the head. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..ir import Graph
from ..passes import run_passes
from .buckets import steps
from .manifest import Program, Step

# bytes of a number in a stored weight
WEIGHT_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}
# A program's weights take at most this share of the engine's address space: a step's programs,
# and those of the step after it, then lie in it side by side.
PROGRAM_SHARE = 8


def make_programs(
    family: Any, config: Any, profile: Mapping[str, Any], layers_per_program: int | None
) -> tuple[list[Program], list[Step], Step]:
    """Every program in the order that steps run them, the steps, and the head."""
    wanted = steps(profile, config.context)
    size = layers_per_program or layers_that_fit(layer_bytes(family, config, profile), profile)
    layers = range(config.layers)
    groups = [layers[i : i + size] for i in range(0, config.layers, size)]
    check_count(len(groups), profile)
    programs: list[Program] = []
    plan: list[Step] = []
    for columns, cache in wanted:
        names = []
        for index, group in enumerate(groups):
            name = f"layers_s{columns}_l{cache}" + (f"_p{index}" if len(groups) > 1 else "")
            graph = family.build(config, columns, cache, group)
            programs.append(finished(name, graph, profile))
            names.append(name)
        plan.append(Step(columns, cache, tuple(names)))
    columns = profile["preferences"]["decode_columns"]
    tile = profile["limits"]["axis_channels_max"]
    programs.append(finished("head", family.head(config, columns, tile), profile))
    return programs, plan, Step(columns, 0, ("head",))


def finished(name: str, graph: Graph, profile: Mapping[str, Any]) -> Program:
    return Program(name, run_passes(graph, profile))


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


def check_count(groups: int, profile: Mapping[str, Any]) -> None:
    """The programs of one step and the head must be loaded together; those of others may wait."""
    limits = profile["limits"]
    limit = min(limits["loaded_programs_max"], limits.get("compiles_max", groups + 1))
    if groups + 1 > limit:
        raise UsageError(
            f"{profile['name']} holds {limit} programs at once, but a step would take {groups} and"
            " the head; put more layers into a program"
        )
