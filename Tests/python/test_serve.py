"""A server answers OpenAI's own client as `generate` does: alone, streamed, and many at once."""

import concurrent.futures
import time
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from models import copy_of
from serving import NAME, Serving, greedy_texts, wait_for
from test_chat import write_tokenizer

import orion as package
from orion.generate import Chat, Model

PROMPTS = ["Once upon a time", "Lily and Tom went to the park.", "One day", "The dog", "é😀"]
GREEDY: dict[str, Any] = {"model": NAME, "temperature": 0}


@pytest.fixture(scope="module")
def plain(model: Model) -> dict[str, str]:
    """The greedy continuation of each prompt by 40 tokens."""
    return greedy_texts(model, PROMPTS, 40)


def test_completions_equal_generated_texts(client: openai.OpenAI, plain: dict[str, str]) -> None:
    for prompt, expected in plain.items():
        done = client.completions.create(prompt=prompt, max_tokens=40, **GREEDY)
        assert done.choices[0].text == expected
        assert done.choices[0].finish_reason == "length"
        assert done.usage is not None
        assert done.usage.completion_tokens == 40
        chunks = list(
            client.completions.create(prompt=prompt, max_tokens=40, stream=True, **GREEDY)
        )
        assert "".join(chunk.choices[0].text for chunk in chunks) == expected
        assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "length"
        assert len({chunk.id for chunk in chunks}) == 1


def test_ids_are_a_prompt_too(client: openai.OpenAI, model: Model, plain: dict[str, str]) -> None:
    prompt = PROMPTS[0]
    for ids in (model.encode(prompt), [model.encode(prompt)]):
        done = client.completions.create(prompt=ids, max_tokens=40, **GREEDY)
        assert done.choices[0].text == plain[prompt]


def test_a_seed_gives_what_it_gives_generate(client: openai.OpenAI, model: Model) -> None:
    how = {"top_p": 0.9, "seed": 7}
    expected = list(model.stream("One day", 30, temp=0.8, top_k=40, min_p=0.01, **how))
    asked = {"prompt": "One day", "max_tokens": 30, "temperature": 0.8, **how}
    more = {"top_k": 40, "min_p": 0.01}
    done = client.completions.create(model=NAME, extra_body=more, **asked)
    assert done.choices[0].text == "".join(piece.text for piece in expected[1:])


def test_stop_strings_end_the_text(client: openai.OpenAI, plain: dict[str, str]) -> None:
    prompt = PROMPTS[0]
    word = plain[prompt].split()[4]
    asked = {"prompt": prompt, "max_tokens": 40, "stop": ["never said", word], **GREEDY}
    done = client.completions.create(**asked)
    assert done.choices[0].text == plain[prompt].split(word)[0]
    assert done.choices[0].finish_reason == "stop"
    chunks = list(client.completions.create(stream=True, **asked))
    assert "".join(chunk.choices[0].text for chunk in chunks) == done.choices[0].text


def test_a_conversation_is_one_text_without_a_template(
    client: openai.OpenAI, plain: dict[str, str]
) -> None:
    prompt = PROMPTS[0]
    parts = [{"type": "text", "text": prompt[:4]}, {"type": "text", "text": prompt[4:]}]
    contents: list[Any] = [prompt, parts]
    for content in contents:
        messages: Any = [{"role": "user", "content": content}]
        done = client.chat.completions.create(messages=messages, max_tokens=40, **GREEDY)
        assert done.choices[0].message.content == plain[prompt]
        assert done.choices[0].message.role == "assistant"
    half = plain[prompt][:20]
    messages = [
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": half},
        {"role": "user", "content": " And then"},
    ]
    said = client.completions.create(prompt=f"{prompt}{half} And then", max_tokens=20, **GREEDY)
    done = client.chat.completions.create(messages=messages, max_completion_tokens=20, **GREEDY)
    assert done.choices[0].message.content == said.choices[0].text


def test_a_streamed_conversation_has_openai_s_form(
    client: openai.OpenAI, plain: dict[str, str]
) -> None:
    chunks = list(
        client.chat.completions.create(
            messages=[{"role": "user", "content": PROMPTS[0]}],
            max_tokens=40,
            stream=True,
            stream_options={"include_usage": True},
            **GREEDY,
        )
    )
    first, *middle, last = chunks
    assert first.choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in middle) == plain[PROMPTS[0]]
    assert middle[-1].choices[0].finish_reason == "length"
    assert (last.choices, last.usage and last.usage.completion_tokens) == ([], 40)


def test_a_template_makes_the_text(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    directory = copy_of(data / "golden/qwen3-tiny", tmp_path / "model")
    write_tokenizer(directory)
    with package.load(directory, "cpu") as model:
        chat = Chat(model, system="Be brief", max_tokens=12)
        expected = "".join(piece.text for piece in chat.ask("Hi"))
        messages: Any = [
            {"role": "developer", "content": "Be brief"},
            {"role": "user", "content": "Hi"},
        ]
        with Serving(model) as serving:
            done = serving.client().chat.completions.create(
                messages=messages, max_tokens=12, **GREEDY
            )
            assert done.choices[0].message.content == expected


def test_many_slow_clients_get_what_each_asked_for(
    serving: Serving, client: openai.OpenAI, plain: dict[str, str]
) -> None:
    def read_slowly(number: int) -> tuple[str, str]:
        prompt = PROMPTS[number % len(PROMPTS)]
        if number % 3 == 0:
            done = client.completions.create(prompt=prompt, max_tokens=40, **GREEDY)
            return prompt, done.choices[0].text
        text = ""
        for chunk in client.completions.create(prompt=prompt, max_tokens=40, stream=True, **GREEDY):
            text += chunk.choices[0].text
            time.sleep(0.002 * (number % 5))
        return prompt, text

    calls = serving.count("decode_calls_total")
    made = serving.count("generated_tokens_total")
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        for prompt, text in pool.map(read_slowly, range(24)):
            assert text == plain[prompt]
    assert serving.count("generated_tokens_total") - made == 24 * 40
    # One at a time, they would take a call for every few tokens of each.
    assert serving.count("decode_calls_total") - calls < 24 * 40
    wait_for(serving.is_idle)


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [NAME]
    assert client.models.retrieve(NAME).id == NAME


def test_health_and_metrics_and_the_page(serving: Serving) -> None:
    assert httpx.get(f"{serving.url}/health").json() == {"status": "ok"}
    text = httpx.get(f"{serving.url}/metrics").text
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(float(row.rsplit(" ", 1)[1]) >= 0 for row in rows)
    assert any(row.startswith("orion_slots_used ") for row in rows)
    page = httpx.get(f"{serving.url}/")
    assert page.headers["content-type"].startswith("text/html")
    assert "connect-src 'self'" in page.headers["content-security-policy"]
    # A namespace's name is no address.
    assert "http://" not in page.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page.text
    assert '<html lang="en">' in page.text
