"""`orion generate` and `verify` on a real model: llama2.c's tokens, caches, failures, signals."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import orion as package

FIELDS = (
    *("prompt", "prompt_ids", "new_ids", "text", "finish", "device", "profile", "route"),
    *("compiles", "cache_hits", "loads", "evals", "loaded_programs"),
    *("prefill_s", "decode_s", "virtual_s", "speculation"),
)
CASES = range(5)
DEVICES = ("cpu", "sim")
FP16_MARGIN = 0.03
Orion = Callable[..., Any]


def generate(
    orion: Orion, model: Path, case: dict[str, Any], device: str, *more: object
) -> dict[str, Any]:
    arguments = ["--model", model, "--prompt", case["prompt"], "--device", device, "--temp", 0]
    done = orion("generate", *arguments, "--max-tokens", len(case["new_ids"]), "--json", *more)
    assert done.code == 0, done.err
    result: dict[str, Any] = json.loads(done.out)
    return result


@pytest.mark.parametrize("number", CASES)
def test_cpu_gives_the_reference_tokens_and_text(
    orion: Orion, stories: Path, cases: list[dict[str, Any]], number: int
) -> None:
    case = cases[number]
    result = generate(orion, stories, case, "cpu")
    assert tuple(result) == FIELDS
    for name in ("prompt", "prompt_ids", "new_ids", "text"):
        assert result[name] == case[name]
    assert (result["device"], result["profile"]) == ("cpu", "cpu")


@pytest.mark.parametrize("number", CASES)
def test_sim_gives_the_reference_tokens_up_to_a_close_call(
    orion: Orion, stories: Path, cases: list[dict[str, Any]], number: int
) -> None:
    case = cases[number]
    result = generate(orion, stories, case, "sim")
    close = [place for place, margin in enumerate(case["margins"]) if margin <= FP16_MARGIN]
    until = close[0] if close else len(case["new_ids"])
    assert result["prompt_ids"] == case["prompt_ids"]
    assert len(result["new_ids"]) == len(case["new_ids"])
    assert result["new_ids"][:until] == case["new_ids"][:until]
    assert (result["profile"], result["route"]) == ("m4-macos15", "client")
    assert result["virtual_s"] > 0
    assert result["evals"] >= len(case["new_ids"])


def test_there_are_as_many_cases_as_tests(cases: list[dict[str, Any]]) -> None:
    assert len(cases) == len(CASES)


@pytest.mark.parametrize(("device", "threshold"), [("cpu", 0.0), ("sim", FP16_MARGIN)])
def test_verify_compares_every_position(
    orion: Orion, stories: Path, cases: list[dict[str, Any]], device: str, threshold: float
) -> None:
    arguments = ("--model", stories, "--ids", stories / "expected.json", "--device", device)
    done = orion("verify", *arguments, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["equal"] is True
    assert report["threshold"] == threshold
    for case, found in zip(cases, report["cases"], strict=True):
        assert found["positions"] == len(case["new_ids"])
        assert found["compared"] == sum(margin > threshold for margin in case["margins"])
        assert found["differences"] == []
    table = orion("verify", *arguments)
    assert table.code == 0
    assert "Once upon a time" in table.out


def test_verify_fails_where_a_token_differs(
    orion: Orion, stories: Path, cases: list[dict[str, Any]], tmp_path: Path
) -> None:
    case = json.loads(json.dumps(cases[0]))
    case["new_ids"][5] = 7
    path = tmp_path / "ids.json"
    path.write_text(json.dumps({"cases": [case]}))
    done = orion("verify", "--model", stories, "--ids", path, "--device", "cpu", "--json")
    assert done.code == 1
    report = json.loads(done.out)
    first = report["cases"][0]["differences"][0]
    assert report["equal"] is False
    assert (first["position"], first["expected"]) == (5, 7)
    assert first["chosen"] == cases[0]["new_ids"][5]
    assert "new token 5" in done.err


def test_standard_output_is_the_text_alone(
    orion: Orion, stories: Path, cases: list[dict[str, Any]]
) -> None:
    case = cases[2]
    done = orion(
        *("generate", "--model", stories, "-p", case["prompt"], "-m", len(case["new_ids"])),
        *("--device", "cpu"),
    )
    assert (done.code, done.out) == (0, case["text"] + "\n")
    assert "cpu: profile cpu" in done.err


def test_auto_says_what_runs_and_why(orion: Orion, stories: Path) -> None:
    done = orion("generate", "--model", stories, "-p", "Once", "-m", 2)
    assert done.code == 0, done.err
    assert "because" in done.err.splitlines()[0]
    assert done.err.startswith("auto: ")


def test_the_prompt_comes_from_standard_input(stories: Path) -> None:
    arguments = ["generate", "--model", str(stories), "--device", "cpu", "-p", "-", "-m", "3"]
    done = subprocess.run(
        [sys.executable, "-m", "orion", *arguments],
        input="Once upon a time",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "Once upon a time, there was\n"


def test_a_trace_shows_the_frameworks_calls_in_order(
    orion: Orion, stories: Path, tmp_path: Path
) -> None:
    arguments = ("--model", stories, "-p", "Once", "-m", 2, "--device", "sim")
    done = orion("generate", *arguments, "--trace", "--cache-dir", tmp_path)
    assert done.code == 0
    places = [done.err.index(call) for call in ("_ANEClient", "compileModel:", "loadModel:",
                                                "evaluateWithModel:")]  # fmt: skip
    assert places == sorted(places)
    assert "compileModel" not in done.out


def test_streamed_pieces_are_the_text(stories: Path, cases: list[dict[str, Any]]) -> None:
    case = cases[1]
    with package.load(stories, "cpu") as model:
        for chunk in (1, 16, 1000):
            pieces = list(model.stream(case["prompt"], len(case["new_ids"]), chunk=chunk))
            assert "".join(piece.text for piece in pieces) == case["text"]
            assert [i for piece in pieces[1:] for i in piece.ids] == case["new_ids"]
            assert pieces[-1].finish == "length"
        assert model.generate(case["prompt_ids"], 0).new_ids == []


def test_a_seed_repeats_a_draw(stories: Path) -> None:
    with package.load(stories, "cpu") as model:

        def draw(**how: Any) -> list[int]:
            return model.generate("Once upon a time", 40, **how).new_ids

        greedy = draw()
        assert draw(temp=1.0, seed=1) == draw(temp=1.0, seed=1)
        assert draw(temp=1.0, seed=1) != draw(temp=1.0, seed=2)
        assert draw(temp=1.0, top_k=1, seed=1) == greedy
        assert draw(temp=1.0, top_p=1e-6, seed=1) == greedy
        assert draw(temp=1.0, min_p=1.0, seed=1) == greedy


def test_generation_ends_with_the_context(stories: Path) -> None:
    with package.load(stories, "cpu") as model:
        result = model.generate("Once upon a time", 100_000)
    assert result.finish in ("context", "end")
    assert len(result.prompt_ids) + len(result.new_ids) <= model.session.context + 1


def test_a_bundle_is_a_model_for_its_profile(
    orion: Orion, stories: Path, cases: list[dict[str, Any]], tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    done = orion("compile", "--model", stories, "--device", "cpu", "-o", bundle)
    assert (done.code, done.out) == (0, f"{bundle}\n")
    assert generate(orion, bundle, cases[3], "cpu")["text"] == cases[3]["text"]
    shown = orion("info", "--model", bundle, "--device", "cpu", "--json")
    assert json.loads(shown.out)["model"]["vocabulary"] == 512
    wrong = orion("generate", "--model", bundle, "--device", "sim", "-m", 2)
    assert wrong.code == 1
    assert "cpu" in wrong.err
    assert "m4-macos15" in wrong.err


def start(stories: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "orion", "generate", "--model", str(stories)]
    # Shells start background work with interrupts ignored, and children keep that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [*command, "--device", "sim", "-m", "400", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def test_an_interrupt_ends_quietly(stories: Path) -> None:
    with start(stories) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        said = process.stderr.read().decode()
    assert process.returncode == 130
    assert "Traceback" not in said


def test_a_reader_who_leaves_ends_it_quietly(stories: Path) -> None:
    with start(stories) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(1)
        process.stdout.close()
        said = process.stderr.read().decode()
    assert process.returncode == 141
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


def test_import_and_help_are_quick() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "import orion, sys; print(sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "'orion'" in shown.stdout
    assert "'numpy'" not in shown.stdout
    helped = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "orion", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "generate" in helped.stdout
    assert "numpy" not in helped.stderr
