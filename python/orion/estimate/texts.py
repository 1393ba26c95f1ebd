"""What MIL texts take on several profiles: the library's predictions as this package's values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..compile.cost import OpWork, Time, Work
from ..diagnose.sources import Source
from ..runtime.prediction import estimate_text
from .model import Program

PARTS = ("dispatch", "products", "memory", "passes")


@dataclass(frozen=True)
class TextEstimate:
    """The functions of all texts on one profile, each named by its file."""

    profile: str
    programs: tuple[Program, ...]
    compile_s: float

    def to_json(self) -> dict[str, Any]:
        return {
            "profile": self.profile,
            "compile_s": self.compile_s,
            "programs": [program.to_json() for program in self.programs],
        }


def estimate_texts(sources: Sequence[Source], profiles: Sequence[str]) -> list[TextEstimate]:
    """OrionError for a text that is not well formed."""
    made: dict[str, list[Program]] = {name: [] for name in profiles}
    seconds = dict.fromkeys(profiles, 0.0)
    for source in sources:
        for row in estimate_text(source.text, profiles=profiles):
            seconds[row["profile"]] += row["compile_seconds"]
            several = len(row["functions"]) > 1
            for told in row["functions"]:
                name = source.path.stem + (f":{told['name']}" if several else "")
                made[row["profile"]].append(program_of(name, told, row["compile_seconds"]))
    return [TextEstimate(name, tuple(made[name]), seconds[name]) for name in profiles]


def program_of(name: str, told: dict[str, Any], compile_s: float) -> Program:
    fields = ("op", "name", "kind", "amount", "result_bytes", "width", "largest_bytes")
    ops = tuple(OpWork(**{field: op[field] for field in fields}) for op in told["ops"])
    work = Work(told["input_bytes"], told["output_bytes"], told["weight_bytes"], ops)
    parts = {part: told[f"{part}_seconds"] for part in PARTS}
    time = Time(**parts, seconds=told["seconds"], joules=told["joules"])
    return Program(name, work, time, compile_s)
