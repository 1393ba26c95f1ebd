"""Weights in fp32, fp16 and int8: how they are stored, and what they cost in accuracy.

`pytest -s -k accuracy` on this file prints the cost on every model of the test data.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from numpy_session import NumpySession
from profiles_for_tests import CPU, M4, NARROW, storing

import orion
from orion import weights
from orion.compile import bundle
from orion.compile.options import chosen_weights
from orion.errors import OrionError, UsageError
from orion.ir import Arithmetic, interpret, parse
from orion.ir.quantize import codes, scales
from orion.mil import BlobReader, BlobWriter, to_mil
from orion.passes import run_passes
from orion.runtime import Device, Program
from orion.weights import tiny
from orion.weights.lazy import LazyTensor

LINEAR = """
%x = input DT [1, 4, 1, 32]
%w = weight DT [3, 4, 1, 1] key="k" first=1
%y = linear %x %w
return %y
"""


def stepped(rows: np.ndarray) -> np.ndarray:
    """Numbers that 8 bits hold: every row in its own steps."""
    whole = np.random.RandomState(0).randint(-126, 127, (len(rows), 4)).astype(np.float32)
    whole[:, 0] = 127
    return whole * rows[:, None]


def test_numbers_on_the_steps_come_back() -> None:
    tensor = stepped(np.array([0.5, 2.0, 0.25, 0.0], np.float32))
    found = np.asarray(codes(tensor)).astype(np.float32) * np.asarray(scales(tensor))[:, None]
    np.testing.assert_array_equal(found, tensor)
    assert np.asarray(codes(tensor)).dtype == np.int8


def test_the_error_is_at_most_half_a_step() -> None:
    tensor = np.random.RandomState(1).standard_normal((50, 70)).astype(np.float32)
    step = np.abs(tensor).max(axis=1, keepdims=True) / 127
    found = np.asarray(codes(tensor)).astype(np.float64) * np.asarray(scales(tensor))[:, None]
    assert (np.abs(found - tensor) <= step * 0.5001).all()
    assert np.abs(np.asarray(codes(tensor))).max(axis=1).tolist() == [127] * 50


def test_blocks_are_the_whole() -> None:
    tensor = np.random.RandomState(1).standard_normal((50, 70)).astype(np.float32)
    for part in (codes(tensor), scales(tensor)):
        for elements in (1, 100, 1 << 20):
            joined = np.concatenate(list(part.blocks(elements)))
            np.testing.assert_array_equal(joined, np.asarray(part).reshape(-1))


def test_reading_takes_blocks_and_never_the_whole() -> None:
    def refuse() -> np.ndarray:
        raise AssertionError("the whole tensor was read")

    class Blocks(LazyTensor):
        def blocks(self, elements: int = 0) -> object:  # type: ignore[override]
            for first in range(0, 100, 10):
                yield np.full(10 * 4, first + 1, np.float32)

    tensor = Blocks((100, 4), "fp32", refuse, "big")
    blob = BlobWriter()
    blob.add("w", codes(tensor), "int8")
    blob.add("w", scales(tensor), "fp16")
    file = io.BytesIO()
    blob.write(file)
    assert file.getvalue().count(b"\x7f" * 400) == 1


@pytest.mark.parametrize("profile", [CPU, M4, NARROW], ids=lambda p: p["name"])
def test_text_and_file_hold_codes_and_scales(profile: dict, tmp_path: Path) -> None:
    dtype = profile["preferences"]["activation"]
    graph = run_passes(parse(LINEAR.replace("DT", "fp32")), storing(profile, "int8"))
    tensor = stepped(np.array([9.0, 0.5, 2.0, 0.25], np.float32))
    blob = BlobWriter()
    text = to_mil(graph, profile["dialect"], blob, {"k": tensor})
    with (tmp_path / "w.bin").open("wb") as file:
        blob.write(file)
    reader = BlobReader(tmp_path / "w.bin")
    first, second = reader.offsets()
    assert reader.read(first).dtype == np.int8
    found = reader.read(first).reshape(3, 4) * reader.read(second).astype(np.float32)[:, None]
    np.testing.assert_array_equal(found, tensor[1:])
    (line,) = [line.strip() for line in text.split("\n") if " = constexpr" in line]
    if profile is NARROW:
        path = 'path = tensor<string, []>("@model_path/weights.bin"), offset = tensor<uint64, []>'
        assert line == (
            "tensor<fp16, [3, 4, 1, 1]> w_dequantize = constexpr_affine_dequantize()"
            '[axis = tensor<int32, []>(0), name = tensor<string, []>("w_dequantize"),'
            f" quantized_data = tensor<int8, [3, 4, 1, 1]>(BLOBFILE({path}({first}))),"
            f" scale = tensor<fp16, [3]>(BLOBFILE({path}({second}))),"
            " zero_point = tensor<int8, []>(0)];"
        )
        assert "w_codes" not in text and "w_scales" not in text
    else:
        assert line == (
            f"tensor<{dtype}, [3, 4, 1, 1]> w_dequantize = constexpr_blockwise_shift_scale("
            'data = w_codes, scale = w_scales)[name = string("w_dequantize")];'
        )
        assert "tensor<int8, [3, 4, 1, 1]> w_codes = const()" in text
        assert f"tensor<{dtype}, [3, 1, 1, 1]> w_scales = const()" in text


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_the_oracle_computes_with_the_stored_weights(kind: str) -> None:
    graph = run_passes(parse(LINEAR.replace("DT", "fp32")), storing(CPU, kind))
    random = np.random.RandomState(2)
    tensor = random.standard_normal((4, 4)).astype(np.float32)
    x = random.standard_normal((1, 4, 1, 32)).astype(np.float32)
    step = np.abs(tensor).max(axis=1, keepdims=True) / 127
    rounded = {
        "fp16": tensor.astype(np.float16).astype(np.float64),
        "int8": np.rint(tensor / step) * step.astype(np.float64),
    }[kind]
    arithmetic = Arithmetic.of(CPU)
    found = interpret(graph, {"x": x}, {"k": tensor}, arithmetic)["y"]
    np.testing.assert_allclose(found[0, :, 0], rounded[1:] @ x[0, :, 0], rtol=1e-5, atol=1e-6)
    exact = tensor[1:] @ x[0, :, 0]
    assert np.abs(found[0, :, 0] - exact).max() > 1e-5


def test_numbers_that_are_not_finite_are_named_by_their_place() -> None:
    tensor = np.ones((5, 6), np.float32)
    tensor[3, 4] = np.nan
    blob = BlobWriter()
    blob.add("layer.w", codes(tensor), "int8")
    blob.add("layer.w", scales(tensor), "fp32")
    with pytest.raises(OrionError, match=r"tensor layer.w holds nan at \[3, 4\], and 1 in all"):
        blob.write(io.BytesIO())


@pytest.mark.parametrize(
    ("wanted", "profile", "stored", "expected"),
    [
        ("auto", CPU, {"fp32"}, "fp32"),
        ("auto", CPU, {"bf16"}, "fp32"),
        ("auto", CPU, {"fp16"}, "fp16"),
        ("auto", CPU, {"fp16", "fp32"}, "fp32"),
        ("auto", M4, {"fp32"}, "fp16"),
        ("int8", CPU, {"fp32"}, "int8"),
    ],
)
def test_what_auto_chooses(wanted: str, profile: dict, stored: set[str], expected: str) -> None:
    assert chosen_weights(wanted, profile, stored) == expected


def test_a_bundle_says_its_weights_and_grows_with_them(tmp_path: Path) -> None:
    model = tiny.write(tmp_path / "model")
    sizes = {}
    for kind in ("fp32", "fp16", "int8"):
        report = bundle(model, CPU, tmp_path / kind, weights=kind)
        manifest = json.loads((tmp_path / kind / "manifest.json").read_text())
        assert manifest["weights"] == report.weights == kind
        table = {"fp32": "fp32", "fp16": "fp16", "int8": "fp16"}[kind]
        assert manifest["tables"]["embedding"]["dtype"] == table
        sizes[kind] = report.weight_bytes
    assert sizes["fp32"] > 1.8 * sizes["fp16"] and sizes["fp16"] > 1.3 * sizes["int8"]


def test_weights_that_a_profile_does_not_take(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected auto, fp16 or int8"):
        bundle("stories260k", M4, tmp_path / "b", weights="fp32")
    with pytest.raises(UsageError, match="expected auto, fp32, fp16 or int8"):
        bundle("stories260k", CPU, tmp_path / "b", weights="int4")


MODELS = {
    **{f"golden/{n}": 8e-2 for n in ("gpt2-tiny", "llama-tiny-gqa", "llama-tiny-tied")},
    "golden/qwen3-tiny": 8e-2,
    "stories260K": 1.0,
}


@pytest.mark.parametrize("name", MODELS)
def test_accuracy(data: Path, name: str) -> None:
    """Largest change of a logit, and of the loss, against weights in fp32."""
    checkpoint = weights.load(data / name)
    ids = tokens_of(data / name)
    exact = logits_of(checkpoint, CPU, ids)
    for profile, kind in ((CPU, "fp16"), (CPU, "int8"), (M4, "fp16"), (M4, "int8")):
        found = logits_of(checkpoint, storing(profile, kind), ids)
        largest = float(np.abs(found - exact).max())
        change = loss(found, ids) - loss(exact, ids)
        print(
            f"\n{name:24} {profile['name']:11} {kind}: largest logit {np.abs(exact).max():.3g},"
            f" largest change {largest:.2e}, loss {loss(exact, ids):.4f} {change:+.2e}",
            end="",
        )
        assert 0 < largest < (MODELS[name] if kind == "int8" else MODELS[name] / 10)
        assert abs(change) < (2e-2 if kind == "int8" else 1e-3)


def tokens_of(model: Path) -> np.ndarray:
    """[texts, 64]: the reference's own."""
    if (model / "expected.npz").is_file():
        with np.load(model / "expected.npz") as expected:
            found: np.ndarray = expected["input_ids"]
            return found
    cases = json.loads((model / "expected.json").read_text())["cases"]
    rows = [case["prompt_ids"] + case["new_ids"] for case in cases]
    return np.array([row[:64] for row in rows if len(row) >= 64])


