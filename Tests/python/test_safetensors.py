"""Hugging Face directories: what is read, how it is stored, and every way in which one is bad."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
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
from orion.models import open_model
from orion.weights import safetensors
from orion.weights.lazy import LazyTensor, narrowed, widened

WEIGHTS, CONFIG, INDEX = "model.safetensors", "config.json", "model.safetensors.index.json"
NORM = "model.norm.weight"


def open_whole(directory: Path) -> None:
    """All that a user's model goes through: opened, held against its config, written."""
    bundle(directory, CPU, directory.parent / "bundle")


def test_a_single_file_and_shards_hold_the_same(tmp_path: Path) -> None:
    expected = random_tensors(LLAMA)
    for write in (write_model, write_sharded):
        directory = write(tmp_path / write.__name__, LLAMA)
        checkpoint = weights.load(directory)
        assert checkpoint.tensors.keys() == expected.keys()
        for name, tensor in expected.items():
            np.testing.assert_array_equal(checkpoint.tensors[name], tensor, err_msg=name)
        assert checkpoint.parameters == sum(tensor.size for tensor in expected.values())
        assert set(checkpoint.files) == set(directory.iterdir())


def test_a_file_stands_for_its_directory(tmp_path: Path) -> None:
    directory = write_model(tmp_path / "m", LLAMA)
    for name in (WEIGHTS, CONFIG):
        assert weights.load(directory / name).files == weights.load(directory).files


def test_fp16_and_bf16_are_read_as_they_are(tmp_path: Path) -> None:
    values = np.array([[1.0, -2.5, 3.0e-3], [65504.0, 1e-7, -0.0]], np.float32)
    half, brain = values.astype(np.float16), narrowed(values)
    write_raw(
        tmp_path / "w.safetensors",
        {
            "half": ("F16", (2, 3), half.tobytes()),
            "brain": ("BF16", (2, 3), brain.tobytes()),
            "scalar": ("F32", (), struct.pack("<f", 2.5)),
        },
    )
    tensors = safetensors.read(tmp_path / "w.safetensors")
    assert [tensor.dtype for tensor in tensors.values()] == ["fp16", "bf16", "fp32"]
    np.testing.assert_array_equal(np.asarray(tensors["half"]), half)
    brained = np.asarray(tensors["brain"])
    assert brained.dtype == np.float32
    np.testing.assert_array_equal(brained, widened(brain))
    np.testing.assert_allclose(brained, values, rtol=2**-8)
    assert float(np.asarray(tensors["scalar"])) == 2.5
    assert [block.tolist() for block in tensors["scalar"].blocks()] == [[2.5]]


def test_every_bf16_widens_exactly() -> None:
    bits = np.arange(1 << 16).astype(np.uint16)
    wide = widened(bits)
    finite = np.isfinite(wide)
    assert (narrowed(wide[finite]) == bits[finite]).all()
    # 1 + 2^-8 lies between two: the even one; a bit more: the upper.
    assert widened(narrowed(np.array([1 + 2**-8], np.float32)))[0] == 1
    assert widened(narrowed(np.array([1 + 2**-8 + 2**-12], np.float32)))[0] == 1 + 2**-7


VIEWS: list[Callable[..., object]] = [
    lambda t: t,
    lambda t: t.T,
    lambda t: t[2:5],
    lambda t: t.T[1:3],
    lambda t: t[:, 1:3],
    lambda t: t.reshape(6, 4, 1, 1),
    lambda t: t.T[:2].reshape(2, 6, 1, 1),
    lambda t: t.reshape((4, 6))[1:],
]


@pytest.mark.parametrize("view", range(len(VIEWS)))
@pytest.mark.parametrize("elements", [1, 5, 1 << 20])
def test_views_are_numpys_and_read_late(view: int, elements: int) -> None:
    array = np.arange(24, dtype=np.float32).reshape(6, 4)
    reads = []

    def read() -> np.ndarray:
        reads.append(1)
        return array

    seen = VIEWS[view](LazyTensor(array.shape, "fp32", read, "array"))
    expected = np.asarray(VIEWS[view](array))
    assert isinstance(seen, LazyTensor)
    assert seen.shape == expected.shape
    assert not reads
    np.testing.assert_array_equal(np.concatenate(list(seen.blocks(elements))), expected.reshape(-1))
    np.testing.assert_array_equal(seen, expected)


def test_views_of_the_same_numbers_have_one_identity() -> None:
    tensor = LazyTensor((4, 4), "fp32", lambda: np.zeros((4, 4), np.float32), "t")
    assert tensor.reshape(4, 4, 1, 1).identity == tensor.identity
    assert tensor[:2].identity == tensor[:2].identity
    assert len({t.identity for t in (tensor, tensor.T, tensor[:2], tensor[2:], tensor.T[:2])}) == 5


def test_tied_weights_stand_once_in_a_bundle(tmp_path: Path) -> None:
    tied = {**LLAMA, "tie_word_embeddings": True}
    small = bundle(write_model(tmp_path / "tied", tied), CPU, tmp_path / "a").weight_bytes
    large = bundle(write_model(tmp_path / "untied", LLAMA), CPU, tmp_path / "b").weight_bytes
    assert large - small >= 4 * LLAMA["vocab_size"] * LLAMA["hidden_size"]


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


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x80\x02", b"\x80\x04"])
def test_pickles_under_other_names_are_refused(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(start + bytes(100))
    with pytest.raises(OrionError, match=r"model.bin: pickles are never opened"):
        weights.load(path)


def test_harmless_surplus_is_left_out(tmp_path: Path) -> None:
    mask = np.tril(np.ones((1, 1, 64, 64), np.float32))
    gpt2 = random_tensors(GPT2)
    stored = {"transformer.h.0.attn.bias": mask, "transformer.h.1.attn.masked_bias": mask[0, 0, 0]}
    checkpoint = weights.load(write_model(tmp_path / "gpt2", GPT2, {**gpt2, **stored}))
    assert len(checkpoint.tensors) == len(gpt2) + 2
    assert not set(open_model(checkpoint.config, checkpoint.tensors).tensors) & set(stored)

    llama = {**LLAMA, "tie_word_embeddings": True}
    found = random_tensors(llama)
    found["lm_head.weight"] = found["model.embed_tokens.weight"].copy()
    found["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(4, np.float32)
    model = open_model(llama, weights.load(write_model(tmp_path / "llama", llama, found)).tensors)
    assert len(model.tensors) == len(found) - 2


MEMORY = """
import resource, sys
from orion.compile import bundle
from profiles_for_tests import CPU
import numpy, orion.models.llama
buckets = {"prompt_buckets": [32], "cache_buckets": [64]}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
bundle(sys.argv[1], {**CPU, "preferences": {**CPU["preferences"], **buckets}}, sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_loading_takes_no_more_memory_than_the_weights(tmp_path: Path) -> None:
    shape = {"hidden_size": 512, "intermediate_size": 2048, "vocab_size": 16384}
    large = {**LLAMA, **shape, "num_hidden_layers": 4, "tie_word_embeddings": True}
    directory = tmp_path / "model"
    directory.mkdir()
    (directory / CONFIG).write_text(json.dumps(large))
    found = {
        name: ("BF16", tensor.shape, narrowed(tensor).tobytes())
        for name, tensor in random_tensors(large).items()
    }
    write_raw(directory / WEIGHTS, found)
    size = (directory / WEIGHTS).stat().st_size
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(directory), str(tmp_path / "bundle")],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < size + (24 << 20)
