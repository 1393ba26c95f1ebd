"""An adapter made part of its model: W + scale * B A, as a Hugging Face checkpoint.

fuse("stories260K", "my-adapter", "there")
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .compile.driver import Source
from .compile.options import adapter_places
from .errors import OrionError
from .export import ExportReport, export_checkpoint
from .weights import LazyTensor
from .weights import adapter as peft
from .weights.lazy import lazy, narrowed


def fuse(model_path: str | Path, adapter_path: str | Path, directory: str | Path) -> ExportReport:
    """Writes the fused checkpoint into `directory`, which appears whole or not at all.

    Sums are made in fp32 and stored in the dtype that the tensor had. OrionError names what is
    wrong with the model or the adapter.
    """
    adapter = peft.read(adapter_path)
    change = partial(fused, adapter=adapter, path=adapter_path)
    return export_checkpoint(model_path, directory, change)


def fused(source: Source, adapter: peft.Adapter, path: str | Path) -> Mapping[str, LazyTensor]:
    """The files' tensors, with the adapter's part added where it has one."""
    parts: dict[str, Any] = {}
    for module, (name, first) in adapter_places(source.family, source.config).items():
        pair = adapter.matrices.get(name)
        if pair is None:
            continue
        key = f"{module}.weight"
        weight = np.array(source.checkpoint.tensors[key], np.float32)
        a, b = pair
        rows = b[first : first + len(weight)]
        if a.shape[1] != weight.shape[1] or len(rows) != len(weight):
            raise OrionError(
                f"{path}: {name}: the matrices are {list(a.shape)} and {list(b.shape)}, the layer"
                f" takes {weight.shape[1]} and gives {len(weight)}; the adapter is of another model"
            )
        parts[key] = weight + np.float32(adapter.scale) * (rows @ a)
    changed = source.family.restore(source.config, parts)
    result = dict(source.given)
    for name in adapter.matrices:
        key = f"{name}.weight"
        if key not in changed:
            raise OrionError(
                f"{path}: the model has no linear layer {name}; the adapter is of another model"
            )
        given = key if key in result else key.removeprefix("transformer.")
        result[given] = stored(changed[key], source.given[given])
    return result


def stored(array: np.ndarray, like: LazyTensor) -> LazyTensor:
    """fp32 numbers in the dtype of the tensor that they replace."""
    if like.dtype == "bf16":
        bits = narrowed(array)
        return LazyTensor(bits.shape, "bf16", lambda: bits, ("fused", like.identity), like.name)
    return lazy(np.ascontiguousarray(array, {"fp16": np.float16}.get(like.dtype, np.float32)))
