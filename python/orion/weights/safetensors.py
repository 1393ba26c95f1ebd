"""Files of safetensors: mapped and checked by the library, or written; knows no directory.

A header of JSON, its length in 8 bytes before it: for each tensor dtype, shape, and where its
bytes lie after the header.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OrionError
from .lazy import STORED, LazyTensor, lazy, narrowed

# dtype here: the file's name for it
NAMES = {"fp32": "F32", "fp16": "F16", "bf16": "BF16"}
# The data begins at a multiple of this.
ALIGNMENT = 8


def read(path: Path) -> dict[str, LazyTensor]:
    """OrionError when a tensor would not lie where the header says, or bytes are left over.

    Tensors of other dtypes have their dtype's name there and are never read.
    """
    check(path)
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    # An empty map is none to numpy.
    data = np.memmap(path, np.uint8, "r", 8 + length) if header and has_data(header) else None
    return {name: tensor(path, data, row, name) for name, row in header.items()}


def check(path: Path) -> None:
    """The library refuses headers too large or no JSON, and offsets that leave gaps or overlap."""
    import safetensors

    try:
        size = path.stat().st_size
        with safetensors.safe_open(path, framework="numpy"):
            pass
    except OSError as error:
        raise OrionError(f"{path}: cannot be read: {error.strerror or error}") from None
    except safetensors.SafetensorError as error:
        reason = str(error).removeprefix("Error while deserializing header: ")
        raise OrionError(
            f"{path}: is no sound safetensors file of {size} bytes: {reason}; it is cut short or"
            " damaged, fetch it again"
        ) from None


def has_data(header: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(row["data_offsets"][1] > 0 for row in header.values())


def tensor(path: Path, data: np.ndarray | None, row: Mapping[str, Any], name: str) -> LazyTensor:
    dtype = {theirs: ours for ours, theirs in NAMES.items()}.get(row["dtype"])
    shape, (first, last) = tuple(row["shape"]), row["data_offsets"]

    def array() -> np.ndarray:
        if dtype is None:
            raise OrionError(
                f"{path}: tensor {name} holds {row['dtype']}; expected {', '.join(NAMES.values())}"
            )
        stored = np.dtype(STORED[dtype]).newbyteorder("<")
        if data is None or first == last:
            return np.empty(shape, stored)
        return data[first:last].view(stored).reshape(shape)

    return LazyTensor(shape, dtype or row["dtype"], array, (str(path), name), name)


def write(path: Path, tensors: Mapping[str, LazyTensor | np.ndarray]) -> None:
    """A file of these tensors in the dtypes they have, written a block at a time.

    OSError when it cannot be written; what is there then is no sound file.
    """
    sources = {
        name: tensor if isinstance(tensor, LazyTensor) else lazy(tensor, name)
        for name, tensor in sorted(tensors.items())
    }
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, source in sources.items():
        first, end = end, end + source.size * np.dtype(STORED[source.dtype]).itemsize
        header[name] = {
            "dtype": NAMES[source.dtype],
            "shape": list(source.shape),
            "data_offsets": [first, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for source in sources.values():
            for block in source.blocks():
                bits = narrowed(block) if source.dtype == "bf16" else block
                file.write(np.ascontiguousarray(bits, np.dtype(bits.dtype).newbyteorder("<")).data)
