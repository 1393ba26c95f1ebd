"""Hugging Face's tokenizers: ids, special tokens, streams; files of all formats that are bad."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hostile_texts import RUNS, every_character, hostile_texts
from reference_bpe import ReferenceBPE
from tokenizer_files import streamed, with_files
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from orion import tokenizer
from orion.errors import OrionError, UsageError
from orion.tokenizer import Tokenizer

END = "<|endoftext|>"


@pytest.fixture(scope="module")
def gpt2(data: Path) -> Tokenizer:
    return tokenizer.load(data / "gpt2", 50257)


# GPT-2


def test_gpt2_ids_are_those_of_a_plain_byte_level_bpe(data: Path, gpt2: Tokenizer) -> None:
    reference = ReferenceBPE(data / "gpt2")
    for text in hostile_texts(600) + every_character()[::8]:
        assert gpt2.encode(text) == reference.encode(text), repr(text[:60])


def test_gpt2_streams_what_it_read(gpt2: Tokenizer) -> None:
    for text in hostile_texts(600, seed=1) + RUNS:
        ids = gpt2.encode(text)
        assert gpt2.decode(ids, skip_special=False) == text
        assert streamed(gpt2, ids, skip_special=False) == text
        assert streamed(gpt2, ids) == gpt2.decode(ids) == text.replace(END, "")


def test_gpt2_streams_broken_text_as_it_decodes_it(gpt2: Tokenizer) -> None:
    ids = [token for text in ("é", "漢字", "😀👩🏽‍🚀") for token in gpt2.encode(text)]
    for start in range(len(ids)):
        for end in range(start, len(ids)):
            assert streamed(gpt2, ids[start:end]) == gpt2.decode(ids[start:end])


def test_gpt2_marks_are_whole_and_end_a_text(gpt2: Tokenizer) -> None:
    assert gpt2.encode(END) == [50256]
    assert gpt2.encode(f"a{END}b") == [64, 50256, 65]
    assert gpt2.ends == (50256,)
    assert gpt2.encode("") == []


def test_half_a_surrogate_pair_is_replaced(gpt2: Tokenizer) -> None:
    assert gpt2.encode("a\ud800b\udfff") == gpt2.encode("a\ufffd\ufffd\ufffdb" + "\ufffd" * 3)


def test_settings_beside_a_vocabulary(data: Path, tmp_path: Path) -> None:
    directory = with_files(
        data / "gpt2",
        tmp_path / "model",
        tokenizer_config={
            "add_bos_token": True,
            "bos_token": {"content": END, "__type": "AddedToken"},
            "eos_token": "<|im_end|>",
            "added_tokens_decoder": {
                "50257": {"content": "<|im_start|>", "special": True},
                "50258": {"content": "<|im_end|>", "special": True},
                "50259": {"content": "<think>", "special": False},
            },
        },
        generation_config={"eos_token_id": [50258, 50256, 99999]},
    )
    words = tokenizer.load(directory, 50304)
    assert words.begin == 50256
    assert words.ends == (50258, 50256)
    assert words.encode("<|im_start|>a<|im_end|><think>") == [50256, 50257, 64, 50258, 50259]
    assert words.encode("a", bos=False) == [64]
    assert words.decode([50257, 64, 50258, 50259]) == "a<think>"
    assert streamed(words, [50257, 64, 50258, 50259]) == "a<think>"
    assert words.decode([50257, 64, 50300]) == streamed(words, [50257, 64, 50300]) == "a"
    assert words.note == (
        "vocab.json holds 50260 tokens of the model's 50304; the others are taken for padding and"
        " have no text"
    )
    with pytest.raises(OrionError, match="holds 50260 tokens, but the model beside it has a voc"):
        tokenizer.load(directory, 50257)


# tokenizer.json


def saved(library: tokenizers.Tokenizer, directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    library.save(str(directory / "tokenizer.json"))
    return directory


def byte_fallback() -> tokenizers.Tokenizer:
    """As Llama's files have it: a space before the text, bytes for what has no piece."""
    library = tokenizers.Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    library.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    marks = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=marks, initial_alphabet=[*"▁abcdefghijklmnopqrstuvwxyz"]
    )
    library.train_from_iterator(["once upon a time there was a café in the hat"] * 3, trainer)
    state = json.loads(library.to_str())
    # The bytes are pieces like others: none of them is looked for in a text.
    state["added_tokens"] = state["added_tokens"][:3]
    library = tokenizers.Tokenizer.from_str(json.dumps(state))
    library.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
         decoders.Strip(" ", 1, 0)]
    )  # fmt: skip
    library.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return library


def metaspace() -> tokenizers.Tokenizer:
    library = tokenizers.Tokenizer(
        models.Unigram([("<unk>", 0.0), *((c, -2.0) for c in "▁abchot")], 0)
    )
    library.pre_tokenizer = pre_tokenizers.Metaspace()
    library.decoder = decoders.Metaspace()
    return library


def word_pieces() -> tokenizers.Tokenizer:
    vocabulary = {piece: i for i, piece in enumerate(["[UNK]", "a", "##b", "hat", "##s"])}
    library = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.decoder = decoders.WordPiece(cleanup=False)
    return library


