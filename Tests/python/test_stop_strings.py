"""Stop strings, however the text is cut into pieces; and in generation."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import orion as package
from orion.errors import UsageError
from orion.tokenizer import StopStrings


def shown(strings: list[str], parts: list[str]) -> tuple[str, bool]:
    stops = StopStrings(strings)
    text = ""
    for part in parts:
        text += stops.push(part)
        assert not any(string in text for string in strings)
    is_over = stops.is_over
    return text + stops.flush(), is_over


@pytest.mark.parametrize(
    ("strings", "parts", "expected"),
    [
        (["END"], ["a E", "N", "D b"], ("a ", True)),
        (["END"], ["a E", "N", "E"], ("a ENE", False)),
        (["END"], ["EEN", "DEND"], ("E", True)),
        (["aab"], ["aaa", "ab"], ("aa", True)),
        (["bc", "abcd"], ["ab", "cd"], ("a", True)),
        (["abcd", "bc"], ["a", "b", "c", "x"], ("a", True)),
        (["\n\n"], ["a\n", "b\n", "\nc"], ("a\nb", True)),
        (["é😀"], ["é", "é", "😀"], ("é", True)),
        ([], ["a", "b"], ("ab", False)),
        (["x"], [], ("", False)),
    ],
)
def test_the_text_before_the_stop(
    strings: list[str], parts: list[str], expected: tuple[str, bool]
) -> None:
    assert shown(strings, parts) == expected


def test_any_cut_shows_no_part_of_a_stop() -> None:
    rng = random.Random(0)
    for _ in range(3000):
        text = "".join(rng.choice("ab") for _ in range(rng.randint(0, 20)))
        strings = ["".join(rng.choice("ab") for _ in range(rng.randint(1, 5))) for _ in range(2)]
        cuts = sorted(rng.randint(0, len(text)) for _ in range(4))
        parts = [text[i:j] for i, j in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        kept, is_over = shown(strings, parts)
        assert (kept, is_over) == shown(strings, list(text))
        assert text.startswith(kept)
        assert is_over == any(string in text for string in strings)
        if not is_over:
            assert kept == text


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one character"):
        StopStrings(["a", ""])


def test_generation_stops_before_the_string(stories: Path, cases: list[dict[str, Any]]) -> None:
    with package.load(stories, "cpu") as model:
        whole = model.generate(cases[0]["prompt"], 60)
        new = whole.text[len(cases[0]["prompt"]) :]
        for stop in (new[20:23], new[5:20], new[:1], "\n", [new[30:33], new[10:14]]):
            strings = [stop] if isinstance(stop, str) else stop
            found = model.generate(cases[0]["prompt"], 60, stop=stop)
            places = [new.find(string) for string in strings if string in new]
            # None of these strings lies over another.
            expected = new[: min(places)] if places else new
            assert found.text == cases[0]["prompt"] + expected
            assert found.finish == ("stop" if places else "length")
            assert found.new_ids == whole.new_ids[: len(found.new_ids)]
            for chunk in (1, 3):
                pieces = list(model.stream(cases[0]["prompt"], 60, stop=stop, chunk=chunk))
                assert "".join(piece.text for piece in pieces[1:]) == expected
                assert [i for piece in pieces[1:] for i in piece.ids] == found.new_ids


def test_the_prompt_may_hold_a_stop_string(stories: Path) -> None:
    with package.load(stories, "cpu") as model:
        found = model.generate("Once upon a time", 5, stop="upon")
        assert (found.finish, len(found.new_ids)) == ("length", 5)
