"""llama2.c's tokenizer: ids equal to run.c's over hostile texts; streaming; bad files."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from orion import tokenizer
from orion.errors import OrionError
from orion.tokenizer import Tokenizer, TokenStream
from orion.weights import tiny


def run_c(words: Tokenizer, text: str) -> list[int]:
    """run.c's encode: characters or their bytes, then the best merge until none is left."""
    lookup = {piece: token for token, piece in reversed(list(enumerate(words.pieces)))}
    ids = [1]
    if text:
        ids.append(lookup[b" "])
    for character in text:
        data = character.encode()
        ids += [lookup[data]] if data in lookup else [byte + 3 for byte in data]
    while True:
        best = (-1e10, -1, -1)
        for index in range(len(ids) - 1):
            token = lookup.get(words.pieces[ids[index]] + words.pieces[ids[index + 1]], -1)
            if token >= 0 and words.scores[token] > best[0]:
                best = (words.scores[token], index, token)
        if best[1] < 0:
            return ids
        ids[best[1] : best[1] + 2] = [best[2]]


def hostile_texts(words: Tokenizer, count: int) -> list[str]:
    rng = random.Random(0)
    pieces = [piece.decode() for piece in words.pieces[259:]]
    odd = [*"abehot  \n\t\r<>0xA/s▁é漢😀\0\x7f\u200b\ufeff\ufffd", "e\u0301"]
    makers = (
        lambda: "".join(rng.choice(odd) for _ in range(rng.randint(0, 40))),
        lambda: "".join(rng.choice(pieces) for _ in range(rng.randint(0, 15))),
        lambda: "".join(chr(rng.randrange(0xD800)) for _ in range(rng.randint(1, 15))),
        lambda: "".join(chr(rng.randrange(0xE000, 0x110000)) for _ in range(rng.randint(1, 15))),
        lambda: "".join(rng.choice("aeht no") for _ in range(rng.randint(0, 80))),
    )
    fixed = ["", " ", "  ", "\n", "<s>", "</s>", "<unk>", "<0x41>", "\n<s>\n", "a" * 700, " " * 300]
    return fixed + [makers[i % len(makers)]() for i in range(count)]


@pytest.fixture(scope="module")
def words(stories: Path) -> Tokenizer:
    return tokenizer.load(stories)


def test_recorded_prompts_and_texts(words: Tokenizer, cases: list[dict[str, Any]]) -> None:
    for case in cases:
        assert words.encode(case["prompt"]) == case["prompt_ids"]
        assert words.decode(case["prompt_ids"] + case["new_ids"]) == case["text"]


def test_ids_are_run_cs(words: Tokenizer) -> None:
    for text in hostile_texts(words, 5000):
        assert words.encode(text) == run_c(words, text), repr(text)


def test_ids_are_run_cs_for_the_tiny_model(tmp_path: Path) -> None:
    made = tokenizer.load(tiny.write(tmp_path))
    for text in hostile_texts(made, 1000):
        assert made.encode(text) == run_c(made, text), repr(text)


def file_of(pieces: list[bytes], scores: list[float]) -> bytes:
    rows = zip(scores, pieces, strict=True)
    body = b"".join(struct.pack("<fi", score, len(piece)) + piece for score, piece in rows)
    return struct.pack("<i", max(map(len, pieces))) + body


def test_ids_are_run_cs_for_32000_tokens(data: Path, tmp_path: Path) -> None:
    """A real vocabulary, written as llama2.c's own script writes it."""
    model = sentencepiece.SentencePieceProcessor(model_file=str(data / "llama2/tokenizer.model"))
    count = model.vocab_size()
    pieces = [model.id_to_piece(i).replace("▁", " ").encode() for i in range(count)]
    pieces[1:3] = [b"\n<s>\n", b"\n</s>\n"]
    path = tmp_path / "tokenizer.bin"
    path.write_bytes(file_of(pieces, [model.get_score(i) for i in range(count)]))
    made = tokenizer.load(path, 32000)
    for text in hostile_texts(made, 300):
        if "▁" not in text:
            assert made.encode(text) == run_c(made, text), repr(text)
    # SentencePiece itself, on text that both see alike.
    text = "Once upon a time, there was a café called 漢字 😀."
    assert made.encode(text, bos=False) == model.encode(text)


