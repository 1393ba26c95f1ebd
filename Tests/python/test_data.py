"""Data to train on: files of every kind, bad ones by name and line, and batches that resume."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from orion import tokenizer
from orion.data import (
    IGNORED,
    Batches,
    Rows,
    Stream,
    bigram_loss,
    in_order,
    make_data,
    make_stories,
    open_data,
    tokens,
)
from orion.data.examples import JOINT, Example, example, read_texts
from orion.data.stories import story
from orion.errors import OrionError, UsageError

Orion = Callable[..., SimpleNamespace]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Bytes as tokens: 1,000 bytes that count up."""
    path = tmp_path / "text.raw"
    path.write_bytes(bytes(i % 251 for i in range(1000)))
    return path


def jsonl(directory: Path, *rows: object) -> Path:
    directory.mkdir(exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (directory / "train.jsonl").write_text("\n".join(lines) + "\n")
    return directory


def test_bytes_become_tokens_and_text_again(text: Path, tmp_path: Path) -> None:
    made = make_data([text], tmp_path / "data")
    assert (made.train, made.valid, made.vocabulary) == (900, 100, 256)
    data = open_data(tmp_path / "data", 10, 256)
    assert isinstance(data.train, Stream) and isinstance(data.valid, Stream)
    every = np.concatenate([data.train._ids, data.valid._ids])
    assert bytes(every.astype(np.uint8)) == text.read_bytes()
    words = "Grüße, \u4f60\u597d\n\n  two spaces"
    assert data.tokenizer.encode(words) == list(words.encode())
    assert data.tokenizer.decode(list(words.encode())) == words


@pytest.mark.parametrize("vocabulary", [256, 65536, 65537])
def test_token_files_hold_what_was_written(tmp_path: Path, vocabulary: int) -> None:
    ids = np.array([0, 1, vocabulary - 1])
    with tokens.TokenWriter(tmp_path / "x.bin", vocabulary) as writer:
        writer.add(ids[:2])
        writer.add(ids[2:])
    found = tokens.read(tmp_path / "x.bin")
    assert found.vocabulary == vocabulary and found.ids.tolist() == ids.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["x.bin"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-1], "cut short or damaged"),
        (lambda b: b"nonsense" + b[8:], "begins with ORIONTOK"),
        (lambda b: b[:8] + b"\x02" + b[9:], "has format 2, and this Orion reads 1"),
        (lambda b: b[:12] + b"\x03" + b[13:], "ids of 3 bytes"),
        (lambda b: b"", "begins with ORIONTOK"),
    ],
)
def test_bad_token_files_are_named(
    text: Path, tmp_path: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    make_data([text], tmp_path / "data")
    path = tmp_path / "data" / "train.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(OrionError, match=message) as error:
        open_data(tmp_path / "data", 10, 256)
    assert str(path) in str(error.value)


def test_windows_cover_a_stream_once_an_epoch(tmp_path: Path) -> None:
    source = Stream(tmp_path, np.arange(1001), 10)
    batches = Batches(source, 9, 10, 1001, seed=3)
    rows = [batches.next() for _ in range(source.rows // 9)]
    ids = np.concatenate([batch.ids.reshape(-1) for batch in rows])
    assert len(set(ids.tolist())) == len(ids) == source.rows * 10
    for batch in rows:
        np.testing.assert_array_equal(batch.targets, batch.ids + 1)
    firsts = {min(ids)}
    for _ in range(5):
        firsts.add(min(int(batches.next().ids.min()) for _ in rows))
    assert len(firsts) > 1, "epochs cut elsewhere"


def test_batches_resume_by_position(tmp_path: Path) -> None:
    source = Stream(tmp_path, np.arange(200), 10)
    whole = Batches(source, 4, 10, 200, seed=5)
    given = [whole.next() for _ in range(20)]
    for start in (1, 4, 5, 11):
        again = Batches(source, 4, 10, 200, seed=5)
        again.position = 4 * start
        for batch in given[start:]:
            np.testing.assert_array_equal(again.next().ids, batch.ids)
    other = Batches(source, 4, 10, 200, seed=6)
    assert any(not np.array_equal(other.next().ids, batch.ids) for batch in given)


def test_streams_shorter_than_a_row_are_padded(tmp_path: Path) -> None:
    batch = Batches(Stream(tmp_path, np.arange(5), 8), 2, 8, 9).next()
    assert batch.ids[0].tolist() == [0, 1, 2, 3, 0, 0, 0, 0]
    assert batch.targets[0].tolist() == [1, 2, 3, 4, *[IGNORED] * 4]
    assert batch.tokens == 8


def test_examples_are_padded_and_cut(tmp_path: Path) -> None:
    examples = [Example(np.arange(3), 1), Example(np.arange(9), 2, 3), Example(np.arange(1), 3)]
    source = Rows(tmp_path, examples, 4, mask_prompt=True)
    (batch,) = in_order(source, 3, 4, 9, None)
    assert batch.ids.tolist() == [[0, 1, 0, 0], [0, 1, 2, 3], [0, 0, 0, 0]]
    assert batch.targets.tolist() == [[1, 2, -1, -1], [-1, -1, 3, 4], [-1] * 4]
    assert [example.line for example in source.cut] == [2]


def test_lines_of_json_in_their_forms(stories: Path, tmp_path: Path) -> None:
    words = tokenizer.load(stories)
    place = jsonl(
        tmp_path / "d", {"text": "Once upon"}, "", {"prompt": "Say", "completion": "hello there"}
    )
    data = open_data(place, 64, 512, words, mask_prompt=True)
    assert data.train.rows == 2
    batch = in_order(data.train, 2, 64, 512, None)[0]
    prompt = words.encode("Say\n")
    learnt = [id for id in batch.targets[1].tolist() if id != IGNORED]
    assert batch.ids[1, : len(prompt)].tolist() == prompt
    assert words.decode(learnt).strip() == "hello there"


def test_a_tokenizer_that_ends_every_text_ends_it_once() -> None:
    """Llama's `add_eos_token`, or a post-processor of tokenizer.json, does."""
    ending = SimpleNamespace(
        ends=(9, 8), encode=lambda text, bos=True: [*([1] if bos else []), *map(ord, text), 9]
    )
    forms = {"text": "ab"}, {"prompt": "a", "completion": "b"}
    whole, asked = (example(Path("x"), 1, row, ending, None) for row in forms)
    assert list(whole.ids) == [1, 97, 98, 9]
    assert list(asked.ids) == [1, 97, *map(ord, JOINT), 98, 9]
    assert asked.answer == 2 + len(JOINT)


def test_messages_go_through_the_chat_template(stories: Path, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    words = tokenizer.load(stories)
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    place = jsonl(tmp_path / "d", {"messages": messages})
    with pytest.raises(OrionError, match=r"train\.jsonl:1: .* no chat template"):
        open_data(place, 64, 512, words)
    words.chat_template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    data = open_data(place, 64, 512, words, mask_prompt=True)
    batch = in_order(data.train, 1, 64, 512, None)[0]
    learnt = [id for id in batch.targets[0].tolist() if id != IGNORED]
    assert words.decode(learnt).strip() == "yes"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (['{"text": "a b c"}', "", "{text: 1}"], r"train\.jsonl:3: expected a line of JSON"),
        (["[1]"], r"train\.jsonl:1: expected an object"),
        (['{"story": "x"}'], r"train\.jsonl:1: .*found the keys story"),
        (['{"messages": []}'], r"train\.jsonl:1: .*chat template"),
        ([], r"train\.jsonl: holds 0 examples"),
        (['{"text": ""}'], r"train\.jsonl: holds 1 examples, none of 2 tokens"),
    ],
)
def test_bad_lines_are_named(stories: Path, tmp_path: Path, rows: list[str], message: str) -> None:
    words = tokenizer.load(stories)
    words.ends = ()
    words.encode = lambda text, bos=True: list(text.encode())  # type: ignore[method-assign]
    with pytest.raises(OrionError, match=message):
        open_data(jsonl(tmp_path / "d", *rows), 8, 512, words)


def test_cut_examples_are_told(stories: Path, tmp_path: Path) -> None:
    place = jsonl(tmp_path / "d", {"text": "a"}, {"text": "once upon a time " * 9})
    data = open_data(place, 16, 512, tokenizer.load(stories))
    (note,) = data.notes
    assert "1 of 2 examples are longer than a row of 16" in note and "line 2" in note


def test_ids_beyond_the_vocabulary(text: Path, tmp_path: Path) -> None:
    make_data([text], tmp_path / "data")
    (tmp_path / "data" / "tokenizer.json").unlink()
    with pytest.raises(OrionError, match="go up to 255, and the model's vocabulary ends at 99"):
        open_data(tmp_path / "data", 10, 100)
    batches = Batches(Stream(tmp_path, np.arange(300), 8), 1, 8, 256)
    with pytest.raises(OrionError, match="the model's vocabulary ends at 255"):
        for _ in range(40):
            batches.next()


def test_tokens_of_another_tokenizer(stories: Path, tmp_path: Path) -> None:
    made = make_stories(tmp_path / "own", count=300)
    assert made.vocabulary == 512
    with pytest.raises(OrionError, match="of another tokenizer"):
        open_data(tmp_path / "own", 10, 512, tokenizer.load(stories))


def test_bad_directories(tmp_path: Path, text: Path) -> None:
    with pytest.raises(UsageError, match="expected a directory"):
        open_data(tmp_path / "none", 8)
    (tmp_path / "empty").mkdir()
    with pytest.raises(OrionError, match=r"expected one of train\.jsonl"):
        open_data(tmp_path / "empty", 8)
    for name in ("train.txt", "train.jsonl"):
        (tmp_path / "empty" / name).write_text("{}")
    with pytest.raises(OrionError, match=r"holds train\.jsonl, train\.txt"):
        open_data(tmp_path / "empty", 8)
    with pytest.raises(UsageError, match="not empty"):
        make_data([text], tmp_path / "empty")
    (tmp_path / "nothing").write_bytes(b"")
    with pytest.raises(OrionError, match="holds 0 tokens"):
        make_data([tmp_path / "nothing"], tmp_path / "new")
    with pytest.raises(OrionError, match="cannot be read"):
        make_data([tmp_path / "absent"], tmp_path / "new")
    assert not (tmp_path / "new").exists(), "a half-written directory would be in the way"
    assert make_data([text], tmp_path / "new").train


def test_a_line_that_is_no_text_is_counted(stories: Path, tmp_path: Path) -> None:
    place = jsonl(tmp_path / "d", {"text": "a b c"})
    with (place / "train.jsonl").open("ab") as file:
        file.write(b'\n{"text": "\xff"}\n')
    words = tokenizer.load(stories)
    line = (place / "train.jsonl").read_bytes().split(b"\xff")[0].count(b"\n") + 1
    with pytest.raises(OrionError, match=rf"train\.jsonl:{line}: is no UTF-8 text"):
        open_data(place, 8, 512, words)


def test_a_text_file_that_is_none_is_told_by_its_line(stories: Path, tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes(b"a\nb\n\xffc\n")
    with pytest.raises(OrionError, match=r"train\.txt:3: is no UTF-8 text: .*--bytes takes files"):
        list(read_texts(path, tokenizer.load(stories)))


def test_stories_repeat_and_hold_together(tmp_path: Path) -> None:
    assert story(1, 2) == story(1, 2) != story(2, 2)
    assert not set("{}<>") & set("".join(story(0, n) for n in range(200)))
    first, second = (make_stories(tmp_path / name, count=200, seed=4) for name in "ab")
    assert first.train == second.train > 1000
    for name in ("train.bin", "valid.bin", "tokenizer.model"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    data = open_data(tmp_path / "a", 64)
    text = data.tokenizer.decode(data.train._ids[:200].tolist())
    assert story(4, 0) in text


def test_bigrams_are_counted() -> None:
    train = np.array([0, 1] * 500)
    assert bigram_loss(train, train[:100], 2) < 0.01
    random = np.random.RandomState(0).randint(0, 8, 20000)
    assert abs(bigram_loss(random[:10000], random[10000:], 8) - np.log(8)) < 0.02


def test_the_command(orion: Orion, tmp_path: Path, stories: Path) -> None:
    (tmp_path / "a.txt").write_text("Once upon a time<|endoftext|>there was a boat.")
    done = orion(
        "data", tmp_path / "a.txt", "--model", stories, "-o", tmp_path / "o", "--valid", 0, "--json"
    )
    facts = json.loads(done.out)
    words = tokenizer.load(stories)
    ids = tokens.read(tmp_path / "o" / "train.bin").ids.tolist()
    assert facts["train"] == len(ids) and facts["valid"] == 0
    # Begin, begin, and an end that is the same token.
    assert ids.count(words.begin) == 3 and "there was a boat" in words.decode(ids)
    assert orion("data", "--stories", 5, tmp_path / "a.txt", "-o", tmp_path / "p").code == 2
