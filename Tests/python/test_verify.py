"""`orion verify` on directories with expected.npz: what passes, what is seen, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import copy_of, flip_byte

from orion.errors import OrionError
from orion.verify import CacheWatch, read_reference
from orion.verify.logits import FP16, FP32, Reference, compare, loss

Orion = Callable[..., Any]
MODELS = ["gpt2-tiny", "llama-tiny-gqa", "llama-tiny-tied", "qwen3-tiny"]
FIELDS = {"logits_max_abs", "loss_abs", "greedy_equal", "argmax_differs", "positions", "route"}
FIELDS |= {"loads", "evals", "device", "profile", "tolerance", "passed", "grad_rel_l2_max"}
FIELDS |= {"compiles", "healed"}


class TableSession:
    """A session whose logits depend on the last token alone, and stand in a table."""

    def __init__(self, table: np.ndarray, change: Callable[[np.ndarray], None] | None = None):
        self.table = table
        self.change = change

    def reset(self) -> None:
        pass

    def feed(self, tokens: list[int], logits: int = 0) -> np.ndarray:
        rows = self.table[tokens[len(tokens) - logits :]].copy()
        if self.change:
            self.change(rows)
        return rows


@pytest.fixture
def reference() -> Reference:
    """Of a model that a table holds. Token 0 follows itself by a narrow lead."""
    random = np.random.RandomState(0)
    table = random.standard_normal((16, 16)).astype(np.float32)
    table[0] = 0
    table[0, 0], table[0, 1] = 0.03, 0.01
    ids = random.randint(1, 16, (2, 12))
    ids[:, 3] = 0
    greedy = [int(table[ids[0, 7]].argmax())]
    while len(greedy) < 6:
        greedy.append(int(table[greedy[-1]].argmax()))
    logits = table[ids]
    return Reference(ids, logits, loss(logits, ids), greedy)


def table_of(reference: Reference) -> np.ndarray:
    table = np.random.RandomState(0).standard_normal((16, 16)).astype(np.float32)
    for row, ids in zip(reference.logits, reference.input_ids, strict=True):
        table[ids] = row
    return table


def test_the_model_itself_passes(reference: Reference) -> None:
    found = compare(TableSession(table_of(reference)), reference, 0.0)
    assert (found.logits_max_abs, found.loss_abs, found.positions) == (0, 0, 24)
    assert found.greedy_equal
    assert found.passes(FP32)


def test_one_logit_of_one_position_is_seen(reference: Reference) -> None:
    table = table_of(reference)
    table[reference.input_ids[1, 5], 7] += 3e-4
    found = compare(TableSession(table), reference, 0.0)
    assert found.logits_max_abs == pytest.approx(3e-4, rel=1e-2)
    assert not found.passes(FP32)
    assert found.passes(FP16)


def test_a_close_call_is_free_where_the_margin_allows_it(reference: Reference) -> None:
    table = table_of(reference)
    table[0, 1] += 0.0199 + 0.0002
    assert compare(TableSession(table), reference, FP32.margin).argmax_differs == 2
    found = compare(TableSession(table), reference, FP16.margin)
    assert found.argmax_differs == 0


def test_what_is_no_number_fails(reference: Reference) -> None:
    for value in (np.nan, np.inf, -np.inf):

        def change(rows: np.ndarray, value: float = value) -> None:
            rows[0, 3] = value

        found = compare(TableSession(table_of(reference), change), reference, FP16.margin)
        assert not found.passes(FP16), value


def test_another_greedy_token_is_seen(reference: Reference) -> None:
    for place in range(len(reference.greedy)):
        greedy = list(reference.greedy)
        greedy[place] = (greedy[place] + 1) % 16
        wrong = Reference(reference.input_ids, reference.logits, reference.loss, greedy)
        assert not compare(TableSession(table_of(reference)), wrong, 0.0).greedy_equal


def test_the_loss_is_the_mean_cross_entropy(data: Path) -> None:
    for name in MODELS:
        found = read_reference(data / "golden" / name)
        assert loss(found.logits, found.input_ids) == pytest.approx(found.loss, abs=1e-6)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"input_ids": np.zeros((1, 9), int)}, "logits"),
        ({"input_ids": np.zeros((1, 9))}, "expected whole input_ids"),
        ({"input_ids": np.zeros((2, 9), int)}, "found \\[2, 9\\], \\[1, 9, 4\\]"),
        ({"input_ids": np.zeros((1, 4), int)}, "8 or more positions"),
        ({"input_ids": np.array([None] * 9)}, "is damaged"),
    ],
)
def test_bad_references_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    whole = {"logits": np.zeros((1, 9, 4), np.float32), "loss": np.zeros(()),
             "greedy": np.zeros(3, int)}  # fmt: skip
    if message == "logits":
        whole = {}
    np.savez(tmp_path / "expected.npz", **whole, **arrays)
    with pytest.raises(OrionError, match=message):
        read_reference(tmp_path)


def test_no_reference_and_a_cut_one_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(OrionError, match=r"holds no expected\.npz"):
        read_reference(tmp_path)
    content = (data / "golden/qwen3-tiny/expected.npz").read_bytes()
    for size in (0, 10, len(content) // 2):
        (tmp_path / "expected.npz").write_bytes(content[:size])
        with pytest.raises(OrionError, match="is damaged"):
            read_reference(tmp_path)


# On devices


def verify(orion: Orion, model: Path, device: str, *more: object, code: int = 0) -> dict[str, Any]:
    done = orion("verify", "--model", model, "--device", device, "--json", *more)
    assert done.code == code, done.err
    report: dict[str, Any] = json.loads(done.out)
    return {**report, "said": done.err}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("device", "bound"), [("cpu", 2e-4), ("sim:m4-macos15", 2e-2)])
def test_golden_models_pass(orion: Orion, data: Path, name: str, device: str, bound: float) -> None:
    report = verify(orion, data / "golden" / name, device)
    assert report.keys() >= FIELDS
    assert (report["tolerance"], report["positions"]) == (bound, 128)
    assert (report["passed"], report["greedy_equal"], report["argmax_differs"]) == (True, True, 0)
    assert report["logits_max_abs"] <= bound
    assert report["healed"] == []
    assert report["evals"] > 0


def test_other_weights_fail(orion: Orion, data: Path, tmp_path: Path) -> None:
    """A bit of an exponent of a weight of the checkpoint."""
    model = copy_of(data / "golden/llama-tiny-tied", tmp_path / "model")
    weights = model / "model.safetensors"
    content = bytearray(weights.read_bytes())
    place = 8 + int.from_bytes(content[:8], "little") + 4 * 5000 + 3
    content[place] ^= 0x02
    weights.write_bytes(content)
    report = verify(orion, model, "cpu", code=1)
    assert report["passed"] is False
    assert "logits are up to" in report["said"]
    assert "at most 0.0002 is expected of profile cpu" in report["said"]
    table = orion("verify", "--model", model, "--device", "cpu")
    assert table.code == 1
    assert "FAILED" in table.out


def test_the_tolerance_can_be_told(orion: Orion, data: Path) -> None:
    model = data / "golden/gpt2-tiny"
    assert verify(orion, model, "cpu", "--tolerance", 1e-9, code=1)["passed"] is False
    done = orion("verify", "--model", model, "--margin", 1)
    assert done.code == 2
    assert "--margin is for --ids" in done.err


@pytest.mark.parametrize("device", ["cpu", "sim:m4-macos15"])
def test_a_flipped_byte_of_the_devices_cache_is_told(
    orion: Orion, data: Path, device: str, tmp_path: Path
) -> None:
    model, cache = data / "golden/llama-tiny-tied", tmp_path / "cache"
    assert verify(orion, model, device, "--cache-dir", cache)["compiles"] > 0
    again = verify(orion, model, device, "--cache-dir", cache)
    assert (again["compiles"], again["healed"]) == (0, [])
    room = cache / ("cpu" if device == "cpu" else "sim")
    pack = max(room.rglob("*.pack"), key=lambda path: path.stat().st_size)
    flip_byte(pack)
    healed = verify(orion, model, device, "--cache-dir", cache)
    assert healed["passed"] is True
    assert healed["compiles"] > 0
    assert str(pack.relative_to(cache)) in healed["healed"]
    said = "a cache entry that was damaged, or made by another version, was rebuilt: "
    assert f"{said}{pack.relative_to(cache)}" in healed["said"]
    assert verify(orion, model, device, "--cache-dir", cache)["healed"] == []


def test_a_watch_sees_files_that_were_replaced(tmp_path: Path) -> None:
    for name in ("cpu/a/program.orion", "cpu/packs/p.pack", "identity/x", "cpu/a.lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    watch = CacheWatch(tmp_path)
    (tmp_path / "cpu/new.pack").write_bytes(b"1")
    assert watch.rebuilt() == []
    for name in ("cpu/a/program.orion", "cpu/packs/p.pack", "identity/x"):
        (tmp_path / "temporary").write_bytes(b"2")
        (tmp_path / "temporary").replace(tmp_path / name)
    assert watch.rebuilt() == ["cpu/a", "cpu/packs/p.pack"]
    assert CacheWatch(tmp_path / "absent").rebuilt() == []