def logits_of(checkpoint: weights.Checkpoint, profile: dict, ids: np.ndarray) -> np.ndarray:
    return np.stack([NumpySession(checkpoint, profile).feed(list(row), 64, 0) for row in ids])


def loss(logits: np.ndarray, ids: np.ndarray) -> float:
    rows = logits[:, :-1].astype(np.float64)
    rows = rows - rows.max(-1, keepdims=True)
    chosen = np.take_along_axis(rows, ids[:, 1:, None], -1)[..., 0]
    return float((np.log(np.exp(rows).sum(-1)) - chosen).mean())


@pytest.mark.parametrize("device", ["cpu", "sim:m4-macos15"])
@pytest.mark.parametrize("kind", ["fp16", "int8"])
@pytest.mark.parametrize("name", list(MODELS))
def test_devices_compute_with_the_weights_that_the_definition_has(
    data: Path, name: str, kind: str, device: str
) -> None:
    checkpoint, ids = weights.load(data / name), tokens_of(data / name)[0]
    profile = storing(CPU if device == "cpu" else M4, kind)
    expected = logits_of(checkpoint, profile, ids[None])[0]
    with orion.load(data / name, device=device, weights=kind) as model:
        found = model.session.feed(ids.tolist(), logits=len(ids))
    scale = np.abs(expected).max()
    assert np.abs(found - expected).max() < (2e-5 if device == "cpu" else 4e-3) * scale


