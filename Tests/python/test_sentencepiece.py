"""tokenizer.model: ids and text as the library has them, bytes, and tokens beside the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hostile_texts import RUNS, every_character, hostile_texts
from tokenizer_files import streamed, with_files

from orion import tokenizer
from orion.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def llama2(data: Path) -> Tokenizer:
    return tokenizer.load(data / "llama2", 32000)


def test_ids_and_streams_are_the_librarys(data: Path, llama2: Tokenizer) -> None:
    library = sentencepiece.SentencePieceProcessor(model_file=str(data / "llama2/tokenizer.model"))
    assert (llama2.begin, llama2.ends, llama2.vocabulary) == (1, (2,), 32000)
    for text in hostile_texts(600) + every_character()[::16] + [run[:20_000] for run in RUNS]:
        ids = library.encode(text)
        assert llama2.encode(text) == [1, *ids], repr(text[:60])
        assert streamed(llama2, [1, *ids, 2]) == library.decode(ids), repr(text[:60])


def test_reads_long_runs(data: Path, llama2: Tokenizer) -> None:
    library = sentencepiece.SentencePieceProcessor(model_file=str(data / "llama2/tokenizer.model"))
    for text in RUNS:
        assert llama2.encode(text, bos=False) == library.encode(text)


def test_bytes_wait_for_their_character(llama2: Tokenizer) -> None:
    stream = llama2.stream()
    face = [byte + 3 for byte in "😀".encode()]
    assert [stream.push(token) for token in face] == ["", "", "", "😀"]
    assert [stream.push(token) for token in face[:2]] == ["", ""]
    assert stream.push(llama2.encode("a", bos=False)[-1]) == "\ufffd a"
    assert stream.push(face[0]) == ""
    assert stream.flush() == "\ufffd"


def test_with_tokens_beside_it(data: Path, tmp_path: Path) -> None:
    beside: dict[str, dict[str, Any]] = {
        "tokenizer_config": {"legacy": False, "add_bos_token": False},
        "special_tokens_map": {"bos_token": "<s>", "eos_token": {"content": "</s>"}},
        "added_tokens": {"<|im_start|>": 32000, "<|im_end|>": 32001},
    }
    words = tokenizer.load(with_files(data / "llama2", tmp_path / "new", **beside), 32002)
    a = words.encode("a")
    assert len(a) == 1
    text = "<s><|im_start|>a</s>a<|im_end|>"
    without_space = words.encode("a<s>a")[-1]
    assert words.encode("a<s>a") == [*a, 1, without_space]
    assert without_space != a[0]
    assert words.encode(text) == [1, 32000, without_space, 2, without_space, 32001]
    # The files call neither of the two at the ends special.
    assert words.decode(words.encode(text)) == " aa<|im_end|>".replace(" ", "<|im_start|>")
    beside["tokenizer_config"]["legacy"] = True
    words = tokenizer.load(with_files(data / "llama2", tmp_path / "old", **beside), 32002)
    assert words.encode("a<s>a") == [*a, 1, *a]


def test_half_a_surrogate_pair_is_replaced(llama2: Tokenizer) -> None:
    assert llama2.encode("a\ud800b\udfff") == llama2.encode("a\ufffd\ufffd\ufffdb" + "\ufffd" * 3)
