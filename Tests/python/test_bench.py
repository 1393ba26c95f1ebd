"""What `orion bench` says: rows, shares and ratios, baselines; no speed is tested."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orion.bench import command
from orion.bench.arguments import CASES, add_arguments
from orion.bench.commands import run_python
from orion.bench.machine import Limits, measure_limits
from orion.bench.model_shapes import MODELS
from orion.bench.rows import compare, interleaved, make_row, read_baseline, save
from orion.errors import OrionError, UsageError


def test_limits_are_measured() -> None:
    limits = measure_limits()
    assert limits.threads >= 1
    assert min(limits.flops, limits.read, limits.copy) > 0
    assert [row.case for row in limits.rows()] == [
        "limit/multiply-add",
        "limit/read",
        "limit/copy",
    ]


def test_a_limit_that_was_not_reached_gives_no_share() -> None:
    slow, fast = Limits(2, "c", 100, 10, 5), Limits(2, "c", 200, 40, 30)
    assert (slow.flops_limit, slow.read_limit, slow.copy_limit) == (None, None, None)
    assert (fast.flops_limit, fast.read_limit, fast.copy_limit) == (200, 40, 30)
    assert "limit not reached" in slow.rows()[0].text()
    assert [row.unit for row in slow.rows()] == [row.unit for row in fast.rows()]
    row = make_row("a", [1], "x", limit=slow.flops_limit)
    assert (row.limit, row.share) == (None, None) and "limit not reached" in row.text()
    assert "limit" not in make_row("without one", [1], "x").text()


def test_a_row_holds_median_share_and_ratio() -> None:
    row = make_row("a", [50, 90, 60], "Gflop/s", limit=120, peer=("other", [40, 30, 20]))
    assert (row.value, row.share, row.peer_value, row.ratio) == (60, 0.5, 30, 2)
    assert row.runs == (50, 90, 60)
    assert "50.0 % of 120" in row.text() and "2.00 x other (30)" in row.text()


def test_less_seconds_are_a_larger_share_and_ratio() -> None:
    row = make_row("a", [4], "s", limit=3, peer=("other", [5]), less_is_better=True)
    assert (row.share, row.ratio) == (0.75, 1.25)


def test_bodies_take_turns() -> None:
    order: list[str] = []
    bodies = {name: lambda name=name: order.append(name) or 1.0 for name in "ab"}
    assert interleaved(bodies, 2) == {"a": (1.0, 1.0), "b": (1.0, 1.0)}
    assert order == ["a", "b", "a", "b"]


def test_a_baseline_warns_past_fifteen_percent(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    save([make_row("rate", [100], "x"), make_row("time", [1], "s", less_is_better=True)], path)
    assert {row["case"] for row in json.loads(path.read_text())} == {"rate", "time"}
    near = [make_row("rate", [90], "x"), make_row("time", [1.1], "s", less_is_better=True)]
    far = [make_row("rate", [80], "x"), make_row("time", [1.2], "s", less_is_better=True)]
    assert compare(near, read_baseline(path)) == []
    assert [line.split(":")[0] for line in compare(far, read_baseline(path))] == ["rate", "time"]


def test_a_baseline_says_what_it_does_not_hold() -> None:
    rows = [make_row(case, [1], "x") for case in ("one", "two", "three")]
    assert compare(rows, {"two": 1}) == ["the baseline has no one, no three: not compared"]


@pytest.mark.parametrize(
    "text",
    [
        "{}x",
        "3",
        '{"case": 1}',
        '[{"case": "a"}]',
        "[1]",
        '[{"case": "a", "value": 0}]',
        '[{"case": "a", "value": NaN}]',
        "[" * 100_000,
    ],
)
def test_a_baseline_that_is_none_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "nothing.json"
    with pytest.raises(OrionError, match=r"no baseline: No such file"):
        read_baseline(path)
    path.write_text(text)
    with pytest.raises(OrionError, match=r"no baseline: .*; write one with --save-baseline"):
        read_baseline(path)


def test_the_script_is_the_command(root: Path) -> None:
    done = subprocess.run(
        [root / "scripts" / "bench", "train", "--peer", "nobody", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHON": sys.executable},
    )
    assert done.returncode == 2
    assert "no peer 'nobody'" in done.stderr and done.stdout == ""


def test_the_command_knows_every_case() -> None:
    assert set(CASES) == set(command.CASES)


def test_bytes_of_a_model_are_those_of_its_matrices() -> None:
    gpt2, stories = MODELS["gpt2"], MODELS["stories110m"]
    assert gpt2.matrix_values == 12 * 12 * 768**2 + 50257 * 768
    assert stories.matrix_values == 12 * (4 * 768**2 + 3 * 768 * 2048) + 32000 * 768
    assert gpt2.weight_bytes("fp16") == 2 * gpt2.matrix_values
    assert gpt2.cache_bytes == stories.cache_bytes == 2 * 4 * 12 * 768
    assert gpt2.prefill_flops(1) == 2 * gpt2.matrix_values


@pytest.mark.parametrize("case", CASES)
def test_every_case_refuses_an_unknown_peer(case: str) -> None:
    with pytest.raises(UsageError, match=f"{case}: no peer 'nobody' is known"):
        command.check_peer(case, "nobody")
    command.check_peer(case, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--repeats", "0"), "--repeats is 1 or more"),
        (("--compare", "absent.json"), "absent.json: no baseline"),
        (("--save-baseline", "absent/new.json"), "there is no directory absent"),
        (("--save-baseline", "."), "Is a directory"),
        (("--peer", "jax"), "startup: no peer 'jax' is known; the case runs alone"),
    ],
)
def test_what_cannot_end_well_is_not_begun(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    """Measuring takes minutes."""
    monkeypatch.setattr(command, "measured", lambda _options: pytest.fail("measured"))
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(OrionError, match=said):
        command.run(parser.parse_args(["startup", *arguments]))


def test_a_command_that_fails_says_how() -> None:
    assert run_python("-c", "print(3)").output == "3\n"
    with pytest.raises(OrionError, match="no_such_module"):
        run_python("-c", "import no_such_module")
