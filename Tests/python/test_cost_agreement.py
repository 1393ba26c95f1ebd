"""One cost model: Python's over graphs, the library's over MIL text, and the simulator's clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from orion.compile import bundle, find_family
from orion.compile.cost import compile_seconds, predict, work_of
from orion.compile.programs import make_programs
from orion.runtime import Device, Program, profile, profile_names
from orion.runtime.prediction import estimate_text
from orion.weights import load as open_checkpoint
from orion.weights import tiny

TIMES = ("dispatch", "products", "memory", "passes")


Make = Callable[[str, str, str], tuple[Path, Path]]


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A model and a bundle of it, by the model's name, profile and weights."""
    room = tmp_path_factory.mktemp("agreement")
    models = {"llama": tiny.write(room / "llama"), "gpt2": data / "golden" / "gpt2-tiny"}
    known: dict[tuple[str, str, str], Path] = {}

    def make(model: str, name: str, weights: str) -> tuple[Path, Path]:
        at = (model, name, weights)
        if at not in known:
            place = room / "-".join(at)
            known[at] = bundle(models[model], profile(name), place, weights).directory
        return models[model], known[at]

    return make


@pytest.mark.parametrize(
    ("model", "name", "weights"),
    [
        ("llama", "m4-macos15", "auto"),
        ("llama", "m1-macos15", "int8"),
        ("llama", "m5-macos26", "int8"),
        ("llama", "cpu", "fp16"),
        ("llama", "cpu", "int8"),
        ("gpt2", "paper", "auto"),
        ("gpt2", "cpu", "fp32"),
    ],
)
def test_graphs_and_texts_agree_to_the_last_digit(
    made: Make, model: str, name: str, weights: str
) -> None:
    source, directory = made(model, name, weights)
    facts = profile(name)
    manifest = json.loads((directory / "manifest.json").read_text())
    config = open_checkpoint(source).config
    asked = facts | {"preferences": facts["preferences"] | {"weights": manifest["weights"]}}
    programs, _, _ = make_programs(*find_family(config), asked, None)
    assert [program.name for program in programs] == [p["name"] for p in manifest["programs"]]
    for program in programs:
        work = work_of(program.graph, asked)
        time = predict(work, facts["cost"])
        (found,) = estimate_text((directory / program.file).read_bytes(), profiles=[name])
        (told,) = found["functions"]
        assert [op.name for op in work.ops] == [op["name"] for op in told["ops"]]
        for op, theirs in zip(work.ops, told["ops"], strict=True):
            assert vars(op) | {"line": theirs["line"]} == theirs
        ports = (told["input_bytes"], told["output_bytes"], told["weight_bytes"])
        assert (work.inputs, work.outputs, work.weights) == ports
        assert [getattr(time, part) for part in TIMES] == [told[f"{p}_seconds"] for p in TIMES]
        assert (time.seconds, time.joules, time.bound) == (
            told["seconds"],
            told["joules"],
            told["bound"],
        )
        assert compile_seconds(work.weights, facts["cost"]) == found["compile_seconds"]


@pytest.mark.parametrize("name", ["m1-macos15", "m4-macos15", "m5max-macos26"])
def test_the_clock_of_the_simulator_is_the_prediction(
    made: Make, tmp_path: Path, name: str
) -> None:
    directory, cost = made("llama", name, "auto")[1], profile(name)["cost"]
    for path in sorted(directory.glob("*.mil"))[:2]:
        (found,) = estimate_text(path.read_bytes(), profiles=[name])
        (told,) = found["functions"]
        with Device(f"sim:{name}", cache_dir=tmp_path / path.stem) as device:
            program = Program(device, path.read_text(), directory / "weights.bin")
            # As the clock adds, so that no digit is lost.
            clock = cost["compile_seconds"]
            clock += told["weight_bytes"] * cost["compile_seconds_per_byte"]
            clock += cost["load_seconds"]
            assert device.counters()["virtual_s"] == clock
            for _ in range(2):
                program.run([np.zeros(port.shape, np.float16) for port in program.inputs])
                clock += told["seconds"]
                assert device.counters()["virtual_s"] == clock


def test_every_profile_predicts_the_same_text() -> None:
    text = (
        "program(1.3) { func main<ios18>(tensor<fp16, [1, 4, 1, 64]> x) {\n"
        "tensor<fp16, [1, 4, 1, 64]> y = softmax(axis = int32(-1), x = x); } -> (y); }"
    )
    found = estimate_text(text, profiles=profile_names())
    assert [row["profile"] for row in found] == profile_names()
    for row in found:
        (op,) = row["functions"][0]["ops"]
        assert (op["op"], op["kind"], op["amount"], op["width"]) == ("softmax", "softmax", 256, 64)
        assert row["functions"][0]["seconds"] >= profile(row["profile"])["cost"]["dispatch_seconds"]
