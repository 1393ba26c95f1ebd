"""Each bad input gives one message, exit code 1 or 2, no traceback, no half-written file."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from models import checkpoint_of, make_tiny, tokenizer_of

Orion = Callable[..., Any]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_tiny(tmp_path / "model")


def assert_refused(done: Any, code: int, *words: str) -> None:
    """One line, which names what it is about."""
    assert done.code == code, done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    assert "fault of Orion's own" not in done.err
    messages = [line for line in done.err.splitlines() if line.startswith("orion")]
    assert len(messages) == 1, done.err
    for word in words:
        assert word in messages[0]


def generate(orion: Orion, model: Path, *more: object) -> Any:
    arguments = ["--model", model, "--device", "cpu", "-p", "Once", "-m", 2, "--json"]
    return orion("generate", *arguments, *more)


def write_header(path: Path, place: int, value: int) -> None:
    """Writes one of the seven numbers at a llama2.c checkpoint's start."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<i", content, 4 * place, value)
    path.write_bytes(content)


def not_a_checkpoint(model: Path) -> None:
    checkpoint_of(model).write_text("This is a text, and a text is no checkpoint.\n" * 10)


def empty(model: Path) -> None:
    checkpoint_of(model).write_bytes(b"")


def truncated(model: Path) -> None:
    path = checkpoint_of(model)
    path.write_bytes(path.read_bytes()[:-1000])


def overlong(model: Path) -> None:
    path = checkpoint_of(model)
    path.write_bytes(path.read_bytes() + bytes(1000))


def wrong_magic(model: Path) -> None:
    path = checkpoint_of(model)
    path.write_bytes(struct.pack("<I", 0x616B3433) + path.read_bytes()[4:])


def dimensions_that_do_not_fit(model: Path) -> None:
    write_header(checkpoint_of(model), 1, 1000)


def heads_that_do_not_divide(model: Path) -> None:
    write_header(checkpoint_of(model), 3, 7)


def negative_layers(model: Path) -> None:
    write_header(checkpoint_of(model), 2, -1)


def huge_dimensions(model: Path) -> None:
    for place in range(7):
        write_header(checkpoint_of(model), place, 0x7FFFFFFF)


def no_checkpoint(model: Path) -> None:
    checkpoint_of(model).unlink()


def truncated_tokenizer(model: Path) -> None:
    path = tokenizer_of(model)
    path.write_bytes(path.read_bytes()[:100])


def tokenizer_of_another_size(model: Path) -> None:
    """Keeps the first ten pieces."""
    path = tokenizer_of(model)
    content = path.read_bytes()
    end = 4
    for _ in range(10):
        end += 8 + struct.unpack_from("<i", content, end + 4)[0]
    path.write_bytes(content[:end])


