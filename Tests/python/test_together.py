"""Guessed and batched texts equal plain ones, token by token, on every device."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import orion as package
from orion.errors import OrionError, UsageError
from orion.generate import Model, batch

DEVICES = ("cpu", "sim")
PROMPTS = ["Once upon a time", "Lily and Tom went to the park. Lily and Tom", "One day", "The dog"]
HOW = ({"temp": 0.0}, {"temp": 0.8, "top_p": 0.9, "seed": 7})


@pytest.fixture(scope="module", params=DEVICES)
def model(request: pytest.FixtureRequest, stories: Path) -> Iterator[Model]:
    with package.load(stories, request.param) as opened:
        yield opened


@pytest.mark.parametrize("how", HOW)
def test_guessed_texts_equal_plain_ones(model: Model, how: dict[str, Any]) -> None:
    accepted = 0.0
    for prompt in PROMPTS:
        plain = model.generate(prompt, 60, **how)
        assert plain.speculation is None
        for tokens in (1, 6):
            guessed = model.generate(prompt, 60, num_draft_tokens=tokens, **how)
            assert (guessed.new_ids, guessed.text) == (plain.new_ids, plain.text)
            found = guessed.speculation
            assert found is not None
            assert found["steps"] + found["accepted"] >= len(plain.new_ids) - 1
            assert found["accepted"] <= found["drafted"] <= tokens * found["steps"]
            assert found["accepted_per_step"] == found["accepted"] / found["steps"]
            accepted += found["accepted"]
    assert accepted > 0


@pytest.mark.parametrize("how", HOW)
def test_batched_texts_equal_plain_ones(model: Model, how: dict[str, Any]) -> None:
    plain = [model.generate(prompt, 40, **how) for prompt in PROMPTS]
    evals = model.device.counters()["evals"]
    together = model.generate_batch(PROMPTS, 40, **how)
    steps = model.device.counters()["evals"] - evals
    assert [found.text for found in together] == [found.text for found in plain]
    assert [found.finish for found in together] == [found.finish for found in plain]
    assert [found.prompt for found in together] == PROMPTS
    # Alone, each token takes a step and the head.
    assert steps < sum(len(found.new_ids) for found in plain) * 2
    guessed = batch(model, PROMPTS, 40, num_draft_tokens=3, stop=["Lily"], **how)
    for found, alone in zip(guessed, PROMPTS, strict=True):
        assert found.text == model.generate(alone, 40, stop=["Lily"], **how).text
        assert found.speculation is not None


def test_more_prompts_than_slots_take_turns(model: Model) -> None:
    slots = model.session.facts["slots"]
    prompts = [[1, 400 + number] for number in range(6)]
    plain = [model.generate(prompt, slots // 4).new_ids for prompt in prompts]
    assert [found.new_ids for found in model.generate_batch(prompts, slots // 4)] == plain


def test_sequences_share_a_session(model: Model) -> None:
    session = model.session
    session.reset()
    ids = model.encode(PROMPTS[0])
    expected = session.feed(ids, logits=1)
    with session.sequence() as one, session.sequence() as two:
        two.feed(model.encode(PROMPTS[1]))
        assert (one.feed(ids, logits=1) == expected).all()
        drawn, _ = one.generate(5)
        one.truncate(len(ids))
        assert one.counters()["length"] == len(ids)
        assert one.generate(5)[0] == drawn
        with pytest.raises(UsageError, match="twice"):
            session.generate_batch(1, [one, one])
        with pytest.raises(UsageError, match="length"):
            one.truncate(-1)
    with pytest.raises(UsageError, match="sequence was closed"):
        one.generate(1)


def test_prompts_are_read_in_steps_that_they_share(model: Model) -> None:
    session = model.session
    session.reset()
    prompts = [model.encode(prompt) for prompt in PROMPTS]
    plain = [model.generate(prompt, 12).new_ids for prompt in prompts]
    session.reset()
    with session.sequence() as beside:
        beside.feed([5] * 200)
        readers = [session.sequence() for _ in prompts]
        before = model.device.counters()["evals"]
        session.feed_batch(prompts, readers)
        # One step for all: its programs, as many as one short prompt alone would run.
        shared = model.device.counters()["evals"] - before
        with session.sequence() as one:
            one.feed(prompts[0])
        assert shared == model.device.counters()["evals"] - before - shared
        assert [len(prompt) for prompt in prompts] == [
            reader.counters()["length"] for reader in readers
        ]
        # A longer text goes on where it stood.
        readers[0].truncate(1)
        session.feed_batch([prompts[0][1:], []], readers[:2])
        assert [ids for ids, _ in session.generate_batch(12, readers)] == plain
        for reader in readers:
            reader.close()


def test_a_batch_that_cannot_be_read_changes_nothing(model: Model) -> None:
    session = model.session
    with session.sequence() as one, session.sequence() as two:
        for texts, message in (
            ([[1], [2, 1 << 20]], r"tokens\[1\] of sequences\[1\]: expected an id"),
            ([[1]], "1 texts for 2 sequences"),
            ([[1], [2] * session.context * 2], "do not fit into"),
        ):
            with pytest.raises(OrionError, match=message):
                session.feed_batch(texts, [one, two])
        with pytest.raises(OrionError, match="twice"):
            session.feed_batch([[1], [2]], [one, one])
        assert one.counters()["length"] == two.counters()["length"] == 0


def test_sequences_end_with_their_session(stories: Path) -> None:
    model = package.load(stories, "cpu")
    sequence = model.session.sequence()
    model.session.close()
    with pytest.raises(UsageError, match="session was closed"):
        sequence.feed([1])
    sequence.close()
    model.close()


def test_a_batch_may_be_empty_and_a_prompt_may_not(model: Model) -> None:
    assert model.generate_batch([], 5) == []
    assert [found.new_ids for found in model.generate_batch(["Hi", "Ho"], 0)] == [[], []]
    with pytest.raises(UsageError, match="no tokens"):
        model.generate_batch(["Hi", []], 5)
    with pytest.raises(UsageError, match="num_draft_tokens"):
        model.generate("Hi", 5, num_draft_tokens=-1)
    with pytest.raises(OrionError, match="id from 0"):
        model.generate_batch([[1], [1 << 20]], 5)
    assert model.generate_batch(["Hi"], 5)[0].text == model.generate("Hi", 5).text


def test_the_command_reports_guesses(orion: Callable[..., Any], stories: Path) -> None:
    arguments = ["generate", "--model", stories, "--prompt", "Once", "--device", "cpu"]
    plain = json.loads(orion(*arguments, "--json").out)
    done = orion(*arguments, "--num-draft-tokens", 5, "--json")
    found = json.loads(done.out)
    assert found["text"] == plain["text"]
    assert plain["speculation"] is None
    assert set(found["speculation"]) == {"steps", "drafted", "accepted", "accepted_per_step"}
    assert "guesses right" in done.err
    assert orion(*arguments, "--num-draft-tokens", 9999).code == 2
