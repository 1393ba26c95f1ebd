"""Swift's tokenizers: ids and text equal to the Python libraries', on every format a bundle holds.

Skipped unless ORION_SWIFT_PROGRAMS names the directory with the built programs, as
scripts/test-examples does.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import tokenizers
from hostile_texts import RUNS, every_character, hostile_texts
from test_tokenizers import byte_fallback, metaspace, saved
from tokenizer_files import streamed, with_files
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from orion import tokenizer
from orion.tokenizer.huggingface import QWEN_WORDS
from orion.weights import tiny

PROGRAMS = os.environ.get("ORION_SWIFT_PROGRAMS")
pytestmark = pytest.mark.skipif(not PROGRAMS, reason="ORION_SWIFT_PROGRAMS names no built programs")

LLAMA3_WORDS = QWEN_WORDS.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)
TRAINING = [
    "Once upon a time there was a little girl who loved to play in the park.",
    "The quick brown fox jumps over the lazy dog, 12345 times; naïve café résumé.",
    "ﬁne ﬀort ½ ① Ⅳ \uff46\uff55\uff4c\uff4c カタカナ ｶﾀｶﾅ 漢字 한국어",
] * 40


def probe(path: Path, texts: Sequence[str] = (), vocabulary: int | None = None) -> list[list[str]]:
    """The marks, then a row for each text: ids, ids without the begin token, two texts."""
    arguments = [str(Path(PROGRAMS or "") / "TokenizerProbe"), str(path)]
    if vocabulary is not None:
        arguments.append(str(vocabulary))
    lines = "".join(text.encode().hex() + "\n" for text in texts)
    found = subprocess.run(arguments, input=lines, capture_output=True, text=True, check=True)
    return [line.split(";") for line in found.stdout.splitlines()]


def numbers(field: str) -> list[int]:
    return [int(number) for number in field.split()]


def gpt2(data: Path, _directory: Path) -> Path:
    return data / "gpt2"


def llama2c(data: Path, _directory: Path) -> Path:
    return data / "stories260K"


def llama2c_tiny(_data: Path, directory: Path) -> Path:
    return tiny.write(directory)


def llama2(data: Path, _directory: Path) -> Path:
    return data / "llama2"


ADDED = {
    "50257": {"content": "<|im_start|>", "special": True},
    "50258": {"content": "<|im_end|>", "special": True, "rstrip": True},
    "50259": {"content": "<think>", "special": False, "single_word": True},
    "50260": {"content": "▁x", "special": False, "normalized": True, "lstrip": True},
}


def qwen2(data: Path, directory: Path) -> Path:
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "added_tokens_decoder": ADDED,
        "eos_token": "<|im_end|>",
    }
    return with_files(data / "gpt2", directory / "qwen2", tokenizer_config=config)


def gpt2_with_begin(data: Path, directory: Path) -> Path:
    config = {"add_bos_token": True, "bos_token": "<|endoftext|>", "add_prefix_space": True}
    return with_files(data / "gpt2", directory / "begin", tokenizer_config=config)


def byte_level(data: Path, words: str | None, **model: Any) -> tokenizers.Tokenizer:
    pair = (str(data / "gpt2/vocab.json"), str(data / "gpt2/merges.txt"))
    library = tokenizers.Tokenizer(models.BPE.from_file(*pair, **model))
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=words is None)
    cut = pre_tokenizers.Split(tokenizers.Regex(words), "isolated") if words else None
    library.pre_tokenizer = pre_tokenizers.Sequence([cut, level]) if cut else level
    library.decoder = decoders.ByteLevel()
    return library


def llama3(data: Path, directory: Path) -> Path:
    library = byte_level(data, LLAMA3_WORDS, ignore_merges=True)
    library.add_special_tokens(["<|begin_of_text|>", "<|eot_id|>", "<s>"])
    template = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 50257)]
    )
    library.post_processor = processors.Sequence([processors.ByteLevel(), template])
    return saved(library, directory / "llama3")


def smollm(data: Path, directory: Path) -> Path:
    library = byte_level(data, None)
    digits = pre_tokenizers.Digits(individual_digits=True)
    level = pre_tokenizers.ByteLevel(add_prefix_space=True)
    library.pre_tokenizer = pre_tokenizers.Sequence([digits, level])
    library.normalizer = normalizers.Sequence([normalizers.NFC()])
    library.add_tokens([tokenizers.AddedToken("é", normalized=True), "  "])
    return saved(library, directory / "smollm")


def llama_json(_data: Path, directory: Path) -> Path:
    library = byte_fallback()
    library.add_tokens([tokenizers.AddedToken("the", normalized=True, single_word=True)])
    return saved(library, directory / "llama-json")


def unigram_json(_data: Path, directory: Path) -> Path:
    return saved(metaspace(), directory / "unigram-json")


def trained(directory: Path, **options: Any) -> Path:
    directory.mkdir()
    with (directory / "tokenizer.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TRAINING),
            model_writer=file,
            hard_vocab_limit=False,
            minloglevel=2,
            **options,
        )
    return directory


def unigram(_data: Path, directory: Path) -> Path:
    return trained(directory / "unigram", model_type="unigram", vocab_size=300)


def unigram_with_bytes(_data: Path, directory: Path) -> Path:
    return trained(
        directory / "unigram-bytes",
        model_type="unigram",
        vocab_size=500,
        byte_fallback=True,
        normalization_rule_name="nmt_nfkc_cf",
        user_defined_symbols=["<sep>", "the", "▁ab"],
        control_symbols=["<ctl>"],
    )


def bpe_with_suffix(_data: Path, directory: Path) -> Path:
    return trained(
        directory / "bpe",
        model_type="bpe",
        vocab_size=400,
        treat_whitespace_as_suffix=True,
        normalization_rule_name="nfkc",
        user_defined_symbols=["<sep>", "qui"],
    )


def bpe_identity(_data: Path, directory: Path) -> Path:
    made = trained(
        directory / "identity",
        model_type="bpe",
        vocab_size=600,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        allow_whitespace_only_pieces=True,
    )
    config = {"legacy": False, "bos_token": "<s>", "eos_token": {"content": "</s>"}}
    (made / "tokenizer_config.json").write_text(json.dumps(config))
    (made / "added_tokens.json").write_text(json.dumps({"<|im_start|>": 600, "<x>": 601}))
    return made


CASES: list[Callable[[Path, Path], Path]] = [
    gpt2,
    llama2c,
    llama2c_tiny,
    llama2,
    qwen2,
    gpt2_with_begin,
    llama3,
    smollm,
    llama_json,
    unigram_json,
    unigram,
    unigram_with_bytes,
    bpe_with_suffix,
    bpe_identity,
]


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_ids_and_text_are_the_librarys(
    make: Callable[[Path, Path], Path], data: Path, tmp_path: Path
) -> None:
    path = make(data, tmp_path)
    words = tokenizer.load(path)
    texts = hostile_texts(200) + every_character()[::8] + [run[:5000] for run in RUNS]
    texts += ["<think> <think>a a<think> ", " ▁x\n ▁x", "the then the", "<sep>quick<ctl>the <x>"]
    marks, *rows = probe(path, texts)
    begin = [] if words.begin is None else [words.begin]
    assert [numbers(field) for field in marks] == [begin, [*words.ends], [words.vocabulary]]
    assert len(rows) == len(texts)
    for text, row in zip(texts, rows, strict=True):
        ids = words.encode(text)
        assert numbers(row[0]) == ids, repr(text[:60])
        assert numbers(row[1]) == words.encode(text, bos=False), repr(text[:60])
        assert bytes.fromhex(row[2]).decode() == streamed(words, ids), repr(text[:60])
        whole = streamed(words, ids, skip_special=False)
        assert bytes.fromhex(row[3]).decode() == whole, repr(text[:60])


def test_a_vocabulary_of_another_size_is_refused(data: Path) -> None:
    for name, size in (("gpt2", 50256), ("stories260K", 513), ("llama2", 31999)):
        said = probe(data / name, vocabulary=size)[0][0]
        assert "but the model beside it has a vocabulary of" in said
    assert probe(data / "gpt2", vocabulary=50304)[0][2] == "50257"
