"""Writes what a session needs to know of a bundle as JSON, format 1; knows no tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..ir import Graph, TensorType
from .names import FORMAT
from .working_set import working_set


@dataclass(frozen=True)
class Program:
    """A graph after its passes, under the name and the file that it has in the bundle."""

    name: str
    graph: Graph

    @property
    def file(self) -> str:
        return f"{self.name}.mil"

    def to_json(self) -> dict[str, Any]:
        inputs = [
            port(node.result.name, node.result.type, node["role"]) for node in self.graph.inputs
        ]
        outputs = [
            port(output.name, output.value.type, output.role) for output in self.graph.outputs
        ]
        return {
            "name": self.name,
            "file": self.file,
            "function": "main",
            "inputs": inputs,
            "outputs": outputs,
            "working_set": working_set(self.graph).to_json(),
        }


@dataclass(frozen=True)
class Step:
    columns: int
    cache: int
    programs: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"columns": self.columns, "cache": self.cache, "programs": list(self.programs)}


def manifest(
    facts: Mapping[str, Any],
    tables: Mapping[str, Any],
    programs: Sequence[Program],
    steps: Sequence[Step],
    head: Step,
) -> dict[str, Any]:
    """All but `files`, which are listed once they are written."""
    return {
        "format": FORMAT,
        **facts,
        "tables": tables,
        "programs": [program.to_json() for program in programs],
        "steps": [step.to_json() for step in steps],
        "head": {"columns": head.columns, "programs": list(head.programs)},
    }


def port(name: str, type: TensorType, role: str | None) -> dict[str, Any]:
    return {"name": name, "dtype": type.dtype, "shape": list(type.shape), "role": role_json(role)}


def role_json(role: str | None) -> dict[str, Any]:
    """ "key_cache layer=0 axis=3" as {"kind": "key_cache", "layer": 0, "axis": 3}."""
    kind, *pairs = (role or "none").split()
    facts: dict[str, Any] = {"kind": kind}
    for pair in pairs:
        key, _, value = pair.partition("=")
        facts[key] = int(value) if value.isdigit() else value
    return facts
