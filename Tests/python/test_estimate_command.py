"""`orion estimate`: models by their config, bundles, MIL files, the paper, and bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orion.compile import bundle
from orion.runtime import profile, profile_names
from orion.weights import tiny
from orion.weights.presets import PRESETS

Orion = Callable[..., SimpleNamespace]
TEXT = (
    "program(1.3) {\n"
    "func main<ios18>(tensor<fp16, [1, 4, 1, 64]> x) {\n"
    "tensor<fp16, [1, 4, 1, 64]> y = relu(x = x); } -> (y); }\n"
)


def found(done: SimpleNamespace) -> Any:
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_a_published_model_on_every_profile(orion: Orion) -> None:
    told = found(orion("estimate", "gpt2", "--json"))
    assert (told["kind"], told["parameters"]) == ("prediction", 124_439_808)
    assert [row["profile"] for row in told["profiles"]] == profile_names()
    for row in told["profiles"]:
        assert row["decode_tokens_per_s"] == pytest.approx(1 / row["decode_s"])
        assert row["prefill_tokens_per_s"] > row["decode_tokens_per_s"]
        assert row["decode_bound"] == "bandwidth" and row["decode_cache"] == 512
        assert row["device_bytes"] > 2 * 124_439_808
        names = [program["name"] for program in row["programs"]]
        assert names[-1] == "head" and len(names) < row["program_count"]
    (claim,) = [row for row in told["published"] if row["profile"] == "m4max-macos15"]
    assert (claim["published"], claim["chip"]) == (170, "M4 Max")
    assert claim["ratio"] == pytest.approx(claim["predicted"] / 170)
    assert 0.5 < claim["ratio"] < 2


def test_a_config_alone_is_enough(orion: Orion, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(PRESETS["stories15m"]))
    by_preset = found(orion("estimate", "stories15m", "--chip", "M4 Max", "--json"))
    by_file = found(orion("estimate", tmp_path, "--profile", "m4max-macos15,paper", "--json"))
    assert by_file["profiles"][0]["decode_s"] == by_preset["profiles"][0]["decode_s"]
    assert len(by_preset["profiles"]) == 2, "the paper's chip is an M4 Max too"


def test_the_table_labels_its_numbers(orion: Orion) -> None:
    done = orion("estimate", "stories260k", "--profile", "m4-macos15")
    assert done.code == 0, done.err
    label, head, row, _, programs, *_ = done.out.splitlines()
    assert label.startswith("Predictions: stories260k, 260,032 parameters")
    assert head.split()[:3] == ["profile", "decode", "tok/s"]
    assert row.startswith("m4-macos15") and " to " in row
    assert programs.split()[:3] == ["program", "ms", "bound"]
    assert "layers_s32_l0" in done.out and "layers_s32_l512" in done.out


def test_a_bundle_and_its_model_are_the_same(orion: Orion, tmp_path: Path) -> None:
    model = tiny.write(tmp_path / "model")
    made = bundle(model, profile("m4-macos15"), tmp_path / "bundle").directory
    by_model = found(orion("estimate", model, "--profile", "m4-macos15", "--json"))
    by_text = found(orion("estimate", made, "--profile", "m4-macos15", "--json"))
    times = [
        {program["name"]: program["seconds"] for program in told["profiles"][0]["programs"]}
        for told in (by_model, by_text)
    ]
    assert times[0] == times[1]


@pytest.mark.parametrize("way", ["inputs", "reload", "recompile"])
def test_a_training_step(orion: Orion, way: str) -> None:
    told = found(
        orion("estimate", "stories260k", "--train", "--profile", "paper", "--json")
        if way == "inputs"
        else orion(
            *("estimate", "stories260k", "--train", "--profile", "paper", "--json"),
            *("--weight-update", way),
        )
    )
    (row,) = told["profiles"]
    assert (row["way"], row["sequence"], row["accumulation"]) == (way, 256, 4)
    assert row["step_s"] == row["device_s"] + row["host_s"] + row["change_s"]
    assert row["tokens_per_s"] == pytest.approx(1024 / row["step_s"])
    cost = profile("paper")["cost"]
    if way != "inputs":
        held = [program for program in row["programs"] if program["weight_bytes"]]
        least = len(held) * (cost["load_seconds"] + cost["unload_seconds"])
        again = len(held) * cost["compile_seconds"] if way == "recompile" else 0
        assert row["change_s"] >= least + again


def test_the_paper(orion: Orion) -> None:
    rows = found(orion("estimate", "--paper", "--json"))["rows"]
    tables = list(dict.fromkeys(row["table"].split(",")[0] for row in rows))
    assert tables == ["decode", "prefill", "compile", "reload", "training step"]
    by_name = {(row["table"].split(",")[0], row["what"], row["unit"]): row for row in rows}
    decode = by_name["decode", "by 24 programs and the CPU", "ms a token"]
    assert (decode["claim"], decode["fitted"]) == (5.76, False)
    assert 0.7 < decode["ratio"] < 1.4
    assert by_name["reload", "60 programs", "ms"]["fitted"] is True
    done = orion("estimate", "--paper")
    assert done.code == 0 and "a coefficient is fitted to it" in done.out


def test_a_text_that_does_not_check_tells_its_faults(orion: Orion, tmp_path: Path) -> None:
    path = tmp_path / "model.mil"
    path.write_text(TEXT.replace("-> (y)", "-> (z)").replace("[1, 4, 1, 64]> y", "[1, 4, 1, 9]> y"))
    done = orion("estimate", path)
    assert done.code == 1 and done.out == ""
    assert f"{path}:3:" in done.err and "error:" in done.err


def test_wrong_use_says_what_there_is(orion: Orion, tmp_path: Path) -> None:
    path = tmp_path / "a.mil"
    path.write_text(TEXT)
    cases = (
        (("gpt2", "--chip", "M9"), 2, "there are M1, M2"),
        (("gpt2", "--profile", "m9"), 2, "m4-macos15"),
        ((), 2, "Name a model"),
        (("nothing-there",), 2, "no such model"),
        ((tmp_path,), 1, "config.json"),
        (("gpt2", "--context", "0"), 2, "--context is 1 or more"),
        (("gpt2", "--plot", tmp_path / "a.png"), 2, "of one profile"),
        (
            ("gpt2", "--train", "--max-seq-length", "4096", "--profile", "paper"),
            2,
            "1024 positions",
        ),
        ((path, "--train"), 2, "takes a model"),
    )
    for arguments, code, message in cases:
        done = orion("estimate", *arguments)
        assert (done.code, message in done.err) == (code, True), done.err
        assert "a fault of Orion's own" not in done.err


def test_a_roofline(orion: Orion, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = orion(
        *("estimate", "stories15m", "--profile", "m4-macos15", "--plot", tmp_path / "a.png")
    )
    assert done.code == 0, done.err
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "a.mil").write_text(TEXT)
    none = orion(
        *("estimate", tmp_path / "a.mil", "--profile", "m4-macos15", "--plot", tmp_path / "b.png")
    )
    assert none.code == 1 and "nothing to plot" in none.err


def test_the_page_is_what_its_commands_print(root: Path) -> None:
    """When coefficients changed: run scripts/estimates-page, and read the difference."""
    done = subprocess.run(
        [sys.executable, root / "scripts" / "estimates-page", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
