"""The chat page, in a browser, as people use it: with keys and clicks, wide and narrow."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser as browsing
import pytest
from browser import Browser
from serving import NAME, Serving, wait_for
from test_adapters import make

import orion as package
from orion.generate import Model
from orion.generate.model import room_for

BEGINNING = "Once upon a time"
# What the page shows, as JavaScript.
IDLE = "!running && !document.querySelector('[aria-busy]')"
ANSWERS = "[...document.querySelectorAll('.assistant .text')].map((each) => each.textContent)"
PROBLEM = "byId('problem').hidden ? '' : byId('problem').firstElementChild.textContent"
FOCUS = "document.activeElement.id"


@pytest.fixture(scope="module")
def model(stories: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    reason = browsing.missing()
    if reason is not None:
        pytest.skip(f"the chat page is not tested: no {reason}")
    path = make(stories, tmp_path_factory.mktemp("adapters") / "odd", ("q_proj",), seed=1)
    with package.load(stories, "cpu", adapter_room=room_for(path)) as opened:
        opened.open_adapter("odd", path)
        yield opened


@pytest.fixture(scope="module")
def texts(model: Model) -> dict[str, str]:
    """What each model says, greedily, after the beginning."""
    found = {}
    for name, adapter in ((NAME, None), ("odd", "odd")):
        model.use_adapter(adapter)
        found[name] = "".join(piece.text for piece in list(model.stream(BEGINNING, 40))[1:])
    model.use_adapter(None)
    return found


@pytest.fixture(scope="module")
def serving(model: Model, texts: dict[str, str]) -> Iterator[Serving]:
    with Serving(model, ("odd",)) as running:
        yield running


@pytest.fixture(scope="module")
def opened(model: Model) -> Iterator[Browser]:
    with Browser() as started:
        yield started


@pytest.fixture
def page(opened: Browser, serving: Serving) -> Iterator[Browser]:
    opened.resize(1000, 700)
    opened.paint("light")
    opened.requests.clear()
    opened.open(f"{serving.url}/")
    opened.wait("byId('model').options.length")
    yield opened
    assert opened.complaints == []
    assert all(url.startswith(f"{serving.url}/") for url in opened.requests)


@pytest.fixture
def slow(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers take their time, so that something can be done in their middle."""
    generate = model.session.generate_batch

    def slowly(capacity: int, sequences: Any) -> Any:
        time.sleep(0.05)
        return generate(capacity, sequences)

    monkeypatch.setattr(model.session, "generate_batch", slowly)


def choose(page: Browser, **values: Any) -> None:
    for name, value in values.items():
        page.value(f"byId({name!r}).value = {str(value)!r}; 0")


def say(page: Browser, text: str) -> None:
    page.value("byId('message').focus()")
    page.write(text)
    page.press("Enter")


def snap(page: Browser, name: str) -> None:
    """A picture for people, where `ORION_PICTURES` wants it."""
    if folder := os.environ.get("ORION_PICTURES"):
        page.picture(Path(folder, f"{name}.png"))


@pytest.mark.usefixtures("slow")
def test_an_answer_streams_and_a_conversation_goes_on(
    page: Browser, serving: Serving, texts: dict[str, str]
) -> None:
    assert page.value("[...byId('model').options].map((each) => each.value)") == [NAME, "odd"]
    choose(page, temperature=0, tokens=40)
    page.value(
        "globalThis.lengths = new Set();"
        "new MutationObserver(() => lengths.add(byId('log').textContent.length))"
        ".observe(byId('log'), {subtree: true, childList: true, characterData: true}); 0"
    )
    say(page, BEGINNING)
    page.wait(IDLE)
    assert page.value(ANSWERS) == [texts[NAME]]
    # It came in pieces.
    assert page.value("lengths.size") > 3
    assert "40 tokens" in page.value("document.querySelector('.foot').textContent")
    say(page, " And then")
    page.wait(IDLE)
    done = serving.post(
        json={
            "model": NAME,
            "prompt": f"{BEGINNING}{texts[NAME]}And then",
            "max_tokens": 40,
            "temperature": 0,
        }
    )
    assert page.value(ANSWERS)[1] == done.json()["choices"][0]["text"]
    snap(page, "chat")


def test_another_model_answers_when_it_is_chosen(page: Browser, texts: dict[str, str]) -> None:
    choose(page, temperature=0, tokens=40, model="odd")
    say(page, BEGINNING)
    page.wait(IDLE)
    assert page.value(ANSWERS) == [texts["odd"]]
    assert page.value("document.querySelector('.who').textContent") == "odd"