@pytest.mark.parametrize(
    "damage",
    [
        not_a_checkpoint,
        empty,
        truncated,
        overlong,
        wrong_magic,
        dimensions_that_do_not_fit,
        heads_that_do_not_divide,
        negative_layers,
        huge_dimensions,
        no_checkpoint,
        truncated_tokenizer,
        tokenizer_of_another_size,
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_model_is_named(
    orion: Orion, model: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(model)
    bundle = tmp_path / "bundle"
    cache = tmp_path / "cache"
    assert_refused(generate(orion, model, "--cache-dir", cache), 1, str(model))
    assert_refused(
        orion("compile", "--model", model, "--device", "cpu", "-o", bundle), 1, str(model)
    )
    assert not bundle.exists()
    left = [path.name for path in tmp_path.iterdir() if path not in (model, cache)]
    assert left == []
    assert [path for path in cache.rglob("*") if path.suffix in (".mil", ".bin", ".json")] == []


def test_a_model_that_is_not_there_is_named(orion: Orion, tmp_path: Path) -> None:
    assert_refused(generate(orion, tmp_path / "nothing"), 2, str(tmp_path / "nothing"))


def test_a_prompt_longer_than_the_context_is_counted(orion: Orion, model: Path) -> None:
    assert_refused(generate(orion, model, "-p", "Once upon a time " * 500), 1, "context")


@pytest.mark.parametrize("device", ["gpu", "sim:m9", "cuda:0"])
def test_an_unknown_device_is_named(orion: Orion, model: Path, device: str) -> None:
    assert_refused(generate(orion, model, "--device", device), 2, device)


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="needs a directory that root cannot write"
)
@pytest.mark.parametrize("place", ["under a file", "/proc/orion"])
def test_a_cache_that_cannot_be_written_is_named(
    orion: Orion, model: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("")
    cache = tmp_path / "file" / "cache" if place == "under a file" else Path(place)
    assert_refused(generate(orion, model, "--cache-dir", cache), 1, str(cache))
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--max-tokens", -1), "max_tokens"),
        (("--max-tokens", "many"), "--max-tokens"),
        (("--temp", -0.5), "temp"),
        (("--temp", "nan"), "temp"),
        (("--temp", "inf"), "temp"),
        (("--top-p", 0), "top_p"),
        (("--top-p", 1.5), "top_p"),
        (("--top-k", -1), "top_k"),
        (("--min-p", 2), "min_p"),
        (("--seed", -1), "seed"),
        (("--seed", 1 << 64), "seed"),
        (("--colour", "red"), "--colour"),
        (("--cache-dir", ""), "expected a path, got an empty text"),
        (("--model", ""), "expected a path, got an empty text"),
    ],
)
def test_an_argument_out_of_range_is_named(
    orion: Orion, model: Path, arguments: tuple[object, ...], word: str
) -> None:
    done = generate(orion, model, *arguments)
    assert_refused(done, 2, word)


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("generate",), ("compile", "-o", "x")])
def test_a_command_line_that_is_none_says_how(orion: Orion, arguments: tuple[str, ...]) -> None:
    done = orion(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "usage: orion" in done.err
    assert "Traceback" not in done.err


def test_a_prompt_that_is_no_text_is_refused(orion: Orion, model: Path) -> None:
    assert_refused(generate(orion, model, "-p", os.fsdecode(b"Once \xff")), 2, "UTF-8")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["cannot be read"]),
        ("{", ["no file of reference ids"]),
        ("{}", ["no file of reference ids", "cases"]),
        ('{"cases": [{"prompt": "", "prompt_ids": [1]}]}', ["new_ids"]),
        ('{"cases": [{"prompt": "", "prompt_ids": [1], "new_ids": [1, 2], "margins": [1]}]}',
         ["2 new ids and 1 margins"]),
        ('{"cases": [{"prompt": "", "prompt_ids": [99999999], "new_ids": [1], "margins": [1]}]}',
         ["99999999"]),
    ],
)  # fmt: skip
def test_reference_ids_that_are_none_are_named(
    orion: Orion, model: Path, tmp_path: Path, content: str | None, words: list[str]
) -> None:
    path = tmp_path / "ids.json"
    if content is not None:
        path.write_text(content)
    done = orion("verify", "--model", model, "--ids", path, "--device", "cpu", "--json")
    assert_refused(done, 1 if "99999999" not in words else 2, *words)


def test_an_output_that_cannot_be_written_is_named(
    orion: Orion, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    for output, code in ((tmp_path / "file", 2), (tmp_path / "file" / "bundle", 1)):
        done = orion("compile", "--model", model, "--device", "cpu", "-o", output)
        assert_refused(done, code, str(output))
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("compile", "-o", "{new}"), "is a bundle"),
        (("train", "--data", "{data}", "-o", "{new}"), "is a bundle"),
        (("export", "--format", "safetensors", "-o", "{new}"), "is a bundle"),
    ],
)
def test_a_bundle_is_no_checkpoint(
    orion: Orion, model: Path, tmp_path: Path, command: tuple[str, ...], said: str
) -> None:
    bundle, data = tmp_path / "bundle", tmp_path / "data"
    assert orion("compile", "--model", model, "--device", "cpu", "-o", bundle).code == 0
    data.mkdir()
    (data / "train.txt").write_text("once upon a time")
    name, *rest = (each.format(new=tmp_path / "new", data=data) for each in command)
    assert_refused(orion(name, "--model", bundle, *rest, "--device", "cpu"), 2, said, str(bundle))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("compile", "--adapter-targets", "q_proj"), "--adapter-rank"),
        (("compile", "--layers-per-program", "0"), "whole number of 1 or more"),
        (("export", "--format", "safetensors", "--adapter-rank", "4"), "of bundles alone"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    orion: Orion, model: Path, tmp_path: Path, command: tuple[str, ...], said: str
) -> None:
    place = ("--model", model, "--device", "cpu", "-o", tmp_path / "new")
    assert_refused(orion(*command, *place), 2, said)
    assert not (tmp_path / "new").exists()


def test_a_run_that_is_not_there_does_not_resume(orion: Orion, tmp_path: Path) -> None:
    done = orion("train", "--resume", "-o", tmp_path / "none")
    assert_refused(done, 1, str(tmp_path / "none"), "expected a run with checkpoints")
    assert not (tmp_path / "none").exists()


def test_a_damaged_bundle_is_named(orion: Orion, model: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    assert orion("compile", "--model", model, "--device", "cpu", "-o", bundle).code == 0
    manifest = bundle / "manifest.json"
    whole = manifest.read_text()
    for text, word in [
        ("{", "manifest.json"),
        (whole.replace('"format": 1', '"format": 99'), "99"),
    ]:
        assert text != whole
        manifest.write_text(text)
        assert_refused(generate(orion, bundle), 1, word)
    manifest.write_text(whole)
    weights = bundle / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:-64])
    assert_refused(generate(orion, bundle), 1, "weights.bin")
