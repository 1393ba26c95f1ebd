"""Conversations: what each turn reads, what is forgotten, and `orion chat` on pipes and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from models import copy_of
from test_chat_template import CHATML
from tokenizers import decoders, models, pre_tokenizers

import orion as package
from orion import Chat, Model, OrionError, UsageError

pytest.importorskip("jinja2")

START, END = "<|im_start|>", "<|im_end|>"


def write_tokenizer(directory: Path, template: str = CHATML) -> None:
    """Bytes, and the two marks of a conversation."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    library = tokenizers.Tokenizer(models.BPE({char: i for i, char in enumerate(alphabet)}, []))
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    library.add_special_tokens([START, END])
    library.save(str(directory / "tokenizer.json"))
    config = {"eos_token": END, "chat_template": template}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))


@pytest.fixture(scope="module")
def talker(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that says random bytes, in a conversation."""
    directory = copy_of(data / "golden/qwen3-tiny", tmp_path_factory.mktemp("chat") / "model")
    write_tokenizer(directory)
    return directory


@pytest.fixture
def model(talker: Path) -> Iterator[Model]:
    with package.load(talker, "cpu") as opened:
        yield opened


def ask(chat: Chat, message: str) -> tuple[list[int], list[int], str]:
    """What was read, what was said as ids, and as text."""
    first, *rest = chat.ask(message)
    ids = [token for piece in rest for token in piece.ids]
    return first.ids, ids, "".join(piece.text for piece in rest)


def test_a_turn_reads_only_what_is_new(model: Model) -> None:
    chat = Chat(model, system="S", max_tokens=6, temp=1.5, seed=3)
    words = model.tokenizer
    read, said, text = ask(chat, "Hi")
    opening = f"{START}system\nS{END}\n{START}user\nHi{END}\n{START}assistant\n"
    assert read == words.encode(opening)
    assert len(said) == 6
    again, _, _ = ask(chat, "And?")
    # The answer was cut, so its end is new as well.
    assert again == words.encode(f"{END}\n{START}user\nAnd?{END}\n{START}assistant\n")
    assert [message["role"] for message in chat.messages] == [
        "system", "user", "assistant", "user", "assistant",
    ]  # fmt: skip
    assert chat.messages[2]["content"] == text


def test_an_answer_is_that_of_a_model_that_read_all(model: Model, talker: Path) -> None:
    chat = Chat(model, max_tokens=5)
    seen: list[int] = []
    with package.load(talker, "cpu") as other:
        for message in ("a", "bc", "d" * 20):
            read, said, _ = ask(chat, message)
            seen += read
            assert other.generate(seen, 5).new_ids == said
            seen += said


def test_a_later_turn_has_no_space_before_it(data: Path, tmp_path: Path) -> None:
    """Tokenizers that put one before a text do so before the whole conversation."""
    directory = copy_of(data / "golden/qwen3-tiny", tmp_path / "model")
    pieces = ["\u2581", *map(chr, range(33, 127)), "\n"]
    library = tokenizers.Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, []))
    library.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    library.decoder = decoders.Metaspace(prepend_scheme="first")
    library.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps({"chat_template": CHATML}))
    with package.load(directory, "cpu") as opened:
        words = opened.tokenizer
        assert words.encode("[two]", bos=False)[0] == pieces.index("\u2581")
        chat = Chat(opened)
        chat._text, chat._ids = "[one] and more.", words.encode("[one] and more.", bos=False)
        new = chat._unread("[one] and more.[two]")
        assert chat._ids + new == words.encode("[one] and more.[two]", bos=False)
        assert [pieces[token] for token in new] == list("[two]")


def test_reset_forgets_all_but_the_system_prompt(model: Model) -> None:
    chat = Chat(model, system="S", max_tokens=4)
    first = ask(chat, "Hi")
    ask(chat, "More")
    chat.reset()
    assert ask(chat, "Hi") == first


def test_what_follows_a_stop_string_is_not_part_of_the_conversation(
    model: Model, talker: Path
) -> None:
    chat = Chat(model, max_tokens=8)
    _, _, text = ask(chat, "Hi")
    stop = text[2:4]
    chat = Chat(model, max_tokens=8, stop=stop)
    opening, _, cut = ask(chat, "Hi")
    assert cut == text[: text.index(stop)]
    read, said, _ = ask(chat, "And?")
    whole = model.tokenizer.encode(
        f"{START}user\nHi{END}\n{START}assistant\n{cut}{END}\n{START}user\nAnd?{END}\n"
        f"{START}assistant\n"
    )
    # What was right so far is not read again.
    assert len(read) <= len(whole) - len(opening)
    assert read == whole[-len(read) :]
    with package.load(talker, "cpu") as other:
        assert other.generate(whole, 8, stop=stop).new_ids == said


def test_a_template_that_rewrites_the_past_is_read_again(
    data: Path, tmp_path: Path, talker: Path
) -> None:
    directory = copy_of(data / "golden/qwen3-tiny", tmp_path / "model")
    write_tokenizer(directory, "a{{ messages | length }}" + CHATML)
    with package.load(directory, "cpu") as model:
        chat = Chat(model, max_tokens=6)
        ask(chat, "Hi")
        read, said, _ = ask(chat, "Yo")
        text = model.tokenizer.decode(read, skip_special=False)
        # All but the first letter.
        assert text.startswith(f"3{START}user\nHi{END}")
        with package.load(talker, "cpu") as other:
            assert other.generate([*model.encode("a"), *read], 6).new_ids == said


def test_a_turn_that_does_not_fit_changes_nothing(model: Model) -> None:
    chat = Chat(model, max_tokens=3)
    ask(chat, "Hi")
    before = list(chat.messages)
    with pytest.raises(OrionError, match="context"):
        ask(chat, "x" * 500)
    assert chat.messages == before
    ask(chat, "Yo")
    assert len(chat.messages) == 4


def test_an_interrupted_answer_is_part_of_the_conversation(model: Model) -> None:
    chat = Chat(model, max_tokens=40)
    said = ""
    for piece in chat.ask("Hi"):
        said += piece.text
        chat.interrupt()
    assert chat.messages[-1] == {"role": "assistant", "content": said}
    assert len(ask(chat, "Yo")[1]) > 0


def test_an_answer_nobody_waits_for_is_forgotten(model: Model) -> None:
    chat = Chat(model, max_tokens=20)
    expected = ask(chat, "Hi")
    chat.reset()
    answer = chat.ask("Hi")
    next(answer)
    next(answer)
    answer.close()
    assert chat.messages == []
    assert ask(chat, "Hi") == expected


def test_what_a_chat_refuses(data: Path, stories: Path, model: Model) -> None:
    mute = package.load(data / "golden/gpt2-tiny", "cpu")
    with mute, pytest.raises(UsageError, match="has no tokenizer"):
        Chat(mute)
    plain = package.load(stories, "cpu")
    with plain, pytest.raises(UsageError, match="no place for a system prompt"):
        Chat(plain, system="S")
    with pytest.raises(UsageError, match="max_tokens is 1 or more"):
        Chat(model, max_tokens=0)
    with pytest.raises(UsageError, match="top_p"):
        Chat(model, top_p=2)


# The command


def talk(model: Path, said: str, *more: str) -> Any:
    command = [sys.executable, "-m", "orion", "chat", "--model", str(model), "--device", "cpu"]
    return subprocess.run(
        [*command, *more], input=said, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_command_answers_line_by_line(talker: Path) -> None:
    done = talk(talker, "Hi\n\n/reset\nHi\nMore\n/exit\nnever\n", "-m", "4", "--json")
    assert done.returncode == 0, done.stderr
    turns = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(turns) == 3
    times = {"prefill_s", "decode_s"}
    first, second, third = [{k: v for k, v in turn.items() if k not in times} for turn in turns]
    assert first == second
    assert first["finish"] == "length"
    assert len(third["prompt_ids"]) < len(first["prompt_ids"]) + len(third["new_ids"]) + 5
    assert "/exit" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_without_a_template_the_text_goes_on(stories: Path) -> None:
    done = talk(stories, "Once upon a time\n", "-m", "5")
    assert (done.returncode, done.stdout) == (0, ", there was a little\n")
    assert "has no chat template" in done.stderr


def test_a_turn_that_fails_is_said_and_the_next_one_works(talker: Path) -> None:
    done = talk(talker, "x" * 500 + "\nHi\n", "-m", "2", "--json")
    assert done.returncode == 0
    assert "orion: " in done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert talk(talker, "x" * 500 + "\n").returncode == 1


def test_an_interrupt_ends_the_answer_and_not_the_program(stories: Path) -> None:
    command = [sys.executable, "-m", "orion", "chat", "--model", str(stories), "--device", "sim"]
    with subprocess.Popen(
        [*command, "-m", "400"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(b"Once upon a time\n")
        process.stdin.flush()
        assert process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        first = process.stdout.readline()
        process.stdin.write(b"/reset\nOne day\n")
        process.stdin.flush()
        assert process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        process.stdin.close()
        second = process.stdout.read()
        said = process.stderr.read().decode()
    assert process.returncode == 0, said
    assert len(first) < 1000
    assert len(second) < 1000
    assert "Traceback" not in said
