"""llama2.c's checkpoints: both headers, tied and untied, order of rotary pairs, bad files."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orion import weights
from orion.errors import OrionError
from orion.models import llama
from orion.weights import llama2c, tiny


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.write(tmp_path / "model", seed=3)


def test_stories260k(stories: Path) -> None:
    checkpoint = weights.load(stories)
    assert checkpoint.parameters == 260032
    assert checkpoint.files == (stories / "stories260K.bin",)
    config = llama.read_config(checkpoint.config)
    assert (config.hidden_size, config.head_dim, config.vocabulary, config.context) == (
        64,
        8,
        512,
        512,
    )
    assert {n: t.shape for n, t in checkpoint.tensors.items()} == llama.shapes(config)


def test_tensors_stay_in_the_file(stories: Path) -> None:
    checkpoint = weights.load(stories)
    embedding = checkpoint.tensors["model.embed_tokens.weight"]
    assert np.shares_memory(np.asarray(embedding), np.asarray(embedding))
    assert not np.asarray(embedding).flags.writeable


def test_written_and_read_again(model: Path) -> None:
    checkpoint = weights.load(model)
    expected = tiny.random_tensors(3)
    assert dict(checkpoint.config) == tiny.CONFIG
    assert checkpoint.tensors.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(checkpoint.tensors[name], tensor, err_msg=name)


def test_the_seed_decides(tmp_path: Path) -> None:
    files = [tiny.write(tmp_path / str(i), seed) / "tiny.bin" for i, seed in enumerate((1, 1, 2))]
    first, again, other = (path.read_bytes() for path in files)
    assert first == again != other


def test_tied_head_is_the_embedding(tmp_path: Path) -> None:
    config = {**tiny.CONFIG, "tie_word_embeddings": True}
    llama2c.write(tmp_path / "m.bin", config, tiny.random_tensors(0))
    checkpoint = weights.load(tmp_path)
    assert checkpoint.config["tie_word_embeddings"] is True
    assert "lm_head.weight" not in checkpoint.tensors


@pytest.mark.parametrize("tied", [True, False])
def test_version_1(tmp_path: Path, tied: bool) -> None:
    """The newer header: magic, version, numbers, tied; norms before everything else."""
    legacy = tmp_path / "legacy.bin"
    config = {**tiny.CONFIG, "tie_word_embeddings": tied}
    llama2c.write(legacy, config, tiny.random_tensors(0))
    raw = legacy.read_bytes()
    header, layout = llama2c.read_header(legacy, raw[:256])
    stacks = llama2c.cut(np.frombuffer(raw, "<f4", offset=28), layout)
    order = ["attention_norm", "mlp_norm", "norm", "embedding", "wq", "wk", "wv", "wo"]
    order += ["w1", "w2", "w3"] + ([] if tied else ["head"])
    fields = struct.unpack("<7i", raw[:28])
    start = struct.pack("<Ii7iB", llama2c.MAGIC, 1, *fields[:5], abs(fields[5]), fields[6], tied)
    path = tmp_path / "v1.bin"
    path.write_bytes(start.ljust(256, b"\0") + b"".join(stacks[n].tobytes() for n in order))
    expected, found = weights.load(legacy), weights.load(path)
    assert header.tied is tied
    assert dict(found.config) == dict(expected.config)
    for name, tensor in expected.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], tensor, err_msg=name)


def test_pairs_become_halves() -> None:
    weight = np.arange(8.0)[:, None]  # two heads of size 4
    halves = llama2c.pairs_to_halves(weight, 2)
    assert halves[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    np.testing.assert_array_equal(llama2c.halves_to_pairs(halves, 2), weight)


def header(**changes: int) -> bytes:
    fields = {"dim": 64, "hidden": 160, "layers": 2, "heads": 4, "keys": 2}
    fields |= {"vocabulary": -288, "context": 256}
    return struct.pack("<7i", *(fields | changes).values())


def bad_files(good: bytes) -> list[tuple[bytes, str]]:
    magic = struct.pack("<I", llama2c.MAGIC)
    return [
        (b"", "expected a header of 28 bytes, got 0"),
        (b"GGUF" + bytes(300), "is a GGUF file, which is not read"),
        (b"#!/bin/sh\necho this is no checkpoint\n", "is no llama2.c checkpoint"),
        (b"\x80\x02}q\x00" + bytes(300), "pickles are never opened, for they can run code"),
        (good[:-1], "is cut short: dim 64, hidden 160, 2 layers, 4 heads"),
        (good[:1000], "is cut short"),
        (good + b"\0", "holds more than its header says"),
        (header(dim=0) + good[28:], "its header gives dim 0, expected 1 to"),
        (header(layers=-2) + good[28:], "its header gives layers -2"),
        (header(heads=5) + good[28:], "do not go together"),
        (header(heads=64, keys=64) + good[28:], "do not go together"),
        (header(keys=3) + good[28:], "do not go together"),
        (header(vocabulary=0) + good[28:], "its header gives vocabulary 0"),
        (header(vocabulary=288) + good[28:], "holds more than its header says"),
        (header(hidden=161) + good[28:], "is cut short"),
        (header(context=1 << 22) + good[28:], "is cut short"),
        (header(dim=1 << 20, hidden=1 << 22, layers=1 << 12) + good[28:], "is cut short"),
        (magic + struct.pack("<i", 2) + bytes(300), "checkpoint of version 2; expected the legacy"),
        (magic + struct.pack("<i", 1), "expected a header of 28 bytes, got 8"),
        (magic + struct.pack("<i", 1) + bytes(40), "is cut short inside its header"),
    ]


def test_bad_files_are_refused(model: Path) -> None:
    path = model / "tiny.bin"
    for content, message in bad_files(path.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(OrionError, match=message) as error:
            weights.load(model)
        assert str(error.value).startswith(str(path))


def test_none_or_several_files_are_refused(model: Path) -> None:
    (model / "other.bin").write_bytes(b"")
    with pytest.raises(OrionError, match=r"found 2 \(other.bin, tiny.bin\); name the one to use"):
        weights.load(model)
    assert weights.load(model / "tiny.bin").parameters == 123200
    for name in ("other.bin", "tiny.bin"):
        (model / name).unlink()
    with pytest.raises(OrionError, match=r"or one checkpoint \*.bin of llama2.c, found neither"):
        weights.load(model)
    with pytest.raises(OrionError, match="there is no such model directory or checkpoint file"):
        weights.load(model / "missing")


def test_a_directory_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "m.bin").mkdir()
    with pytest.raises(OrionError, match="cannot be read"):
        weights.load(tmp_path)


def test_config_reads_what_it_knows(stories: Path) -> None:
    config: dict[str, Any] = {**weights.load(stories).config, "torch_dtype": "float32"}
    assert llama.read_config(config).rope.theta == 10000.0
