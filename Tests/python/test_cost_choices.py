"""What the compiler chooses by the cost model: layers of a program, and prompt buckets."""

from __future__ import annotations

from typing import Any

import pytest
from profiles_for_tests import CPU, M4

from orion.compile import find_family
from orion.compile.buckets import worthwhile
from orion.compile.cost import OpWork, Work, predict, work_of
from orion.compile.grouping import StepWork, choose_groups
from orion.compile.manifest import Step
from orion.errors import UsageError
from orion.passes import run_passes

# Layers of 0.4 MB of weights each.
MODEL: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 256,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
}
FAMILY, CONFIG = find_family(MODEL)
PROMPT = (256, 0)


def costing(**cost: float) -> dict[str, Any]:
    return M4 | {"cost": M4["cost"] | cost}


def sizes(profile: dict[str, Any], step: tuple[int, int] = PROMPT) -> list[int]:
    return [len(group) for group in choose_groups(FAMILY, CONFIG, profile, step, None)]


# Products are what counts, and slow in programs of more than two layers.
TWO_LAYERS = StepWork(FAMILY, CONFIG, M4, *PROMPT).of((1, 2)).touched
STEEP = {"program_slowdown": 4.0, "program_bytes_max": 1.1 * TWO_LAYERS, "conv_flops": 1e10}


def test_programs_of_many_layers_are_best_where_size_costs_nothing() -> None:
    assert sizes(M4) == [6]
    assert sizes(CPU) == [6]


def test_a_dear_dispatch_puts_more_layers_into_a_program() -> None:
    cheap, dear = (costing(**STEEP, dispatch_seconds=time) for time in (1e-6, 10.0))
    few, many = sizes(cheap), sizes(dear)
    assert many == [6]
    assert few == [2, 2, 2]
    # Decoding hardly multiplies, so the size of its programs matters less.
    assert max(sizes(cheap, (32, 128))) >= max(few)


def test_the_choice_is_the_fastest_of_all() -> None:
    profile = costing(**STEEP, dispatch_seconds=1e-3)
    chosen = max(sizes(profile))

    def seconds(size: int) -> float:
        groups = choose_groups(FAMILY, CONFIG, profile, PROMPT, size)
        graphs = [run_passes(FAMILY.build(CONFIG, *PROMPT, group), profile) for group in groups]
        return sum(predict(work_of(graph, profile), profile["cost"]).seconds for graph in graphs)

    assert seconds(chosen) == pytest.approx(min(seconds(size) for size in (1, 2, 3, 6)))


def test_limits_are_kept_whatever_is_fastest() -> None:
    cheap = costing(**STEEP, dispatch_seconds=0.0)
    assert sizes(cheap) == [2, 2, 2]
    tight = cheap | {"limits": M4["limits"] | {"loaded_programs_max": 3}}
    assert sizes(tight) == [6], "two programs of three layers are no faster than one"
    small = costing(dispatch_seconds=10.0) | {
        "limits": M4["limits"] | {"address_space_bytes": 8 * 900_000}
    }
    assert max(sizes(small)) == 2, "an eighth of the space holds two layers"
    with pytest.raises(UsageError, match="holds 1 programs at once"):
        sizes(M4 | {"limits": M4["limits"] | {"loaded_programs_max": 1}})


@pytest.mark.parametrize("layers", [(0, 1, 2, 3, 4, 5), (0, 1, 2), (3, 4, 5), (2,), (0,)])
@pytest.mark.parametrize("step", [PROMPT, (32, 128)])
def test_one_and_two_layers_tell_of_many(layers: tuple[int, ...], step: tuple[int, int]) -> None:
    found = StepWork(FAMILY, CONFIG, M4, *step).of(layers)
    whole = work_of(run_passes(FAMILY.build(CONFIG, *step, layers), M4), M4)
    assert (found.inputs, found.outputs, found.weights) == (
        whole.inputs,
        whole.outputs,
        whole.weights,
    )
    assert predict(found, M4["cost"]) == predict(whole, M4["cost"])


def test_buckets_that_save_nothing_are_left_out() -> None:
    steps = [Step(columns, 0, ()) for columns in (32, 64, 128, 256)] + [Step(32, 128, ())]
    times = {32: 1.0, 64: 1.0, 128: 1.0005, 256: 2.0}
    kept = worthwhile(steps, lambda step: times[step.columns])
    assert [(step.columns, step.cache) for step in kept] == [(128, 0), (256, 0), (32, 128)]
    same = worthwhile(steps, lambda step: float(step.columns))
    assert same == steps


def test_time_is_dispatch_and_the_longer_of_two_and_passes() -> None:
    cost = M4["cost"] | {"dispatch_seconds": 1.0, "conv_flops": 10.0, "weight_bytes": 10.0}
    cost |= {"input_bytes": 2.0, "output_bytes": 0.0, "watts": 2.0}
    ops = (OpWork("conv", "y", "conv", 100.0, 8, 64, 8), OpWork("relu", "z", "pass", 20.0, 8))
    time = predict(Work(inputs=10, outputs=99, weights=20, ops=ops), cost)
    assert (time.products, time.memory, time.passes) == (10.0, 7.0, 2.0)
    assert (time.seconds, time.joules, time.bound) == (13.0, 24.0, "compute")
    narrow = predict(Work(10, 99, 20, (OpWork("conv", "y", "conv", 100.0, 8, 32, 8),)), cost)
    assert narrow.products == pytest.approx(15.8)
    idle = predict(Work(), cost)
    assert (idle.seconds, idle.joules, idle.bound) == (1.0, 0.0, "dispatch")
