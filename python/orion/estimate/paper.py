"""The paper's tables with a prediction beside each claim, built as the paper builds its programs.

Claims are the paper's and its code's own, on an M4 Max under macOS 15, and two reruns of that code
by others. d channels, V vocabulary; a decode program sees 16 columns, a prefill program 32, and all
give and take fp32 surfaces. What the paper leaves to the CPU is counted as bytes it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..compile.cost import OpWork, Work, compile_seconds, predict, quotient
from ..weights.presets import PRESETS
from .source import Configured, open_config
from .training import TrainingEstimator

GPT2 = PRESETS["gpt2"]
CHANNELS, LAYERS, VOCABULARY = GPT2["n_embd"], GPT2["n_layer"], GPT2["vocab_size"]
INNER = 4 * CHANNELS
DECODE_COLUMNS, PREFILL_COLUMNS = 16, 32
FLOAT, HALF = 4, 2
# Numbers in GPT-2 124M.
PARAMETERS = 124_439_808
# Stories110M's training programs by layer: channels in and out of the weights that each holds.
SQUARE, WIDE = 768 * 768, 768 * 2048
TRAINING = {
    "forward attention": 4 * SQUARE,
    "forward MLP": 3 * WIDE,
    "backward MLP": 3 * WIDE,
    "backward scores": SQUARE,
    "backward softmax": 0,
    "backward projections": 3 * SQUARE,
}
DECODE, PREFILL, COMPILE, RELOAD, TRAIN = (
    *("decode, GPT-2 124M", "prefill, GPT-2 124M", "compile", "reload"),
    "training step, Stories110M, 4 x 256 tokens",
)
Costs = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """`is_fitted`: a coefficient was taken from this very claim, so that it proves nothing."""

    table: str
    what: str
    unit: str
    claim: float
    predict: Callable[[Costs], float]
    is_fitted: bool = False
    chip: str = "m4max-macos15"


def linear(outputs: int, inputs: int, columns: int) -> OpWork:
    made = FLOAT * outputs * columns
    return OpWork("conv", "y", "conv", 2.0 * outputs * inputs * columns, made, columns, made)


def program(columns: int, shapes: list[tuple[int, int]], inputs: int, outputs: int) -> Work:
    """Linear layers [outputs, inputs] one after the other; ports of so many channels."""
    ops = tuple(linear(rows, width, columns) for rows, width in shapes)
    weights = HALF * sum(rows * width for rows, width in shapes)
    return Work(FLOAT * inputs * columns, FLOAT * outputs * columns, weights, ops)


def projections(columns: int) -> Work:
    return program(columns, [(CHANNELS, CHANNELS)] * 3, CHANNELS, 3 * CHANNELS)


def mlp(columns: int) -> Work:
    return program(columns, [(INNER, CHANNELS), (CHANNELS, INNER)], CHANNELS, CHANNELS)


def attention(columns: int) -> Work:
    return program(columns, [(CHANNELS, CHANNELS)] * 4, CHANNELS, 3 * CHANNELS)


DECODE_PROGRAMS = [projections(DECODE_COLUMNS), mlp(DECODE_COLUMNS)] * LAYERS
NORM = program(PREFILL_COLUMNS, [], CHANNELS, CHANNELS)
PREFILL_PROGRAMS = [attention(PREFILL_COLUMNS), mlp(PREFILL_COLUMNS)] * LAYERS + [NORM]
ONE_OP = Work(2 * 256 * 64, 2 * 256 * 64, 0, (OpWork("add", "y", "pass", 2.0 * 256 * 64),))
# Output projections and the head, which the CPU computes while it decodes.
HOST_BYTES = FLOAT * CHANNELS * (LAYERS * CHANNELS + VOCABULARY)


def engine(works: list[Work], cost: Costs) -> float:
    return sum(predict(work, cost).seconds for work in works)


def compiling(works: list[Work], cost: Costs) -> float:
    return sum(compile_seconds(work.weights, cost) for work in works)


def decode_seconds(cost: Costs) -> float:
    return engine(DECODE_PROGRAMS, cost) + quotient(HOST_BYTES, cost["host_bytes"])


def prefill_seconds(cost: Costs) -> float:
    head = FLOAT * CHANNELS * VOCABULARY
    return engine(PREFILL_PROGRAMS, cost) + quotient(head, cost["host_bytes"])


def first_prefill_seconds(cost: Costs) -> float:
    loads = len(PREFILL_PROGRAMS) * cost["load_seconds"]
    return prefill_seconds(cost) + compiling(PREFILL_PROGRAMS, cost) + loads


def host_decode_seconds(cost: Costs) -> float:
    return quotient(FLOAT * PARAMETERS, cost["host_bytes"])


def training_programs() -> list[Work]:
    return [Work(weights=HALF * numbers) for numbers in TRAINING.values()] * LAYERS


def compile_training(cost: Costs) -> float:
    return compiling(training_programs(), cost)


def reload_seconds(cost: Costs) -> float:
    held = [work for work in training_programs() if work.weights]
    return len(held) * (cost["unload_seconds"] + cost["load_seconds"])


def recompile_seconds(cost: Costs) -> float:
    works = training_programs()
    return compiling(works, cost) + len(works) * (cost["unload_seconds"] + cost["load_seconds"])


def patch_seconds(cost: Costs) -> float:
    return quotient(sum(work.weights for work in training_programs()), cost["patch_bytes"])


def rows() -> list[Row]:
    """All but those of a training step, which take a plan."""
    return [
        Row(DECODE, "by 24 programs and the CPU", "ms a token", 5.76, ms(decode_seconds)),
        Row(DECODE, "the same", "tokens/s", 170, lambda cost: 1 / decode_seconds(cost)),
        Row(DECODE, "by the CPU alone", "ms a token", 3.48, ms(host_decode_seconds)),
        Row(
            *(DECODE, "the engine's way less the CPU's", "ms a token", 2.3),
            ms(lambda cost: decode_seconds(cost) - host_decode_seconds(cost)),
        ),
        Row(
            *(DECODE, "an addition of 256 x 64", "ms", 0.223),
            ms(lambda cost: predict(ONE_OP, cost).seconds),
        ),
        Row(
            *(DECODE, "by 24 programs and the CPU, on M4 Pro", "tokens/s", 160),
            *(lambda cost: 1 / decode_seconds(cost), False, "m4-macos15"),
        ),
        Row(PREFILL, "25 programs, compiled before", "ms", 95, ms(prefill_seconds)),
        Row(PREFILL, "first call", "ms", 1399, ms(first_prefill_seconds)),
        Row(
            *(COMPILE, "24 decode programs", "ms", 1015),
            *(ms(lambda cost: compiling(DECODE_PROGRAMS, cost)), True),
        ),
        Row(
            *(COMPILE, "an addition of 256 x 64", "ms", 17.1),
            *(ms(lambda cost: compiling([ONE_OP], cost)), True),
        ),
        Row(COMPILE, "72 training programs", "ms", 4500, ms(compile_training), True),
        Row(
            *(COMPILE, "72 training programs, on M4 Pro", "ms", 3900),
            *(ms(compile_training), True, "m4-macos15"),
        ),
        Row(
            *(COMPILE, "72 training programs, on M1 Pro", "ms", 11100),
            *(ms(compile_training), True, "m1-macos15"),
        ),
        Row(RELOAD, "60 programs", "ms", 494, ms(reload_seconds), True),
        Row(RELOAD, "72 programs compiled again instead", "ms", 4200, ms(recompile_seconds)),
        Row(
            *(RELOAD, "writing their weights, on M4 Pro", "ms", 193),
            *(ms(patch_seconds), True, "m4-macos15"),
        ),
        Row(
            *(RELOAD, "writing their weights, on M1 Pro", "ms", 362),
            *(ms(patch_seconds), True, "m1-macos15"),
        ),
    ]


def training_rows(profiles: Mapping[str, Any]) -> list[Row]:
    """Of this project's plan: the same step, in other programs and with nothing left to the CPU."""
    model: Configured = open_config("stories110m")
    found = {}
    for way in ("reload", "recompile"):
        found[way] = TrainingEstimator(model).estimate(profiles["m4max-macos15"], way)
    reload, recompile = found["reload"], found["recompile"]
    both = reload.device_s + reload.host_s
    return [
        Row(TRAIN, "computing", "ms", 849, ms(lambda _: both)),
        Row(TRAIN, "new weights by reload", "ms", 494, ms(lambda _: reload.change_s)),
        Row(TRAIN, "in all, by reload", "ms", 1345, ms(lambda _: reload.step_s)),
        Row(TRAIN, "new weights by recompiling", "ms", 4200, ms(lambda _: recompile.change_s)),
        Row(TRAIN, "in all, by recompiling", "ms", 5108, ms(lambda _: recompile.step_s)),
    ]


def ms(seconds: Callable[[Costs], float]) -> Callable[[Costs], float]:
    return lambda cost: 1e3 * seconds(cost)


def paper_tables(profiles: Mapping[str, Any], *, train: bool = True) -> list[dict[str, Any]]:
    """`profiles` by name. Each row with `predicted` and its `ratio` to the claim."""
    found = []
    for row in [*rows(), *(training_rows(profiles) if train else [])]:
        predicted = row.predict(profiles[row.chip]["cost"])
        found.append(
            {
                "table": row.table,
                "what": row.what,
                "unit": row.unit,
                "claim": row.claim,
                "predicted": predicted,
                "ratio": predicted / row.claim,
                "fitted": row.is_fitted,
                "profile": row.chip,
            }
        )
    return found
