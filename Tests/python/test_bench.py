"""What scripts/bench says: rows, shares and ratios, baselines; no speed is tested."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from orion.bench import command, model_peers
from orion.bench.arguments import CASES, add_arguments
from orion.bench.commands import run_python
from orion.bench.machine import Limits, measure_limits
from orion.bench.model_shapes import MODELS
from orion.bench.peer import WORKERS, Worker
from orion.bench.rows import compare, interleaved, make_row, read_baseline, save
from orion.bench.train_case import PEERS, measured
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
    assert compare([*near, make_row("new", [1], "x")], read_baseline(path)) == []
    assert [line.split(":")[0] for line in compare(far, read_baseline(path))] == ["rate", "time"]


def test_a_baseline_that_is_none_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "nothing.json"
    with pytest.raises(OrionError, match="no baseline"):
        read_baseline(path)
    path.write_text("{}x")
    with pytest.raises(OrionError, match="--save-baseline"):
        read_baseline(path)


def test_an_unknown_peer_is_refused_by_name() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orion.bench", "train", "--peer", "nobody", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no peer 'nobody'" in done.stderr and done.stdout == ""


def test_workers_answer_in_turn_and_say_how_they_failed(tmp_path: Path) -> None:
    script = "import sys\nfor line in sys.stdin: print('noise'); print(line, flush=True)"
    with Worker("echo", [sys.executable, "-c", script]) as worker:
        assert worker.ask(a=1) == {"a": 1}
        assert worker.ask(b=2) == {"b": 2}
    talkative = script.replace("\n", "; sys.stderr.write('x' * 1000000)\n")
    with Worker("talkative", [sys.executable, "-c", talkative]) as worker:
        assert worker.ask(c=3) == {"c": 3}
    with (
        Worker("broken", [sys.executable, "-c", "import no_such_module"]) as worker,
        pytest.raises(OrionError, match=r"broken failed:\n(.|\n)*no_such_module"),
    ):
        worker.ask()
    with pytest.raises(OrionError, match=r"absent: .* does not start"):
        Worker("absent", [str(tmp_path / "none")])


def test_steps_of_workers_are_measured_in_turn_without_the_first() -> None:
    script = (
        "import sys\nfor i, _ in enumerate(sys.stdin): print('{\"step_s\": %d}' % i, flush=True)"
    )
    workers = [Worker(name, [sys.executable, "-c", script]) for name in "ab"]
    found = measured(workers, 2)
    for worker in workers:
        worker.close()
    assert found == [[{"step_s": 1}, {"step_s": 2}]] * 2


def test_every_peer_of_training_has_a_script() -> None:
    assert all((WORKERS / f"{script}.py").is_file() for script, _ in PEERS.values())


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


def test_every_peer_of_models_has_a_script() -> None:
    assert all((WORKERS / f"{script}.py").is_file() for script, _ in model_peers.PEERS.values())


def test_a_command_that_fails_says_how() -> None:
    assert run_python("-c", "print(3)").output == "3\n"
    with pytest.raises(OrionError, match="no_such_module"):
        run_python("-c", "import no_such_module")