def test_a_bundle_keeps_the_weights_it_has(tmp_path: Path) -> None:
    bundle(tiny.write(tmp_path / "model"), CPU, tmp_path / "b", weights="int8")
    with orion.load(tmp_path / "b", device="cpu", weights="int8") as model:
        assert model.session.vocabulary == 288
    with pytest.raises(UsageError, match="is a bundle with weights int8, not fp16; compile"):
        orion.load(tmp_path / "b", device="cpu", weights="fp16")


@pytest.mark.parametrize(("program", "opset"), [("1.3", "ios18"), ("1.0", "ios16")])
def test_both_spellings_run(tmp_path: Path, program: str, opset: str) -> None:
    dialect = {"program": program, "opset": opset}
    graph = run_passes(
        parse(LINEAR.replace("DT", "fp32")), storing(CPU, "int8") | {"dialect": dialect}
    )
    random = np.random.RandomState(4)
    tensor, x = random.standard_normal((4, 4)), random.standard_normal((1, 4, 1, 32))
    tensors, inputs = {"k": tensor.astype(np.float32)}, {"x": x.astype(np.float32)}
    blob = BlobWriter()
    text = to_mil(graph, dialect, blob, tensors)
    with (tmp_path / "weights.bin").open("wb") as file:
        blob.write(file)
    expected = interpret(graph, inputs, tensors, Arithmetic.of(CPU))["y"]
    with Device("cpu") as device:
        found = Program(device, text, tmp_path / "weights.bin").run(inputs)["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
