"""Generation from Python and by token ids: pieces, mlx_lm's names, models without a tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import copy_of, make_tiny, tokenizer_of
from test_chat import write_tokenizer

import orion as package
from orion import UsageError
from orion.generate import Sampling

Orion = Callable[..., Any]


def test_stream_generate_gives_a_token_at_a_time(
    stories: Path, cases: list[dict[str, Any]]
) -> None:
    case = cases[0]
    with package.load(stories, "cpu") as model:
        found = list(package.stream_generate(model, case["prompt"], max_tokens=20))
    assert [response.token for response in found] == case["new_ids"][:20]
    assert case["text"].startswith(case["prompt"] + "".join(r.text for r in found))
    assert [response.generation_tokens for response in found] == list(range(1, 21))
    assert {response.prompt_tokens for response in found} == {len(case["prompt_ids"])}
    assert [response.finish_reason for response in found] == [None] * 19 + ["length"]
    assert all(response.prompt_tps > 0 and response.generation_tps > 0 for response in found)


def test_stream_generate_says_why_it_stopped(stories: Path) -> None:
    with package.load(stories, "cpu") as model:
        found = list(package.stream_generate(model, "Once upon a time", stop="girl"))
    assert found[-1].finish_reason == "stop"
    assert "girl" not in "".join(response.text for response in found)


def test_sampling_reaches_the_session(stories: Path) -> None:
    seen: list[dict[str, Any]] = []
    with package.load(stories, "cpu") as model:
        set_sampling = model.session.set_sampling

        def record(**how: Any) -> None:
            seen.append(how)
            set_sampling(**how)

        model.session.set_sampling = record  # type: ignore[method-assign]
        how = {"temp": 0.5, "top_p": 0.9, "top_k": 7, "min_p": 0.1, "repetition_penalty": 1.3}
        model.generate("Once", 2, seed=11, **how)
    temp = how.pop("temp")
    assert seen == [{"temperature": temp, "seed": 11, **how}]


def test_a_repetition_penalty_changes_what_repeats(orion: Orion, stories: Path) -> None:
    arguments = ("--model", stories, "--device", "cpu", "-p", "Once upon a time", "-m", 100)
    plain = json.loads(orion("generate", *arguments, "--json").out)["new_ids"]
    options = ("--repetition-penalty", 5, "--temperature", 0)
    punished = json.loads(orion("generate", *arguments, *options, "--json").out)["new_ids"]
    assert len(set(punished)) > len(set(plain))


@pytest.mark.parametrize(
    ("name", "value"),
    [("temp", -1), ("temp", np.inf), ("top_p", 0), ("top_k", -1), ("min_p", 1.5),
     ("repetition_penalty", 0), ("seed", -1), ("seed", 1 << 64)],
)  # fmt: skip
def test_sampling_out_of_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=name):
        Sampling(**{name: value})  # type: ignore[arg-type]


def test_stop_strings_from_the_command_line(orion: Orion, stories: Path) -> None:
    arguments = ("--model", stories, "--device", "cpu", "-p", "Once upon a time", "-m", 40)
    done = orion("generate", *arguments, "--stop", "zebra", "--stop", " little girl")
    assert (done.code, done.out) == (0, "Once upon a time, there was a\n")
    assert "a stop string came" in done.err
    refused = orion("generate", *arguments, "--stop", "")
    assert (refused.code, refused.out) == (2, "")


def test_an_empty_prompt_is_a_text_that_begins(data: Path, tmp_path: Path) -> None:
    directory = copy_of(data / "golden/qwen3-tiny", tmp_path / "model")
    write_tokenizer(directory)
    with package.load(directory, "cpu") as model, pytest.raises(UsageError, match="no tokens"):
        model.generate("", 2)
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config, "bos_token_id": 7}))
    with package.load(directory, "cpu") as model:
        assert model.generate("", 2).prompt_ids == [7]


# Without a tokenizer


def test_ids_in_ids_out(orion: Orion, data: Path) -> None:
    model = data / "golden/llama-tiny-gqa"
    with np.load(model / "expected.npz") as expected:
        prompt = expected["input_ids"][0, :8].tolist()
        greedy = expected["greedy"].tolist()
    written = ",".join(map(str, prompt))
    arguments = ("--model", model, "--device", "cpu", "-m", len(greedy), "--prompt-ids", written)
    done = orion("generate", *arguments)
    assert (done.code, done.out) == (0, ",".join(map(str, greedy)) + "\n")
    result = json.loads(orion("generate", *arguments, "--json").out)
    assert (result["prompt_ids"], result["new_ids"], result["text"]) == (prompt, greedy, "")


def test_text_needs_a_tokenizer(orion: Orion, tmp_path: Path) -> None:
    model = make_tiny(tmp_path / "model")
    tokenizer_of(model).unlink()
    for more in (("-p", "Once"), ("--prompt-ids", "1", "--stop", "x")):
        done = orion("generate", "--model", model, "--device", "cpu", *more, "--json")
        assert (done.code, done.out) == (2, "")
        assert f"orion: {model}: has no tokenizer" in done.err
    assert orion("generate", "--model", model, "--device", "cpu", "--prompt-ids", "1").code == 0


@pytest.mark.parametrize("ids", ["1,x", "", "512", "-1", "1e3"])
def test_ids_that_are_none_are_refused(orion: Orion, data: Path, ids: str) -> None:
    model = data / "golden/llama-tiny-gqa"
    done = orion("generate", "--model", model, "--device", "cpu", f"--prompt-ids={ids}")
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
