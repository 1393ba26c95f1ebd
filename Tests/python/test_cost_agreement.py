"""One cost model: Python's over graphs, the library's over MIL text, and the simulator's clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orion import weights as weights_of
from orion.compile import bundle
from orion.compile.bundle import find_family
from orion.compile.cost import compile_seconds, predict, work_of
from orion.compile.programs import make_programs
from orion.runtime import Device, Program, profile, profile_names
from orion.runtime.prediction import estimate_text

TIMES = ("dispatch", "products", "memory", "passes")


@pytest.fixture(scope="module")
def made(stories: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A bundle of a real model by profile, made when it is asked for."""
    known: dict[tuple[str, str], Path] = {}

    def make(name: str, weights: str = "auto") -> Path:
        if (name, weights) not in known:
            place = tmp_path_factory.mktemp("bundle") / "it"
            known[name, weights] = bundle(stories, profile(name), place, weights).directory
        return known[name, weights]

    return make


@pytest.mark.parametrize(
    ("name", "weights"),
    [("m4-macos15", "auto"), ("m1-macos15", "int8"), ("m5-macos26", "int8"), ("paper", "auto")]
    + [("cpu", "fp32"), ("cpu", "fp16"), ("cpu", "int8")],
)
def test_graphs_and_texts_agree_to_the_last_digit(
    made: Any, stories: Path, name: str, weights: str
) -> None:
    directory, facts = made(name, weights), profile(name)
    manifest = json.loads((directory / "manifest.json").read_text())
    config = weights_of.load(stories).config
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
    made: Any, tmp_path: Path, name: str
) -> None:
    directory, cost = made(name), profile(name)["cost"]
    for path in sorted(directory.glob("*.mil"))[:3]:
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