@pytest.mark.parametrize("make", [byte_fallback, metaspace, word_pieces], ids=lambda m: m.__name__)
def test_a_json_gives_the_librarys_ids_and_text(make: Any, tmp_path: Path) -> None:
    library = make()
    words = tokenizer.load(saved(library, tmp_path / "model"))
    texts = [*hostile_texts(300), "hat  hats ab abab ", *(run[:2000] for run in RUNS)]
    for text in texts:
        ids = words.encode(text)
        assert ids == library.encode(text).ids, repr(text)
        assert words.decode(ids) == library.decode(ids)
        assert streamed(words, ids) == library.decode(ids), repr(text)


def test_a_json_for_a_training_length_reads_all(tmp_path: Path) -> None:
    library = byte_fallback()
    library.enable_truncation(4)
    library.enable_padding(length=8)
    words = tokenizer.load(saved(library, tmp_path / "model"))
    assert len(words.encode("the hat " * 20)) > 20
    assert words.encode("") == [1]


@pytest.mark.parametrize(("says", "first"), [(None, 1), (True, 1), (False, None)])
def test_add_bos_token_decides(tmp_path: Path, says: bool | None, first: int | None) -> None:
    directory = saved(byte_fallback(), tmp_path / "model")
    config = {"add_bos_token": says, "bos_token": "<s>", "eos_token": "</s>"}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    words = tokenizer.load(directory)
    plain = words.encode("the hat", bos=False)
    assert words.encode("the hat") == ([] if first is None else [first]) + plain
    assert 1 not in plain
    assert (words.begin, words.ends) == (1, (2,))


# Directories


def test_without_a_tokenizer_ids_still_pass(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"bos_token_id": 1, "eos_token_id": [2, 50256]})
    )
    words = tokenizer.load(tmp_path, 512)
    assert (words.begin, words.ends, words.has_text) == (1, (2,), False)
    assert words.decode([1, 5, 9]) == ""
    assert words.note == ""
    with pytest.raises(UsageError, match="the model has no tokenizer"):
        words.encode("Once")


def test_files_of_a_directory(data: Path, tmp_path: Path) -> None:
    directory = with_files(data / "gpt2", tmp_path / "model", tokenizer_config={})
    (directory / "model.safetensors").write_bytes(b"")
    names = [path.name for path in tokenizer.find_files(directory)]
    assert names == ["vocab.json", "merges.txt", "tokenizer_config.json"]


def bad_directories(data: Path) -> list[tuple[dict[str, bytes], str]]:
    vocabulary = (data / "gpt2/vocab.json").read_bytes()
    merges = (data / "gpt2/merges.txt").read_bytes()
    model = (data / "llama2/tokenizer.model").read_bytes()

    def gpt2(**config: Any) -> dict[str, bytes]:
        content = json.dumps(config).encode()
        return {"vocab.json": vocabulary, "merges.txt": merges, "tokenizer_config.json": content}

    rows: dict[str, Any] = {"50300": {"content": "<x>", "special": True}}
    return [
        ({"tokenizer.json": b""}, "tokenizer.json: is no tokenizer that"),
        ({"tokenizer.json": b"{}"}, "tokenizer.json: is no tokenizer that"),
        ({"tokenizer.json": b'{"version": "1.0", "model": {"type": "New"}}'}, "is no tokenizer"),
        ({"tokenizer.json": b"[" * 100_000}, "tokenizer.json: is no tokenizer that"),
        ({"tokenizer.model": b""}, "tokenizer.model: is no SentencePiece model"),
        ({"tokenizer.model": b"\xff" * 100}, "tokenizer.model: is no SentencePiece model"),
        ({"tokenizer.model": model[:1000]}, "tokenizer.model: is no SentencePiece model"),
        ({"vocab.json": vocabulary}, "merges.txt: there is no such file"),
        ({"merges.txt": merges}, "vocab.json: there is no such file"),
        ({"vocab.json": b'{"a": 0}', "merges.txt": merges}, "vocab.json: has no token for byte 0x"),
        ({"vocab.json": vocabulary[:-9], "merges.txt": merges}, "vocab.json: is no JSON"),
        ({"vocab.json": vocabulary, "merges.txt": b"zz qq\n"}, "merges.txt: is no tokenizer"),
        (gpt2(tokenizer_class="BartTokenizer"), "belongs to a BartTokenizer"),
        (gpt2(add_bos_token="yes"), "add_bos_token is 'yes', expected true, false or null"),
        (gpt2(added_tokens_decoder=rows), "'<x>' has id 50300, but the vocabulary makes it 50257"),
        (gpt2(added_tokens_decoder={"x": {"content": "y"}}), "'x' is no token id"),
        (gpt2(added_tokens_decoder={"7": {}}), "added_tokens_decoder 7 has no content"),
        (gpt2() | {"tokenizer_config.json": b"[]"}, "expected a JSON object, found list"),
        (gpt2() | {"tokenizer_config.json": b'"\xff"'}, "is no UTF-8 text"),
    ]


def test_bad_files_are_refused(data: Path, tmp_path: Path) -> None:
    for number, (files, message) in enumerate(bad_directories(data)):
        directory = tmp_path / str(number)
        directory.mkdir()
        for name, content in files.items():
            (directory / name).write_bytes(content)
        with pytest.raises(OrionError, match=message):
            tokenizer.load(directory)
