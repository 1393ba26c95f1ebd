"""Model directories with one thing wrong each, and what is said about it."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hf_models import (
    GPT2,
    LLAMA,
    edit_json,
    random_tensors,
    raw_safetensors,
    write_model,
    write_raw,
    write_sharded,
)
from profiles_for_tests import CPU

from orion import weights
from orion.compile import bundle
from orion.errors import OrionError

WEIGHTS, CONFIG, INDEX = "model.safetensors", "config.json", "model.safetensors.index.json"
NORM = "model.norm.weight"


def open_whole(directory: Path) -> None:
    """All that a user's model goes through: opened, held against its config, written."""
    bundle(directory, CPU, directory.parent / "bundle")


def edit_tensors(directory: Path, **changes: np.ndarray | None) -> None:
    config = json.loads((directory / CONFIG).read_text())
    tensors = {**random_tensors(config), **changes}
    write_model(directory, config, {k: v for k, v in tensors.items() if v is not None})


def with_nan(directory: Path) -> None:
    tensor = random_tensors(LLAMA)["model.layers.1.mlp.down_proj.weight"]
    tensor[3, 5] = np.nan
    tensor[7, 1] = np.inf
    edit_tensors(directory, **{"model.layers.1.mlp.down_proj.weight": tensor})


def remove(name: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).unlink()


def cut(directory: Path) -> None:
    path = directory / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])


def raw(header: object, body: bytes = bytes(16)) -> Callable[[Path], None]:
    def write(directory: Path) -> None:
        (directory / WEIGHTS).write_bytes(raw_safetensors(header, body))  # type: ignore[arg-type]

    return write


