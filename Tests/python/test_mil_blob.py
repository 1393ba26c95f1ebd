"""Weight files: layout by the byte, sharing, refusal of what a dtype cannot hold, damaged files."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from orion.errors import OrionError
from orion.mil import BlobReader, BlobWriter


def written(blob: BlobWriter, path: Path) -> bytes:
    with path.open("wb") as file:
        blob.write(file)
    return path.read_bytes()


def test_layout(tmp_path: Path) -> None:
    blob = BlobWriter()
    assert blob.add("a", np.array([1.5, -2.0, 3.0], np.float32), "fp16") == 64
    assert blob.add("b", np.arange(20, dtype=np.float32), "fp32") == 192
    data = written(blob, tmp_path / "w.bin")
    assert struct.unpack("<II56x", data[:64]) == (2, 2, *())
    assert struct.unpack("<IIQQQ", data[64:96]) == (0xDEADBEEF, 1, 6, 128, 0)
    assert np.frombuffer(data[128:134], "<f2").tolist() == [1.5, -2.0, 3.0]
    assert data[134:192] == bytes(58)
    assert struct.unpack("<IIQQQ", data[192:224]) == (0xDEADBEEF, 2, 80, 256, 0)
    assert len(data) == 256 + 80


def test_reader_finds_what_was_written(tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    arrays = [random.standard_normal(n).astype(np.float32) for n in (1, 31, 32, 33, 5000)]
    blob = BlobWriter()
    offsets = [blob.add(str(i), array, "fp32") for i, array in enumerate(arrays)]
    written(blob, tmp_path / "w.bin")
    reader = BlobReader(tmp_path / "w.bin")
    assert reader.offsets() == offsets
    for offset, array in zip(offsets, arrays, strict=True):
        np.testing.assert_array_equal(reader.read(offset), array)


def test_the_same_memory_stands_once() -> None:
    array = np.arange(24, dtype=np.float32)
    blob = BlobWriter()
    first = blob.add("a", array.reshape(4, 6), "fp16")
    assert blob.add("b", array.reshape(2, 12), "fp16") == blob.add("c", array, "fp16")
    assert blob.add("d", array, "fp32") != first
    assert blob.add("e", array[:12], "fp16") != first
    # Equal numbers elsewhere in memory may be changed apart from these.
    assert blob.add("f", array.copy(), "fp16") != first


def test_equal_constants_stand_once() -> None:
    blob = BlobWriter()
    assert blob.add_constant("a", np.ones(12), "fp16") == blob.add_constant(
        "b", np.ones(12), "fp16"
    )
    assert len(blob.records) == 1


def test_turned_arrays_are_written_in_row_major_order(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    blob = BlobWriter()
    offset = blob.add("a", array.T, "fp32")
    written(blob, tmp_path / "w.bin")
    assert BlobReader(tmp_path / "w.bin").read(offset).tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        (70000.0, "fp16", r"tensor layer.w holds 70000.0 at \[1100003\], fp16 reaches 65504"),
        (np.nan, "fp16", r"tensor layer.w holds nan at \[1100003\], and 2 in all that are not"),
        (np.inf, "fp32", r"tensor layer.w holds inf at \[1100003\], and 2 in all that are not"),
    ],
)
def test_what_a_dtype_cannot_hold_is_named(value: float, dtype: str, message: str) -> None:
    array = np.zeros(1_200_000, np.float32)
    array[[1_100_003, 1_100_007]] = value
    blob = BlobWriter()
    blob.add("layer.w", array, dtype)
    with pytest.raises(OrionError, match=message):
        blob.write(io.BytesIO())


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    blob = BlobWriter()
    blob.add("a", np.ones(16, np.float32), "fp32")
    good = written(blob, path)
    faults = [
        (b"", "cannot be read as a weight file"),
        (good[:40], "is shorter than"),
        (good[:4] + b"\x01" + good[5:], "version 2, got 1"),
        (good[:64] + b"\0" + good[65:], "record at 64 is damaged"),
        (good[:-1], "record at 64 is damaged"),
        (good[:68] + b"\x63" + good[69:], "record at 64 is damaged"),
    ]
    for data, message in faults:
        path.write_bytes(data)
        with pytest.raises(OrionError, match=message):
            BlobReader(path).read(64)
    path.write_bytes(good)
    for offset in (0, 32, 65, 1 << 40):
        with pytest.raises(OrionError, match=f"there is no record at {offset}"):
            BlobReader(path).read(offset)