@pytest.mark.usefixtures("slow")
def test_stop_keeps_what_came(page: Browser, serving: Serving) -> None:
    for stop in ("byId('stop').click()", None):
        choose(page, temperature=0, tokens=450)
        page.value("byId('again').click()")
        say(page, BEGINNING)
        page.wait(f"({ANSWERS})[0]")
        if stop is None:
            page.press("Escape")
        else:
            page.value(stop)
        page.wait(IDLE)
        assert page.value("document.querySelector('.foot span').textContent") == "stopped"
        assert page.value("messages[1].content") == page.value(ANSWERS)[0]
        assert page.value(PROBLEM) == ""
        assert page.value("byId('stop').hidden")
        wait_for(serving.is_idle)
    # In mid-answer too, a new conversation is empty and stays so.
    say(page, BEGINNING)
    page.value("byId('again').click()")
    wait_for(serving.is_idle)
    assert page.value(ANSWERS) == []
    assert page.value("messages.length") == 0


def test_errors_are_shown_and_the_message_is_kept(page: Browser) -> None:
    choose(page, tokens=5000)
    say(page, BEGINNING)
    page.wait(PROBLEM)
    assert "max_tokens is at most" in page.value(PROBLEM)
    assert page.value("byId('message').value") == BEGINNING
    choose(page, tokens=5)
    page.value("byId('retry').click()")
    page.wait(f"({ANSWERS}).length && {IDLE}")
    assert page.value(PROBLEM) == ""
    choose(page, system="Be brief")
    say(page, BEGINNING)
    page.wait(PROBLEM)
    assert "chat template" in page.value(PROBLEM)


def test_a_server_that_is_gone_is_said_to_be(model: Model, opened: Browser) -> None:
    with Serving(model, grace_seconds=0) as serving:
        opened.open(f"{serving.url}/")
        opened.wait("byId('model').options.length")
        choose(opened, tokens=450)
        say(opened, BEGINNING)
        opened.wait(f"({ANSWERS})[0] || !running")
    say(opened, "Still there?")
    opened.wait(f"({PROBLEM}) && {IDLE}")
    assert "does not answer" in opened.value(PROBLEM)
    assert opened.value("byId('message').value") == "Still there?"
    snap(opened, "gone")


def test_a_key_is_asked_for(model: Model, opened: Browser) -> None:
    with Serving(model, api_key="secret") as serving:
        opened.open(f"{serving.url}/")
        opened.wait(PROBLEM)
        assert "API key" in opened.value(PROBLEM)
        assert not opened.value("byId('settings').hidden")
        opened.value("byId('key').focus()")
        opened.write("secret")
        opened.press("Enter")
        opened.press("Tab")
        opened.wait("byId('model').options.length")
        assert opened.value(PROBLEM) == ""


def test_keys_reach_everything_and_everything_has_a_name(page: Browser) -> None:
    page.value("byId('open').click()")
    page.value("byId('model').focus()")
    page.write("")
    order = []
    for _ in range(8):
        order.append(page.value(FOCUS))
        page.press("Tab")
    expected = ["model", "open", "again", "temperature", "tokens", "key", "system", ""]
    assert order == expected or order[:-1] == expected[:-1]
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "textbox", "combobox", "spinbutton")
    named = [
        (node["role"]["value"], node["name"]["value"])
        for node in tree
        if not node["ignored"] and node["role"]["value"] in roles
    ]
    assert len(named) == 9
    assert all(name for _, name in named)
    page.value("byId('open').focus()")
    page.press(" ")
    assert page.value("byId('settings').hidden")
    page.value("byId('message').focus()")
    page.write("one")
    page.press("Enter", shift=True)
    page.write("two")
    assert page.value("byId('message').value.split('\\n').length") == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it(page: Browser, scheme: str) -> None:
    page.resize(360, 640, is_phone=True)
    page.paint(scheme)
    page.value("byId('again').click()")
    choose(page, temperature=0, tokens=300)
    say(page, "word" * 40)
    page.wait(IDLE)
    page.value("byId('open').click()")
    assert page.value("document.documentElement.scrollWidth") <= 360
    box = "byId('form').getBoundingClientRect()"
    assert page.value(f"{box}.bottom") <= 640
    assert page.value("byId('again').getBoundingClientRect().right") <= 360
    assert contrast(page, "body") > 7
    assert contrast(page, ".foot") > 4.5
    page.value("byId('open').click()")
    time.sleep(0.1)
    snap(page, f"phone-{scheme}")


def contrast(page: Browser, selector: str) -> float:
    """Of its text with the page, from 1 to 21, as WCAG computes it."""
    light = []
    for element, name in ((selector, "color"), ("body", "backgroundColor")):
        style = f"getComputedStyle(document.querySelector({element!r})).{name}"
        channels = [int(each) / 255 for each in page.value(f"{style}.match(/\\d+/g).slice(0, 3)")]
        linear = [
            each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4
            for each in channels
        ]
        light.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(light) + 0.05) / (min(light) + 0.05)
