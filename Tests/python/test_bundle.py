"""Bundles on disk: buckets, the manifest and the files agree; bad input leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from profiles_for_tests import CPU, M4, NARROW, storing

from orion import models, tokenizer, weights
from orion.compile import bundle
from orion.compile.buckets import steps
from orion.compile.grouping import layer_bytes, layers_that_fit
from orion.compile.manifest import role_json
from orion.errors import OrionError, UsageError
from orion.files import sha256
from orion.mil import BlobReader
from orion.passes import run_passes
from orion.weights import tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def made(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundles") / "m4"
    bundle(model, M4, directory)
    return directory


@pytest.fixture(scope="module")
def manifest(made: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made / "manifest.json").read_text())
    return found


@pytest.mark.parametrize(
    ("profile", "context", "expected"),
    [
        (
            M4,
            256,
            [(32, 0), (64, 0), (128, 0), (256, 0), (32, 128), (32, 256)],
        ),
        (CPU, 100, [(32, 0), (64, 0), (128, 0), (1, 100), (8, 100)]),
        (M4, 100, [(32, 0), (64, 0), (128, 0), (32, 128)]),
        (M4, 20, [(32, 0), (32, 32)]),
        (CPU, 1, [(32, 0), (1, 1), (8, 1)]),
    ],
)
def test_steps(profile: dict[str, Any], context: int, expected: list[tuple[int, int]]) -> None:
    assert steps(profile, context) == expected


def test_steps_of_a_long_context_use_every_bucket() -> None:
    found = steps(M4, 2048)
    assert [columns for columns, cache in found if cache == 0] == [32, 64, 128, 256, 512, 1024]
    assert [c for columns, c in found if columns == 32 and c] == [128, 256, 512, 1024, 2048]
    assert [c for columns, c in found if columns == 1024 and c] == [2048]


def test_manifest_says_what_the_model_is(manifest: dict[str, Any]) -> None:
    facts = ("format", "profile", "model_type", "vocabulary", "context", "parameters")
    assert [manifest[name] for name in facts] == [1, "m4-macos15", "llama", 288, 256, 123200]
    assert (manifest["begin_token"], manifest["end_tokens"]) == (1, [1, 2])
    assert manifest["head"] == {"columns": 32, "programs": ["head"]}
    assert manifest["steps"][4] == {"columns": 32, "cache": 128, "programs": ["layers_s32_l128"]}


def test_manifest_lists_every_file(made: Path, manifest: dict[str, Any]) -> None:
    listed = set(manifest["files"]) | {"manifest.json", "manifest.sha256"}
    assert listed == {path.name for path in made.iterdir()}
    for name, row in manifest["files"].items():
        assert row == {"bytes": (made / name).stat().st_size, "sha256": sha256(made / name)}
    assert (made / "manifest.sha256").read_text().strip() == sha256(made / "manifest.json")


def test_ports_are_those_of_the_text(made: Path, manifest: dict[str, Any]) -> None:
    for program in manifest["programs"]:
        text = (made / program["file"]).read_text()
        (signature,) = [line for line in text.split("\n") if line.startswith("    func main<")]
        declared = [f"tensor<fp16, {p['shape']}> {p['name']}" for p in program["inputs"]]
        assert signature.endswith(f"({', '.join(declared)}) {{")
        names = ", ".join(p["name"] for p in program["outputs"])
        assert text.endswith(f"        }} -> ({names});\n}}")
        for output in program["outputs"]:
            assert f"tensor<fp16, {output['shape']}> {output['name']} = " in text


def test_roles_of_a_decode_step(manifest: dict[str, Any]) -> None:
    (program,) = [p for p in manifest["programs"] if p["name"] == "layers_s32_l128"]
    roles = {port["name"]: port["role"] for port in program["inputs"] + program["outputs"]}
    assert roles == {
        "x": {"kind": "embedding", "table": "embedding"},
        "cos": {"kind": "position_table", "table": "rope_cos"},
        "sin": {"kind": "position_table", "table": "rope_sin"},
        "mask": {"kind": "mask", "over": "slots"},
        "placement": {"kind": "placement"},
        "hidden": {"kind": "hidden"},
        **{
            f"{short}_{age}_{layer}": {"kind": kind, "layer": layer, "axis": 3}
            for layer in (0, 1)
            for short, age, kind in (
                ("k", "cache", "key_cache"),
                ("v", "cache", "value_cache"),
                ("k", "new", "new_key"),
                ("v", "new", "new_value"),
            )
        },
    }
    shapes = {port["name"]: port["shape"] for port in program["inputs"] + program["outputs"]}
    assert shapes["k_cache_0"] == [1, 32, 1, 128]
    assert shapes["k_new_0"] == [1, 32, 1, 32]
    assert shapes["mask"] == shapes["placement"] == [1, 1, 32, 128]
    assert shapes["cos"] == [1, 8, 1, 32]


def test_role_text() -> None:
    assert role_json("logits first=65536") == {"kind": "logits", "first": 65536}


def test_tables_hold_the_rows(model: Path, made: Path, manifest: dict[str, Any]) -> None:
    reader = BlobReader(made / "weights.bin")
    tables = manifest["tables"]
    rows = {n: reader.read(t["offset"]).reshape(t["rows"], t["width"]) for n, t in tables.items()}
    embedding = weights.load(model).tensors["model.embed_tokens.weight"]
    half = np.asarray(embedding).astype(np.float16)
    np.testing.assert_array_equal(rows["embedding"], half)
    assert rows["rope_cos"].shape == rows["rope_sin"].shape == (256, 8)
    assert rows["rope_cos"][0].tolist() == [1.0] * 8
    assert {name: table["dtype"] for name, table in tables.items()} == {
        "embedding": "fp16",
        "rope_cos": "fp32",
        "rope_sin": "fp32",
    }


def test_weights_take_the_dtype_of_the_profile(model: Path, tmp_path: Path) -> None:
    report = bundle(model, CPU, tmp_path / "cpu")
    text = (tmp_path / "cpu" / "layers_s1_l128.mil").read_text()
    assert "fp16" not in text
    assert report.weight_bytes > 4 * 123200
    half = bundle(model, M4, tmp_path / "m4")
    assert half.weight_bytes < report.weight_bytes


def test_a_tied_head_is_the_embedding_table(stories: Path, tmp_path: Path) -> None:
    bundle(stories, CPU, tmp_path / "b")
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    offset = manifest["tables"]["embedding"]["offset"]
    assert f"uint64({offset})" in (tmp_path / "b" / "head.mil").read_text()


def test_the_tokenizer_is_in_the_bundle(made: Path, model: Path) -> None:
    assert tokenizer.load(made).encode("the end") == tokenizer.load(model).encode("the end")


def test_layers_in_several_programs(model: Path, tmp_path: Path) -> None:
    bundle(model, M4, tmp_path / "b", layers_per_program=1)
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert manifest["steps"][0]["programs"] == ["layers_s32_l0_p0", "layers_s32_l0_p1"]
    ports = {p["name"]: p for p in manifest["programs"]}
    second = ports["layers_s32_l0_p1"]
    assert [p["role"] for p in second["inputs"] if p["name"] == "x"] == [{"kind": "hidden"}]
    assert {p["name"] for p in second["outputs"]} == {"hidden", "k_new_1", "v_new_1"}


def test_the_older_dialect_and_a_tiled_head(model: Path, tmp_path: Path) -> None:
    limits = {"axis_channels_max": 200, "conv_input_channels_max": 200}
    profile = NARROW | {"limits": NARROW["limits"] | limits}
    profile["limits"]["axis_width_max"] = 512
    bundle(model, profile, tmp_path / "b")
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    (head,) = [p for p in manifest["programs"] if p["name"] == "head"]
    assert [p["role"] for p in head["outputs"]] == [
        {"kind": "logits", "first": 0},
        {"kind": "logits", "first": 200},
    ]
    assert (tmp_path / "b" / "head.mil").read_text().startswith("program(1.0)")


def test_a_bundle_is_made_the_same_twice(model: Path, made: Path, tmp_path: Path) -> None:
    bundle(model, M4, tmp_path / "again")
    assert (tmp_path / "again" / "manifest.json").read_bytes() == (
        made / "manifest.json"
    ).read_bytes()


def test_a_bundle_is_replaced_and_other_directories_are_not(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "b"
    target.mkdir()
    bundle(model, M4, target)
    bundle(model, CPU, target)
    assert json.loads((target / "manifest.json").read_text())["profile"] == "cpu"
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds other files and no bundle"):
        bundle(model, M4, mine)
    with pytest.raises(UsageError, match="is a file; name a directory"):
        bundle(model, M4, mine / "thesis.txt")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "mine"]


def test_failure_leaves_nothing_behind(model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "model"
    shutil.copytree(model, broken)
    data = bytearray((broken / "tiny.bin").read_bytes())
    data[-4:] = np.float32(1e6).tobytes()
    (broken / "tiny.bin").write_bytes(data)
    with pytest.raises(OrionError, match=r"tensor lm_head.weight holds 1000000.0 .* reaches 65504"):
        bundle(broken, M4, tmp_path / "b")
    assert os.listdir(tmp_path) == ["model"]
    assert bundle(broken, CPU, tmp_path / "b").profile == "cpu"


def test_a_tokenizer_of_another_model_is_refused(
    model: Path, stories: Path, tmp_path: Path
) -> None:
    shutil.copy(model / "tiny.bin", tmp_path)
    shutil.copy(stories / "tok512.bin", tmp_path)
    with pytest.raises(OrionError, match="holds 512 tokens, but the model beside it has a vocab"):
        bundle(tmp_path, M4, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_directory_that_cannot_be_made(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OrionError, match=r"cannot be written: .*; choose a directory"):
        bundle(model, M4, tmp_path / "file" / "b")


def test_weights_of_another_dtype_are_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="weights 'fp32' are not made for profile m4-macos15"):
        bundle(model, M4, tmp_path / "b", weights="fp32")


def test_a_head_of_a_real_vocabulary_is_tiled_by_the_limit_of_older_chips() -> None:
    profile = M4 | {"limits": M4["limits"] | {"axis_channels_max": 16384}}
    model = models.open_model(*facts_of("gpt2"))
    graph = run_passes(model.family.head(model.config, 32, 16384), profile)
    tiles = [(output.role, output.value.type.shape[1]) for output in graph.outputs]
    assert tiles == [
        ("logits first=0", 16384),
        ("logits first=16384", 16384),
        ("logits first=32768", 16384),
        ("logits first=49152", 1105),
    ]


def facts_of(preset: str) -> tuple[Any, Any]:
    checkpoint = weights.load(preset)
    return checkpoint.config, checkpoint.tensors


def test_layers_go_into_programs_as_the_address_space_allows() -> None:
    model = models.open_model(*facts_of("qwen3-0.6b"))
    int8 = storing(M4, "int8")
    assert layer_bytes(model.family, model.config, M4) == 2 * 15_728_640
    assert layer_bytes(model.family, model.config, int8) == 15_728_640
    assert layers_that_fit(2 * 15_728_640, M4) == 17  # of 512 MiB, an eighth of the space
    assert layers_that_fit(15_728_640, M4) == 34
    assert layers_that_fit(1 << 40, M4) == 1
    assert layers_that_fit(4 * 15_728_640, CPU) >= 28


def test_a_step_of_too_many_programs_is_refused(model: Path, tmp_path: Path) -> None:
    profile = M4 | {"limits": M4["limits"] | {"loaded_programs_max": 2}}
    with pytest.raises(UsageError, match="holds 2 programs at once, but a step would take 2 and"):
        bundle(model, profile, tmp_path / "b", layers_per_program=1)
    with pytest.raises(UsageError, match="at least 1 layer, not 0"):
        bundle(model, profile, tmp_path / "b", layers_per_program=0)
    assert not (tmp_path / "b").exists()
    bundle(model, profile, tmp_path / "b", layers_per_program=2)
