"""Several texts for one request, and scores of their tokens."""

import math
from typing import Any

import numpy as np
import openai
import pytest
from serving import NAME, Serving, greedy_texts, wait_for

from orion.generate import Model

PROMPTS = ["Once upon a time", "One day", "é😀"]
COUNT = 24
ASKED: dict[str, Any] = {"model": NAME, "max_tokens": COUNT, "temperature": 0}
TALK: Any = [{"role": "user", "content": PROMPTS[0]}]


@pytest.fixture(scope="module")
def plain(model: Model) -> dict[str, str]:
    return greedy_texts(model, PROMPTS, COUNT)


def joined(chunks: Any, count: int) -> list[str]:
    """The text of each choice."""
    texts = [""] * count
    for chunk in chunks:
        for choice in chunk.choices:
            piece = choice.delta.content if hasattr(choice, "delta") else choice.text
            texts[choice.index] += piece or ""
    return texts


def test_prompts_in_a_list_are_answered_in_its_order(
    serving: Serving, client: openai.OpenAI, model: Model, plain: dict[str, str]
) -> None:
    expected = [plain[prompt] for prompt in PROMPTS]
    ids = [model.encode(prompt) for prompt in PROMPTS]
    lists: list[Any] = [PROMPTS, ids]
    for prompts in lists:
        done = client.completions.create(prompt=prompts, **ASKED)
        assert [choice.text for choice in done.choices] == expected
        assert [choice.index for choice in done.choices] == [0, 1, 2]
        assert done.usage is not None
        assert done.usage.prompt_tokens == sum(map(len, ids))
        assert done.usage.completion_tokens == 3 * COUNT
        chunks = client.completions.create(prompt=prompts, stream=True, **ASKED)
        assert joined(chunks, 3) == expected
    wait_for(serving.is_idle)


def test_n_draws_several_texts_of_which_the_first_is_that_of_one(client: openai.OpenAI) -> None:
    asked = {**ASKED, "temperature": 1, "seed": (1 << 63) - 2}
    alone = client.completions.create(prompt="One day", **asked)
    done = client.completions.create(prompt=["One day", "Once"], n=3, **asked)
    texts = [choice.text for choice in done.choices]
    assert (len(texts), len(set(texts))) == (6, 6)
    assert texts[0] == alone.choices[0].text
    again = client.completions.create(prompt=["One day", "Once"], n=3, stream=True, **asked)
    assert joined(again, 6) == texts
    talk = {"messages": TALK, "n": 2, **asked}
    said = client.chat.completions.create(**talk)
    streamed = client.chat.completions.create(stream=True, **talk)
    assert joined(streamed, 2) == [choice.message.content for choice in said.choices]


def test_a_stop_string_ends_one_text_and_not_the_others(
    serving: Serving, client: openai.OpenAI, plain: dict[str, str]
) -> None:
    word = plain[PROMPTS[0]].split()[-2]
    assert word not in plain[PROMPTS[2]]
    done = client.completions.create(prompt=PROMPTS, stop=word, **ASKED)
    assert [choice.text for choice in done.choices] == [
        plain[prompt].split(word)[0] for prompt in PROMPTS
    ]
    assert done.choices[0].finish_reason == "stop"
    assert done.choices[2].finish_reason == "length"
    wait_for(serving.is_idle)


def test_scores_are_those_of_the_model(
    client: openai.OpenAI, model: Model, plain: dict[str, str]
) -> None:
    for prompt in PROMPTS:
        done = client.completions.create(prompt=prompt, logprobs=3, **ASKED)
        choice = done.choices[0]
        assert choice.text == plain[prompt]
        scores: Any = choice.logprobs
        ids = model.encode(prompt)
        new = model.generate(ids, COUNT).new_ids
        with model.session.sequence() as reader:
            logits = reader.feed([*ids, *new], logits=COUNT + 1)[:-1].astype(np.float64)
        expected = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        assert np.allclose(scores.token_logprobs, expected[range(COUNT), new], atol=1e-9)
        # Greedy: the token drawn is the likeliest.
        assert scores.token_logprobs == [max(row.values()) for row in scores.top_logprobs]
        assert all(len(row) == 3 for row in scores.top_logprobs)
        if "é" not in prompt:
            assert "".join(scores.tokens) == choice.text
            for offset, token in zip(scores.text_offset, scores.tokens, strict=True):
                assert choice.text[offset:].startswith(token)


def test_scores_come_with_their_chunks(client: openai.OpenAI, plain: dict[str, str]) -> None:
    asked = {"prompt": PROMPTS[0], "logprobs": 1, **ASKED}
    whole: Any = client.completions.create(**asked).choices[0].logprobs
    parts: Any = [
        chunk.choices[0].logprobs for chunk in client.completions.create(stream=True, **asked)
    ]
    for name in ("tokens", "token_logprobs", "text_offset"):
        assert [each for part in parts for each in getattr(part, name)] == getattr(whole, name)
    talk = {"messages": TALK, "logprobs": True, "top_logprobs": 2, **ASKED}
    said = client.chat.completions.create(**talk).choices[0]
    assert said.message.content == plain[PROMPTS[0]]
    rows: Any = said.logprobs.content
    assert b"".join(bytes(row.bytes) for row in rows).decode() == plain[PROMPTS[0]]
    assert [row.logprob for row in rows] == whole.token_logprobs
    for row in rows:
        first, second = row.top_logprobs
        assert (first.token, first.logprob) == (row.token, row.logprob)
        assert math.exp(first.logprob) + math.exp(second.logprob) <= 1
        assert second.logprob <= first.logprob
    streamed: Any = []
    for chunk in client.chat.completions.create(stream=True, **talk):
        streamed += chunk.choices[0].logprobs.content
    assert streamed == rows


def test_scores_change_no_text_that_is_drawn(client: openai.OpenAI) -> None:
    asked = {**ASKED, "temperature": 0.9, "seed": 3, "prompt": PROMPTS, "n": 2}
    more = {"repetition_penalty": 1.2}
    texts = [
        [
            choice.text
            for choice in client.completions.create(extra_body={**more, **scores}, **asked).choices
        ]
        for scores in ({}, {"logprobs": 0}, {"logprobs": 5})
    ]
    assert texts[0] == texts[1] == texts[2]
