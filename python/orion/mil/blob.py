"""Weight files: MIL Blob Storage, version 2; knows no graph.

Little-endian. A header of 64 bytes (count of records, version 2), then records: 64 bytes of
metadata at a multiple of 64, the data right after. MIL names a record by the offset of its
metadata.

    metadata: u32 0xDEADBEEF, u32 dtype code, u64 bytes, u64 absolute offset of the data, zeros
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import OrionError
from ..ir.quantize import Part, identity_of
from ..ir.types import DTYPES, FLOATS

VERSION = 2
SENTINEL = 0xDEADBEEF
ALIGNMENT = 64
HEADER = struct.Struct("<II56x")
METADATA = struct.Struct("<IIQQ40x")
CODES = {"fp16": 1, "fp32": 2, "int8": 4, "int32": 14}
# Elements converted at a time, so that a large tensor needs no second copy of itself.
CHUNK = 1 << 20


@dataclass(frozen=True)
class Record:
    name: str
    array: Any  # or a checkpoint's tensor, which gives its numbers in blocks
    dtype: str
    offset: int  # of the metadata

    @property
    def bytes(self) -> int:
        return int(self.array.size) * np.dtype(DTYPES[self.dtype]).itemsize

    @property
    def end(self) -> int:
        return self.offset + METADATA.size + self.bytes


class BlobWriter:
    """Plans records, so that offsets are known before a byte is written; then streams them."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._known: dict[tuple[object, ...], Record] = {}

    def add(self, name: str, array: Any, dtype: str) -> int:
        """Offset of the record of `array` as `dtype`; memory that was added before stands once."""
        return self._offset((identity_of(array), dtype), name, array, dtype)

    def add_constant(self, name: str, array: np.ndarray, dtype: str) -> int:
        """As `add` for what never changes: equal bytes stand once."""
        return self._offset((array.tobytes(), dtype), name, array, dtype)

    def _offset(self, key: tuple[object, ...], name: str, array: Any, dtype: str) -> int:
        if key not in self._known:
            end = self.records[-1].end if self.records else HEADER.size
            offset = -(-end // ALIGNMENT) * ALIGNMENT
            self._known[key] = Record(name, array, dtype, offset)
            self.records.append(self._known[key])
        return self._known[key].offset

    def write(self, file: BinaryIO) -> None:
        """OrionError when a tensor holds what its dtype cannot, before its record is complete."""
        file.write(HEADER.pack(len(self.records), VERSION))
        for record in self.records:
            file.write(b"\0" * (record.offset - file.tell()))
            code, data = CODES[record.dtype], record.offset + METADATA.size
            file.write(METADATA.pack(SENTINEL, code, record.bytes, data))
            for chunk in converted(record):
                file.write(chunk.tobytes())


def blocks(array: Any) -> Iterator[np.ndarray]:
    """The elements in row-major order, flat, some at a time."""
    if not isinstance(array, np.ndarray):
        yield from array.blocks(CHUNK)
        return
    flat = array.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        yield flat[start : start + CHUNK]


def converted(record: Record) -> Iterator[np.ndarray]:
    """The elements in the record's dtype, little-endian, a chunk at a time."""
    target = np.dtype(DTYPES[record.dtype]).newbyteorder("<")
    for source in blocks(record.array):
        with np.errstate(over="ignore"):
            chunk = source.astype(target, copy=False)
        if record.dtype in FLOATS and not np.isfinite(chunk).all():
            refuse(record)
        yield chunk


def refuse(record: Record) -> None:
    """Names the first number that does not fit by its indices."""
    array = record.array.source if isinstance(record.array, Part) else record.array
    target, start = DTYPES[record.dtype], 0
    for source in blocks(array):
        with np.errstate(over="ignore"):
            fits = np.isfinite(source.astype(target))
        if not fits.all():
            break
        start += source.size
    index = int(np.argmin(fits))
    value = source[index]
    if not np.isfinite(value):
        refuse_not_finite(record)
    # A model sees a vector or a matrix with axes of length one behind its own.
    shape = [n for n in array.shape if n > 1] or [1]
    place = [int(i) for i in np.unravel_index(start + index, shape)]
    largest = np.finfo(DTYPES[record.dtype]).max
    raise OrionError(
        f"tensor {record.name} holds {value} at {place}, {record.dtype} reaches {largest}."
        " Run this model on a profile that keeps weights in fp32, such as cpu."
    )


def refuse_not_finite(record: Record) -> None:
    """Speaks of the tensor that the checkpoint holds, of which the record may be a part."""
    tensor = getattr(record.array, "origin", record.array)
    name = getattr(tensor, "name", "") or record.name
    start, count, first, value = 0, 0, -1, 0.0
    for part in blocks(tensor):
        bad = np.flatnonzero(~np.isfinite(part))
        if count == 0 and bad.size:
            first, value = start + int(bad[0]), float(part[bad[0]])
        start, count = start + part.size, count + bad.size
    place = [int(i) for i in np.unravel_index(first, tensor.shape)]
    raise OrionError(
        f"tensor {name} holds {value} at {place}, and {count} in all that are not finite;"
        " the checkpoint is damaged or its training diverged"
    )


class BlobReader:
    """The records of a weight file, mapped. Every field is checked before it is used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.data = np.memmap(path, dtype=np.uint8, mode="r").data
        except (OSError, ValueError) as error:
            raise OrionError(f"{path}: cannot be read as a weight file: {error}") from None
        if self.data.nbytes < HEADER.size:
            raise OrionError(f"{path}: is shorter than the {HEADER.size} bytes of a header")
        self.count, version = HEADER.unpack_from(self.data)
        if version != VERSION:
            raise OrionError(f"{path}: expected blob storage version {VERSION}, got {version}")

    def read(self, offset: int) -> np.ndarray:
        """The elements of the record whose metadata is at `offset`, as a flat array."""
        if offset % ALIGNMENT or not HEADER.size <= offset <= self.data.nbytes - METADATA.size:
            raise OrionError(f"{self.path}: there is no record at {offset}")
        sentinel, code, size, start = METADATA.unpack_from(self.data, offset)
        names = {number: name for name, number in CODES.items()}
        if sentinel != SENTINEL or code not in names or start + size > self.data.nbytes:
            raise OrionError(f"{self.path}: the record at {offset} is damaged")
        dtype = np.dtype(DTYPES[names[code]])
        return np.frombuffer(self.data, dtype.newbyteorder("<"), size // dtype.itemsize, start)

    def offsets(self) -> list[int]:
        """Where the records are, in the order of the file."""
        found, position = [], HEADER.size
        for _ in range(self.count):
            found.append(position)
            _, _, size, start = METADATA.unpack_from(self.data, position)
            position = -(-(start + size) // ALIGNMENT) * ALIGNMENT
        return found