def place(dtype: str, shape: list[int], first: int, last: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


def as_pickle(directory: Path) -> None:
    (directory / WEIGHTS).rename(directory / "pytorch_model.bin")


def config(**changes: object) -> Callable[[Path], None]:
    return lambda directory: edit_json(directory / CONFIG, **changes)


def tensors(**changes: np.ndarray | None) -> Callable[[Path], None]:
    return lambda directory: edit_tensors(directory, **changes)


def long_header(directory: Path) -> None:
    (directory / WEIGHTS).write_bytes(struct.pack("<Q", 1 << 40) + b"{}")


def two_files(directory: Path) -> None:
    content = (directory / WEIGHTS).read_bytes()
    (directory / WEIGHTS).unlink()
    for name in ("a.safetensors", "b.safetensors"):
        (directory / name).write_bytes(content)


def unreadable_config(directory: Path) -> None:
    (directory / CONFIG).write_text('{"model_type": ')


def list_config(directory: Path) -> None:
    (directory / CONFIG).write_text("[1]")


def fused_nan(directory: Path) -> None:
    found = random_tensors(GPT2)
    found["transformer.h.1.attn.c_attn.weight"][3, 70] = np.nan
    write_model(directory, GPT2, found)


def other_dtype(directory: Path) -> None:
    found = {name: ("F32", t.shape, t.tobytes()) for name, t in random_tensors(LLAMA).items()}
    found[NORM] = ("I64", (32,), bytes(8 * 32))
    write_raw(directory / WEIGHTS, found)


ONE_TENSOR = np.zeros((3, 3), np.float32)
# what is done to a good directory, and what is said about it
BAD: list[tuple[Callable[[Path], None], str]] = [
    (remove(WEIGHTS), r"expected model.safetensors beside config.json, found none"),
    (remove(CONFIG), r"holds safetensors but no config.json"),
    (as_pickle, r"pytorch_model.bin: pickles are never opened, .* save the model as safetensors"),
    (two_files, r"holds 2 safetensors files \(a.safetensors, b.safetensors\) and no model.safe"),
    (unreadable_config, r"config.json: holds no JSON"),
    (list_config, r"config.json: expected an object, found a list"),
    (cut, r"model.safetensors: is no sound safetensors file of \d+ bytes: .*cut short or damaged"),
    (long_header, r"is no sound safetensors file of 10 bytes: header too large"),
    (raw(b"not json at all"), r"is no sound safetensors file .*JSON"),
    (raw({"a": place("F32", [4], 0, 400)}), r"is no sound safetensors file .*offset"),
    (
        raw({"a": place("F32", [3], 0, 12), "b": place("F32", [2], 8, 16)}),
        r"is no sound safetensors file .*invalid offset for tensor `b`",
    ),
    (
        raw({"a": place("F32", [2], 0, 8), "b": place("F32", [1], 12, 16)}),
        r"is no sound safetensors file .*invalid offset for tensor `b`",
    ),
    (raw({"a": place("F32", [5], 0, 16)}), r"is no sound safetensors file .*shape"),
    (raw({"a": place("F99", [4], 0, 16)}), r"is no sound safetensors file .*F99"),
    (other_dtype, r"tensor model.norm.weight: expected numbers in F32, F16 or BF16, got I64"),
    (with_nan, r"tensor model.layers.1.mlp.down_proj.weight holds nan at \[3, 5\], and 2 in all"),
    (fused_nan, r"tensor transformer.h.1.attn.c_attn.weight holds nan at \[3, 70\], and 1 in all"),
    (tensors(**{NORM: None}), r"the checkpoint lacks tensor model.norm.weight"),
    (
        tensors(**{NORM: np.zeros(31, np.float32)}),
        r"tensor model.norm.weight: expected the shape \[32\] by config.json, got \[31\]",
    ),
    (tensors(**{"model.extra.weight": ONE_TENSOR}), r"the checkpoint holds tensor model.extra.w"),
    (config(num_hidden_layers=3), r"lacks tensors model.layers.2.input_layernorm.*and 5 more"),
    (config(num_hidden_layers=1), r"holds tensors model.layers.1.*it is another model than"),
    (config(vocab_size=63), r"vocab_size says 63 tokens, and the tensor holds 64"),
    (config(model_type="mamba"), r"'mamba' is not known; known: gpt2, llama, qwen2, qwen3"),
    (config(model_type=None), r"expected a model_type; known: gpt2, llama, qwen2, qwen3"),
    (config(model_type="parts"), r"'parts' is not known"),
    (config(model_type="../llama"), r"'../llama' is not known"),
    (config(tie_word_embeddings=True), r"lm_head.weight differs from the embedding, to which"),
]


@pytest.mark.parametrize(("damage", "message"), BAD)
def test_bad_directories_are_refused(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    directory = write_model(tmp_path / "model", LLAMA)
    damage(directory)
    with pytest.raises(OrionError, match=message) as error:
        open_whole(directory)
    assert str(directory) in str(error.value) or "tensor" in str(error.value)
    assert not (tmp_path / "bundle").exists()


def move_out(directory: Path, where: str) -> None:
    content = json.loads((directory / INDEX).read_text())
    name = next(iter(content["weight_map"]))
    content["weight_map"][name] = where
    (directory / INDEX).write_text(json.dumps(content))


SHARD = "model-00002-of-00003.safetensors"
BAD_INDEX: list[tuple[Callable[[Path], None], str]] = [
    (remove(SHARD), rf"{SHARD}: is missing, and {INDEX} lists it; fetch it too"),
    (lambda d: move_out(d, "../model.safetensors"), "expected the name of a file beside the index"),
    (lambda d: move_out(d, "/etc/passwd"), "expected the name of a file beside the index"),
    (lambda d: move_out(d, "sub/m.safetensors"), "expected the name of a file beside the index"),
    (lambda d: move_out(d, ".."), "only .* are read"),
    (lambda d: move_out(d, "pytorch_model.bin"), r"only \*.safetensors are read"),
    (lambda d: move_out(d, SHARD), rf"places tensor .* in {SHARD}, which does not hold it"),
    (lambda d: edit_json(d / INDEX, weight_map=3), "expected a weight_map from tensors to files"),
    (lambda d: edit_json(d / INDEX, weight_map=None), "expected a weight_map"),
    (lambda d: edit_json(d / INDEX, weight_map={"a": 3}), "expected the name of a file beside"),
    (lambda d: (d / SHARD).write_bytes(b"\0" * 7), f"{SHARD}: is no sound safetensors file of 7"),
]


@pytest.mark.parametrize(("damage", "message"), BAD_INDEX)
def test_bad_shards_are_refused(
    tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    directory = write_sharded(tmp_path / "model", LLAMA)
    damage(directory)
    with pytest.raises(OrionError, match=message) as error:
        weights.load(directory)
    assert str(error.value).startswith(str(directory))


def test_a_tensor_that_no_index_lists_is_refused(tmp_path: Path) -> None:
    directory = write_sharded(tmp_path / "model", LLAMA)
    content = json.loads((directory / INDEX).read_text())
    name = next(iter(content["weight_map"]))
    del content["weight_map"][name]
    (directory / INDEX).write_text(json.dumps(content))
    with pytest.raises(OrionError, match=f"does not list tensor {name}, which model-0"):
        weights.load(directory)


PICKLES = ["m.pt", "m.pth", "m.ckpt", "m.pkl", "pytorch_model.bin", "adapter_model.bin"]


@pytest.mark.parametrize("name", PICKLES)
def test_pickles_are_refused_unopened(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"whatever it holds")
    (tmp_path / name).chmod(0)
    for path in (tmp_path / name, tmp_path):
        with pytest.raises(OrionError, match=rf"{name}: pickles are never opened"):
            weights.load(path)


def test_a_gguf_file_is_named(tmp_path: Path) -> None:
    """By its beginning, or where a directory has nothing else."""
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(100))
    for place in (tmp_path / "model.gguf", tmp_path):
        with pytest.raises(OrionError, match=r"model\.gguf: is a GGUF file, .* \*\.safetensors"):
            weights.load(place)


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x80\x02", b"\x80\x04"])
def test_pickles_under_other_names_are_refused(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(start + bytes(100))
    with pytest.raises(OrionError, match=r"model.bin: pickles are never opened"):
        weights.load(path)
