"""`orion export`: a checkpoint comes back tensor by tensor, a bundle runs where it is copied to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from models import make_tiny

import orion as package
from orion import weights
from orion.compile import bundle
from orion.errors import OrionError, UsageError
from orion.export import export_checkpoint
from orion.runtime import profile
from orion.weights import safetensors
from orion.weights.lazy import LazyTensor

Orion = Callable[..., SimpleNamespace]
GOLDEN = ["gpt2-tiny", "llama-tiny-gqa", "llama-tiny-tied", "qwen3-tiny"]


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_models_come_back_tensor_by_tensor(data: Path, tmp_path: Path, name: str) -> None:
    source = data / "golden" / name
    report = export_checkpoint(source, tmp_path / "back")
    before, after = weights.load(source), weights.load(tmp_path / "back")
    assert after.config == before.config
    assert after.tensors.keys() == before.tensors.keys()
    assert report.tensors == len(before.tensors) and report.parameters == before.parameters
    for key, tensor in before.tensors.items():
        assert (after.tensors[key].shape, after.tensors[key].dtype) == (tensor.shape, tensor.dtype)
        np.testing.assert_array_equal(after.tensors[key], tensor)


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_dtypes_stay(data: Path, tmp_path: Path, dtype: str) -> None:
    source = data / "golden" / "qwen3-tiny"
    (tmp_path / "given").mkdir()
    shutil.copy(source / "config.json", tmp_path / "given")
    tensors = {
        name: LazyTensor(t.shape, dtype, (lambda t=t: stored(t, dtype)), name, name)
        for name, t in weights.load(source).tensors.items()
    }
    safetensors.write(tmp_path / "given" / "model.safetensors", tensors)
    export_checkpoint(tmp_path / "given", tmp_path / "back")
    given, back = (tmp_path / name / "model.safetensors" for name in ("given", "back"))
    assert given.read_bytes() == back.read_bytes()


def stored(tensor: LazyTensor, dtype: str) -> np.ndarray:
    array = np.asarray(tensor)
    if dtype == "bf16":
        return (array.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    return array.astype({"fp32": np.float32, "fp16": np.float16}[dtype])


def test_llama2c_comes_back_as_hugging_face_keeps_it(
    stories: Path, tmp_path: Path, cases: list[dict]
) -> None:
    export_checkpoint(stories, tmp_path / "back")
    names = {path.name for path in (tmp_path / "back").iterdir()}
    assert names == {"config.json", "model.safetensors", "tok512.bin"}
    config = json.loads((tmp_path / "back" / "config.json").read_text())
    assert (config["model_type"], config["torch_dtype"]) == ("llama", "float32")
    assert (config["bos_token_id"], config["eos_token_id"]) == (1, [1, 2])
    for case in cases[:2]:
        with package.load(tmp_path / "back", device="cpu") as model:
            found = model.generate(case["prompt"], max_tokens=len(case["new_ids"]))
        assert found.new_ids == case["new_ids"]


def test_a_bundle_runs_where_it_is_copied_to(
    stories: Path, tmp_path: Path, cases: list[dict], orion: Orion
) -> None:
    done = orion("export", "--model", stories, "-o", tmp_path / "b", "--device", "cpu", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["format"], report["profile"], report["weights"]) == ("bundle", "cpu", "fp32")
    shutil.move(tmp_path / "b", tmp_path / "elsewhere")
    with package.load(tmp_path / "elsewhere", device="cpu") as model:
        case = cases[0]
        found = model.generate(case["prompt"], max_tokens=len(case["new_ids"]))
    assert found.text == case["text"] if "text" in case else found.new_ids == case["new_ids"]


def test_the_command_writes_safetensors(tmp_path: Path, orion: Orion) -> None:
    model = make_tiny(tmp_path / "model")
    out = tmp_path / "back"
    done = orion("export", "--model", model, "-o", out, "--format", "safetensors", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["bytes"] == (out / "model.safetensors").stat().st_size
    again = orion("export", "--model", model, "-o", out, "--format", "safetensors")
    assert again.code == 2 and "is not empty" in again.err
    odd = orion("export", "--model", model, "-o", tmp_path / "x", "--format", "safetensors",
                "--weights", "int8")  # fmt: skip
    assert odd.code == 2 and "of bundles alone" in odd.err


def test_a_bundle_is_no_checkpoint(tmp_path: Path) -> None:
    bundle(make_tiny(tmp_path / "model"), profile("cpu"), tmp_path / "b")
    with pytest.raises(UsageError, match="is a bundle, which holds programs and no checkpoint"):
        export_checkpoint(tmp_path / "b", tmp_path / "back")


def test_a_model_of_wrong_shapes_is_not_exported(data: Path, tmp_path: Path) -> None:
    source = data / "golden" / "gpt2-tiny"
    (tmp_path / "given").mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(source / name, tmp_path / "given")
    config = json.loads((tmp_path / "given" / "config.json").read_text())
    (tmp_path / "given" / "config.json").write_text(json.dumps(config | {"n_embd": 32}))
    with pytest.raises(OrionError):
        export_checkpoint(tmp_path / "given", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_commands_take_the_type_of_weights(
    stories: Path, tmp_path: Path, orion: Orion, cases: list[dict]
) -> None:
    prompt = ("--prompt", cases[0]["prompt"], "-m", 20, "--device", "cpu")
    texts = {}
    for kind in ("fp32", "fp16", "int8"):
        done = orion("generate", "--model", stories, *prompt, "--weights", kind, "--json")
        assert done.code == 0, done.err
        texts[kind] = json.loads(done.out)["new_ids"]
    assert texts["fp32"] == texts["fp16"] == cases[0]["new_ids"][:20]
    out = tmp_path / "b"
    arguments = ("--model", stories, "-o", out, "--weights", "int8", "--layers-per-program", 2)
    done = orion("compile", *arguments, "--device", "sim", "--json")
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert facts["weights"] == "int8"
    assert "layers_s32_l0_p2" in facts["programs"] and "layers_s32_l0_p3" not in facts["programs"]
    refused = orion(
        "compile", "--model", stories, "-o", out, "--weights", "fp32", "--device", "sim"
    )
    assert refused.code == 2 and "expected auto, fp16 or int8" in refused.err


@pytest.mark.parametrize("device", ["cpu", "sim:m4-macos15"])
def test_layers_in_several_programs_give_the_same_tokens(
    stories: Path, tmp_path: Path, cases: list[dict], device: str
) -> None:
    found = []
    for layers in (None, 2):
        with package.runtime.Device(device) as opened:
            facts = profile(opened.profile)
        bundle(stories, facts, tmp_path / str(layers), layers_per_program=layers)
        with package.load(tmp_path / str(layers), device=device) as model:
            found.append(model.generate(cases[1]["prompt"], max_tokens=40).new_ids)
    assert found[0] == found[1]
