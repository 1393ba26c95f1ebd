"""Hugging Face directories: what is read, how it is stored, and every way in which one is bad."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
from hf_models import (
    GPT2,
    LLAMA,
    random_tensors,
    write_model,
    write_raw,
    write_sharded,
)
from profiles_for_tests import CPU

from orion import weights
from orion.compile import bundle
from orion.models import open_model
from orion.weights import safetensors
from orion.weights.lazy import narrowed, widened

WEIGHTS, CONFIG, INDEX = "model.safetensors", "config.json", "model.safetensors.index.json"
NORM = "model.norm.weight"


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


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    values = np.random.RandomState(0).standard_normal((6, 5)).astype(np.float32)
    write_raw(tmp_path / "b", {"brain": ("BF16", (6, 5), narrowed(values).tobytes())})
    brain = safetensors.read(tmp_path / "b")["brain"]
    half = values.astype(np.float16)
    written = {"z": values, "half": half, "brain": brain, "turned": brain.T, "one": values[0, 0]}
    safetensors.write(tmp_path / "w.safetensors", {**written, "one": np.asarray(values[0, 0])})
    found = safetensors.read(tmp_path / "w.safetensors")
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        **{"brain": "bf16", "half": "fp16", "one": "fp32", "turned": "bf16", "z": "fp32"},
    }
    for name, tensor in written.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)


def test_every_bf16_widens_exactly() -> None:
    bits = np.arange(1 << 16).astype(np.uint16)
    wide = widened(bits)
    finite = np.isfinite(wide)
    assert (narrowed(wide[finite]) == bits[finite]).all()
    # 1 + 2^-8 lies between two: the even one; a bit more: the upper.
    assert widened(narrowed(np.array([1 + 2**-8], np.float32)))[0] == 1
    assert widened(narrowed(np.array([1 + 2**-8 + 2**-12], np.float32)))[0] == 1 + 2**-7


def test_tied_weights_stand_once_in_a_bundle(tmp_path: Path) -> None:
    tied = {**LLAMA, "tie_word_embeddings": True}
    small = bundle(write_model(tmp_path / "tied", tied), CPU, tmp_path / "a").weight_bytes
    large = bundle(write_model(tmp_path / "untied", LLAMA), CPU, tmp_path / "b").weight_bytes
    assert large - small >= 4 * LLAMA["vocab_size"] * LLAMA["hidden_size"]


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
