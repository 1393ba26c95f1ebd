"""The profiles of chips and of the paper: models run on them; their page says what rows say."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from orion.errors import OrionError
from orion.runtime import Device, Program, profile, profile_names

Orion = Callable[..., Any]
CHIPS = ["m1-macos15", "m2-macos15", "m4-macos15", "m4max-macos15", "m5-macos26", "m5max-macos26"]
# The tensor types of a text, by dialect.
TEXTS = {
    "1.3": "program(1.3)\n{{ func main<ios18>({inputs}) {{ {body} }} -> ({out}); }}",
    "1.0": "program(1.0)\n{{ func main<ios16>({inputs}) {{ {body} }} -> ({out}); }}",
}


@pytest.fixture
def page_script(root: Path) -> ModuleType:
    path = str(root / "scripts" / "profiles-page")
    loader = importlib.machinery.SourceFileLoader("profiles_page", path)
    spec = importlib.util.spec_from_loader("profiles_page", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_page_is_what_the_rows_say(root: Path, page_script: ModuleType) -> None:
    made = page_script.page([profile(name) for name in profile_names() if name != "cpu"])
    assert (root / "docs" / "profiles.md").read_text() == made, "run scripts/profiles-page"


def test_every_profile_is_there() -> None:
    assert set(profile_names()) == {*CHIPS, "paper", "cpu"}
    paper, conduct = profile("paper"), profile("paper")["conduct"]
    assert paper["limits"]["compiles_max"] == 119
    assert (conduct["surface_size"], conduct["surface_bytes_min"]) == ("equal", 49152)
    assert (conduct["binding"], conduct["reload"]) == ("alphabetical", "files")
    for name in CHIPS:
        said = [source for source in profile(name)["sources"] if source["interpolated"]]
        assert said, f"{name}: nobody measured everything"


@pytest.mark.parametrize("device", ["sim:paper", "sim:m1-macos15"])
def test_the_tokens_of_a_model_hold(orion: Orion, stories: Path, device: str) -> None:
    ids = stories / "expected.json"
    done = orion("verify", "--model", stories, "--ids", ids, "--device", device, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["equal"] is True
    assert sum(case["compared"] for case in report["cases"]) > 900
    assert all(case["differences"] == [] for case in report["cases"])


@pytest.mark.parametrize("device", ["sim:paper", "sim:m1-macos15"])
@pytest.mark.parametrize("name", ["gpt2-tiny", "qwen3-tiny"])
def test_golden_models_pass(orion: Orion, data: Path, name: str, device: str) -> None:
    done = orion("verify", "--model", data / "golden" / name, "--device", device, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["passed"], report["argmax_differs"]) == (True, 0)


def sum_program(device: Device) -> Program:
    """Two inputs and two outputs of different sizes, declared against the alphabet."""
    inputs = "tensor<fp16, [1, 64, 1, 64]> wide, tensor<fp16, [1, 1, 1, 64]> small"
    body = (
        "tensor<fp16, [1, 64, 1, 64]> total = add(x = wide, y = small);"
        " tensor<fp16, [1, 1, 1, 64]> less = sub(x = small, y = small);"
        " tensor<fp16, [1, 1, 1, 64]> double = sub(x = small, y = less);"
    )
    dialect = profile(device.profile)["dialect"]["program"]
    text = TEXTS[dialect].format(inputs=inputs, body=body, out="total, double")
    return Program(device, text)


@pytest.mark.parametrize("name", [*CHIPS, "paper"])
def test_sizes_and_order_are_the_runtimes_business(name: str, tmp_path: Path) -> None:
    with Device(f"sim:{name}", cache_dir=tmp_path) as device:
        program = sum_program(device)
        wide = np.arange(64 * 64, dtype=np.float16).reshape(1, 64, 1, 64) / 64
        small = np.full((1, 1, 1, 64), 2, np.float16)
        for _ in range(2):
            found = program.run({"wide": wide, "small": small})
            np.testing.assert_array_equal(found["total"], wide + small)
            np.testing.assert_array_equal(found["double"], small)


def test_without_rounding_the_sum_is_whole(tmp_path: Path) -> None:
    text = TEXTS["1.3"].format(
        inputs="tensor<fp16, [1, 1, 1, 64]> x",
        body="tensor<fp16, [1, 1, 1, 64]> a = add(x = x, y = fp16(1));"
        " tensor<fp16, [1, 1, 1, 64]> y = sub(x = a, y = x);",
        out="y",
    )
    x = np.full((1, 1, 1, 64), 2048, np.float16)
    for name, expected in (("sim:m4-macos15", 0), ("sim:m4-macos15+fp32", 1)):
        with Device(name, cache_dir=tmp_path) as device:
            assert (device.name, device.profile) == (name, "m4-macos15")
            assert float(Program(device, text).run([x])["y"].reshape(-1)[0]) == expected
    with pytest.raises(OrionError, match=r"\+fp32"):
        Device("sim:m4-macos15+fp64")
