"""Texts are whole whatever else holds slots of the session: each is right, or an error."""

import concurrent.futures

import httpx
import pytest
from serving import NAME, Serving, greedy_texts, wait_for

from orion.generate import Model

PROMPTS = ("Once upon a time", "Lily and Tom went to the park.", "One day", "The dog")
TOKENS = 40


@pytest.fixture(scope="module")
def plain(model: Model) -> dict[str, str]:
    return greedy_texts(model, PROMPTS, TOKENS)


def ask_all(serving: Serving, count: int) -> list[tuple[str, httpx.Response]]:
    """So many requests at once, each with its prompt."""

    def ask(number: int) -> tuple[str, httpx.Response]:
        prompt = PROMPTS[number % len(PROMPTS)]
        asked = {"model": NAME, "prompt": prompt, "max_tokens": TOKENS, "temperature": 0}
        return prompt, serving.post(json=asked)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))


def check_whole(answers: list[tuple[str, httpx.Response]], plain: dict[str, str]) -> list[str]:
    """Each that was answered has its prompt's text; the codes of the errors."""
    codes = []
    for prompt, answer in answers:
        body = answer.json()
        if answer.status_code == 200:
            assert body["choices"][0]["text"] == plain[prompt]
            assert body["usage"]["completion_tokens"] == TOKENS
        else:
            codes.append(body["error"]["code"])
    return codes


@pytest.mark.parametrize("held", [32, 60, 200])
def test_a_text_of_the_session_itself_leaves_less_room(
    model: Model, plain: dict[str, str], held: int
) -> None:
    with Serving(model) as serving:
        # What `generate` leaves behind when the same model is used beside the server.
        wait_for(lambda: serving.count("slots"))
        model.session.feed([5] * held)
        assert check_whole(ask_all(serving, 16), plain) == []
        wait_for(serving.is_idle)


@pytest.mark.parametrize("left", [392, 30])
def test_slots_that_others_hold_cut_no_text(model: Model, plain: dict[str, str], left: int) -> None:
    with Serving(model) as serving, model.session.sequence() as other:
        wait_for(lambda: serving.count("slots"))
        other.feed([5] * (model.session.facts["slots"] - left))
        answers = ask_all(serving, 12)
        codes = check_whole(answers, plain)
        assert set(codes) <= {"slots_taken", "generation_failed"}
        # No text at all fits into the smaller room.
        assert len(codes) == 12 if left < TOKENS else len(codes) < 12
        wait_for(serving.is_idle)
        other.reset()
        assert check_whole(ask_all(serving, 4), plain) == []
