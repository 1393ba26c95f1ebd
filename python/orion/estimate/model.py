"""What a model's programs take on a profile's chip, from its config: predictions. Runs nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..compile.buckets import covering, rounded, steps
from ..compile.cost import Time, Work, compile_seconds, predict, work_of
from ..compile.grouping import StepWork, choose_groups
from ..compile.options import Options, chosen_weights
from ..passes import run_passes
from .source import Configured

# Positions that a decode step sees, and tokens of a prompt, where nobody says how many.
CONTEXT, PROMPT = 512, 256
# What of a profile a graph depends on; profiles that are alike in it share their graphs.
SHAPING = ("dialect", "op_kinds", "preferences", "refused_ops")
SHAPING_LIMITS = (
    *("axis_width_max", "axis_channels_max", "matmul_inner_max", "rank_max"),
    *("width_min", "width_multiple"),
)


@dataclass(frozen=True)
class Program:
    name: str
    work: Work
    time: Time
    compile_s: float

    @property
    def bytes(self) -> int:
        """Weights, inputs and outputs: what it holds of the device's address space."""
        return self.work.weights + self.work.inputs + self.work.outputs

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            **vars(self.time),
            "bound": self.time.bound,
            "compile_s": self.compile_s,
            "flops": self.work.flops,
            "weight_bytes": self.work.weights,
            "input_bytes": self.work.inputs,
            "output_bytes": self.work.outputs,
        }


@dataclass(frozen=True)
class Step:
    """Programs that run one after the other for up to `columns` tokens."""

    columns: int
    cache: int
    programs: tuple[Program, ...]

    @property
    def seconds(self) -> float:
        return sum(program.time.seconds for program in self.programs)

    @property
    def joules(self) -> float:
        return sum(program.time.joules for program in self.programs)

    @property
    def bytes(self) -> int:
        return sum(program.bytes for program in self.programs)

    @property
    def bound(self) -> str:
        """Of the program that takes most."""
        return max(self.programs, key=lambda program: program.time.seconds).time.bound


@dataclass(frozen=True)
class ModelEstimate:
    """`decode` and `prefill` have the head among their programs; `programs` are all there are."""

    profile: str
    band: tuple[float, float]
    decode: Step
    prefill: Step
    programs: tuple[Program, ...]
    program_count: int
    compile_s: float
    load_s: float

    @property
    def decode_tokens_per_s(self) -> float:
        return 1 / self.decode.seconds

    @property
    def prefill_tokens_per_s(self) -> float:
        return self.prefill.columns / self.prefill.seconds

    def to_json(self) -> dict[str, Any]:
        low, high = self.band
        return {
            "profile": self.profile,
            "band": {"low": low, "high": high},
            "decode_tokens_per_s": self.decode_tokens_per_s,
            "decode_s": self.decode.seconds,
            "decode_bound": self.decode.bound,
            "decode_cache": self.decode.cache,
            "prefill_tokens_per_s": self.prefill_tokens_per_s,
            "prefill_s": self.prefill.seconds,
            "prefill_bound": self.prefill.bound,
            "prefill_columns": self.prefill.columns,
            "compile_s": self.compile_s,
            "load_s": self.load_s,
            "program_count": self.program_count,
            "device_bytes": self.decode.bytes,
            "joules_per_token": self.decode.joules,
            "programs": [program.to_json() for program in self.programs],
        }


class ModelEstimator:
    """Estimates one model on several profiles; graphs that serve several are built once."""

    def __init__(
        self, model: Configured, weights: str = "auto", layers_per_program: int | None = None
    ) -> None:
        self._model, self._weights, self._layers = model, weights, layers_per_program
        self._steps: dict[tuple[str, int, int], StepWork] = {}
        self._heads: dict[str, Work] = {}

    def estimate(
        self,
        profile: Mapping[str, Any],
        *,
        context: int | None = None,
        prompt: int | None = None,
        every: bool = False,
    ) -> ModelEstimate:
        """Decoding with up to `context` positions behind it, and a prompt of up to `prompt` tokens.

        `every`: the programs of all steps, not only of these two.
        """
        asked = self._asked(profile)
        head = self._program("head", self._head(asked), asked)
        wanted = steps(asked, self._model.config.context)
        decode_at, prefill_at = self._chosen(wanted, asked, context, prompt)
        made = {at: self._step(asked, at) for at in (wanted if every else [decode_at, prefill_at])}
        # All steps hold the same layers, in as many programs as the one of their kind.
        alike = [made.get(at) or made[decode_at if at[1] else prefill_at] for at in wanted]
        programs = [*(program for step in alike for program in step.programs), head]
        shown = [*(program for step in made.values() for program in step.programs), head]
        cost = profile["cost"]
        decode, prefill = (Step(*at, (*made[at].programs, head)) for at in (decode_at, prefill_at))
        return ModelEstimate(
            profile["name"],
            (cost["band_low"], cost["band_high"]),
            decode,
            prefill,
            tuple(shown),
            len(programs),
            sum(program.compile_s for program in programs),
            len(decode.programs) * cost["load_seconds"],
        )

    def _asked(self, profile: Mapping[str, Any]) -> dict[str, Any]:
        Options(self._weights, self._layers).check(profile)
        kind = chosen_weights(self._weights, profile, ())
        return {**profile, "preferences": {**profile["preferences"], "weights": kind}}

    def _chosen(
        self,
        wanted: Sequence[tuple[int, int]],
        profile: Mapping[str, Any],
        context: int | None,
        prompt: int | None,
    ) -> tuple[tuple[int, int], tuple[int, int]]:
        full = int(self._model.config.context)
        columns = profile["preferences"]["decode_columns"]
        caches = sorted({cache for _, cache in wanted if cache})
        prompts = sorted({count for count, cache in wanted if not cache})
        seen = rounded(min(context or CONTEXT, full), profile)
        cache = covering(caches, seen)[-1]
        return (columns, cache), (covering(prompts, min(prompt or PROMPT, full))[-1], 0)

    def _step(self, profile: Mapping[str, Any], at: tuple[int, int]) -> Step:
        model = self._model
        key = (shape_of(profile), *at)
        if key not in self._steps:
            self._steps[key] = StepWork(model.family, model.config, profile, *at)
        groups = choose_groups(model.family, model.config, profile, at, self._layers)
        name = f"layers_s{at[0]}_l{at[1]}"
        return Step(
            *at,
            tuple(
                self._program(
                    name + (f"_p{index}" if len(groups) > 1 else ""),
                    self._steps[key].of(group),
                    profile,
                )
                for index, group in enumerate(groups)
            ),
        )

    def _head(self, profile: Mapping[str, Any]) -> Work:
        key = shape_of(profile)
        if key not in self._heads:
            columns = profile["preferences"]["decode_columns"]
            tile = profile["limits"]["axis_channels_max"]
            graph = self._model.family.head(self._model.config, columns, tile)
            self._heads[key] = work_of(run_passes(graph, profile), profile)
        return self._heads[key]

    @staticmethod
    def _program(name: str, work: Work, profile: Mapping[str, Any]) -> Program:
        cost = profile["cost"]
        return Program(name, work, predict(work, cost), compile_seconds(work.weights, cost))


def shape_of(profile: Mapping[str, Any]) -> str:
    """Equal for profiles for which the same graphs come out."""
    parts = {name: profile[name] for name in SHAPING}
    parts["storage"] = profile["arithmetic"]["storage"]
    parts["limits"] = {name: profile["limits"][name] for name in SHAPING_LIMITS}
    return json.dumps(parts, sort_keys=True)