def test_ties_go_to_the_left(tmp_path: Path) -> None:
    # "aba" can be ab+a or a+ba: two ways to one piece, met at overlapping places.
    base = [piece for _, piece in tiny_rows()[:259]]
    pieces = [*base, b" ", b"a", b"b", b"ab", b"ba", b"aba", b"bab"]
    scores = [0.0] * 259 + [-9.0, -9.0, -9.0, -1.0, -1.0, -2.0, -2.0]
    path = tmp_path / "tok.bin"
    path.write_bytes(file_of(pieces, scores))
    made = tokenizer.load(path)
    rng = random.Random(0)
    for _ in range(500):
        text = "".join(rng.choice("ab") for _ in range(rng.randint(1, 12)))
        assert made.encode(text) == run_c(made, text), text


def tiny_rows() -> list[tuple[float, bytes]]:
    data, position, rows = tiny.tokenizer_bytes(), 4, []
    while position < len(data):
        score, length = struct.unpack_from("<fi", data, position)
        rows.append((score, data[position + 8 : position + 8 + length]))
        position += 8 + length
    return rows


def test_half_a_surrogate_pair_is_a_replacement_character(words: Tokenizer) -> None:
    assert words.encode("a\ud800b") == words.encode("a\ufffd\ufffd\ufffdb")


def test_decode_undoes_encode(words: Tokenizer) -> None:
    for text in hostile_texts(words, 500):
        assert words.decode(words.encode(text)) == text


def test_stream_never_gives_half_a_character(words: Tokenizer) -> None:
    for text in hostile_texts(words, 500):
        stream = words.stream()
        parts = [stream.push(token) for token in words.encode(text)] + [stream.flush()]
        assert "".join(parts) == text
        assert "\ufffd" not in "".join(parts) or "\ufffd" in text


def test_stream_waits_for_the_rest() -> None:
    stream = TokenStream(lambda previous, token: bytes([token]))
    assert [stream.push(byte) for byte in "é".encode()] == ["", "é"]
    assert [stream.push(byte) for byte in b"\xf0\x9f"] == ["", ""]
    assert stream.flush() == "\ufffd"
    assert stream.push(ord("a")) == "a"


def test_marks_add_nothing_and_only_the_first_space_goes(words: Tokenizer) -> None:
    once = words.encode("Once")
    assert words.decode(once) == "Once"
    assert words.decode(once[1:]) == " Once"
    assert words.decode([*once, 2, 1, *once[1:]]) == "OnceOnce"
    with pytest.raises(OrionError, match="token 512 is outside the vocabulary of tok512"):
        words.decode([512])


def bad_files(good: bytes) -> list[tuple[bytes, str]]:
    rows = tiny_rows()
    pieces, scores = [piece for _, piece in rows], [score for score, _ in rows]

    def changed(index: int, piece: bytes) -> bytes:
        return file_of([*pieces[:index], piece, *pieces[index + 1 :]], scores)

    return [
        (b"", "expected more than 259 tokens"),
        (good[:1000], "is cut short: token"),
        (good[:-1], "is cut short: token 287 says its piece has 2 bytes, 1 are left"),
        (good + b"\0\0", "token 288 takes 8 bytes and a piece, 2 are left"),
        (good[:8] + struct.pack("<i", -5) + good[12:], "says its piece has -5 bytes"),
        (b"#!/bin/sh\necho no tokenizer at all\n", "is no llama2.c tokenizer or is cut short"),
        (changed(50, b"<0xFF>"), "token 50 is b'<0xFF>', expected <0x2F>"),
        (changed(270, b"e"), "token 270, b'e', is token 260 again"),
        (changed(270, b"</s>"), r"token 270, b'</s>', is token 2 again"),
        (changed(270, b""), "token 270, b'', is empty"),
        (changed(270, b"\xff"), "is not UTF-8"),
        (changed(259, b"_"), "has no token for a space"),
    ]


def test_bad_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tok.bin"
    for content, message in bad_files(tiny.tokenizer_bytes()):
        path.write_bytes(content)
        with pytest.raises(OrionError, match=message):
            tokenizer.load(path)


def test_another_vocabulary_is_refused(stories: Path) -> None:
    with pytest.raises(OrionError, match="holds 512 tokens, but the model"):
        tokenizer.load(stories, 288)


def test_several_files_are_refused(tmp_path: Path) -> None:
    for name in ("tok1.bin", "tok2.bin"):
        (tmp_path / name).write_bytes(tiny.tokenizer_bytes())
    with pytest.raises(OrionError, match=r"found 2 \(tok1.bin, tok2.bin\)"):
        tokenizer.load(tmp_path)
    assert tokenizer.load(tmp_path / "tok2.bin").vocabulary == 288
    with pytest.raises(OrionError, match="there is no such model directory"):
        tokenizer.load(tmp_path / "missing")
