"""Files of token ids: a header of 64 bytes, then the ids, mapped and never read whole.

Little endian: 8 bytes `ORIONTOK`, u32 format (1), u32 bytes an id (2 or 4), u64 ids, u32
vocabulary (one more than the largest id that may stand there), 4 bytes of zero, 32 bytes SHA-256 of
the tokenizer's first file (zeros: unknown). The ids follow, unsigned.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OrionError
from ..tokenizer import Tokenizer

HEADER = struct.Struct("<8sIIQI4x32s")
MAGIC = b"ORIONTOK"
FORMAT = 1
TYPES: dict[int, Any] = {2: np.dtype("<u2"), 4: np.dtype("<u4")}


@dataclass(frozen=True)
class TokenFile:
    """`ids` is a view of the mapped file; `tokenizer` a SHA-256, or empty."""

    path: Path
    ids: np.ndarray
    vocabulary: int
    tokenizer: bytes


def digest_of(tokenizer: Tokenizer) -> bytes:
    """Of the vocabulary that its ids come from; empty when it has none."""
    return hashlib.sha256(tokenizer.files[0].read_bytes()).digest() if tokenizer.files else b""


def read(path: Path) -> TokenFile:
    """OrionError when the file is none of ours, of a newer format, or cut short."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEADER.size)
    except OSError as error:
        raise OrionError(f"{path}: cannot be read: {error.strerror}") from None
    if len(head) < HEADER.size or not head.startswith(MAGIC):
        raise OrionError(
            f"{path}: expected a token file that begins with {MAGIC.decode()}, found other bytes;"
            " make one from text with `orion data`"
        )
    _, version, width, count, vocabulary, tokenizer = HEADER.unpack(head)
    if version != FORMAT:
        raise OrionError(
            f"{path}: has format {version}, and this Orion reads {FORMAT}; make it again with"
            " `orion data`, or use a newer Orion"
        )
    if width not in TYPES or size != HEADER.size + count * width:
        raise OrionError(
            f"{path}: its header says {count} ids of {width} bytes, but {size - HEADER.size} bytes"
            " follow; it is cut short or damaged, make it again with `orion data`"
        )
    ids = (
        np.memmap(path, TYPES[width], "r", HEADER.size, (count,))
        if count
        else np.empty(0, TYPES[width])
    )
    return TokenFile(path, ids, vocabulary, tokenizer.rstrip(b"\0") and tokenizer)


class TokenWriter:
    """A token file that grows by `add`; it appears under its name at `close`, whole."""

    def __init__(self, path: Path, vocabulary: int, tokenizer: bytes = b"") -> None:
        self.path = path
        self.count = 0
        self._vocabulary = vocabulary
        self._tokenizer = tokenizer
        self._width = 2 if vocabulary <= 1 << 16 else 4
        self._temporary = path.with_name(f".{path.name}.new-{os.getpid()}")
        self._file = self._temporary.open("wb")
        self._file.write(bytes(HEADER.size))

    def add(self, ids: Iterable[int] | np.ndarray) -> None:
        numbers = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64)
        self._file.write(numbers.astype(TYPES[self._width]).tobytes())
        self.count += len(numbers)

    def close(self) -> None:
        self._file.seek(0)
        self._file.write(
            HEADER.pack(MAGIC, FORMAT, self._width, self.count, self._vocabulary, self._tokenizer)
        )
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.replace(self.path)

    def discard(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> TokenWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
