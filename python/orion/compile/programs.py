"""The programs of a bundle: for every step the layers in groups, and the head. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ir import Graph
from ..passes import run_passes
from .buckets import steps, worthwhile
from .cost import predict, work_of
from .grouping import choose_groups
from .manifest import Program, Step


def make_programs(
    family: Any, config: Any, profile: Mapping[str, Any], layers_per_program: int | None
) -> tuple[list[Program], list[Step], Step]:
    """Every program in the order that steps run them, the steps, and the head."""
    made: dict[Step, list[Program]] = {}
    for columns, cache in steps(profile, config.context):
        groups = choose_groups(family, config, profile, (columns, cache), layers_per_program)
        programs = []
        for index, group in enumerate(groups):
            name = f"layers_s{columns}_l{cache}" + (f"_p{index}" if len(groups) > 1 else "")
            graph = family.build(config, columns, cache, group)
            programs.append(finished(name, graph, profile))
        made[Step(columns, cache, tuple(program.name for program in programs))] = programs
    plan = worthwhile(made, lambda step: step_seconds(made[step], profile))
    columns = profile["preferences"]["decode_columns"]
    tile = profile["limits"]["axis_channels_max"]
    head = finished("head", family.head(config, columns, tile), profile)
    programs = [program for step in plan for program in made[step]]
    return [*programs, head], plan, Step(columns, 0, ("head",))


def finished(name: str, graph: Graph, profile: Mapping[str, Any]) -> Program:
    return Program(name, run_passes(graph, profile))


def step_seconds(programs: list[Program], profile: Mapping[str, Any]) -> float:
    works = [work_of(program.graph, profile) for program in programs]
    return sum(predict(work, profile["cost"]).seconds for work in works)
