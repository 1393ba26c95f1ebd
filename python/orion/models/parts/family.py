"""Finds the family of a checkpoint by name, and holds its tensors against what the family needs."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import OrionError, UsageError
from . import outside

# How many names an error lists.
NAMES_MAX = 4
FLOATS = ("fp32", "fp16", "bf16", "float32", "float16", "float64")


@dataclass(frozen=True)
class Model:
    """A family, its config, and a checkpoint's tensors under the family's names."""

    family: Any
    config: Any
    tensors: Mapping[str, Any]


def known() -> list[str]:
    """Types of models that can be read."""
    return sorted({*own(), *outside.names()})


def own() -> list[str]:
    """Those of this package."""
    rows = pkgutil.iter_modules([str(Path(__file__).parents[1])])
    return sorted(row.name for row in rows if not row.ispkg)


def register(model_type: str, family: ModuleType) -> None:
    """From here on a config.json with this `model_type` is read by `family`, in this process.

    UsageError names what the module lacks, or a type that is Orion's own. One that was registered
    before is replaced.
    """
    if model_type in own():
        raise UsageError(
            f"{model_type!r} is a family of Orion's own; register under another model_type"
        )
    outside.register(model_type, family)


def digest(model_type: str) -> str | None:
    """Of the file that reads such models, where it is not this package's."""
    return None if model_type in own() else outside.digest(model_type)


def find(model_type: str) -> Any:
    """The module of a family: one of this package, else one that was brought from outside.

    It has what `outside.NEEDED` lists. Those of this package have TINY besides, and the keys of a
    config: USED, IGNORED (with reasons), FIXED (with the values that are supported).
    """
    if model_type in own():
        return importlib.import_module(f"..{model_type}", __package__)
    family = outside.find(model_type)
    if family is None:
        raise OrionError(
            f"model type {model_type!r} is not known; known: {', '.join(known())}. A file for it"
            " can be registered: orion.models.register"
        )
    return family


def open_model(config: Mapping[str, Any], tensors: Mapping[str, Any]) -> Model:
    """OrionError names the first key, or the tensors, that do not make up a model of the family."""
    if not isinstance(config.get("model_type"), str):
        raise OrionError(f"config.json: expected a model_type; known: {', '.join(known())}")
    family = find(config["model_type"])
    read = family.read_config(config)
    renamed = family.rename(read, tensors)
    expected = family.shapes(read)
    if read.head_weight != "lm_head.weight" and "lm_head.weight" in renamed:
        same_head(read.head_weight, renamed)
        del renamed["lm_head.weight"]
    check_names(renamed, expected)
    check_shapes(renamed, expected)
    return Model(family, read, renamed)


def check_names(tensors: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    missing = [name for name in expected if name not in tensors]
    if missing:
        raise OrionError(
            f"the checkpoint lacks {counted(missing)}, which its config.json calls for; fetch it"
            " again, or correct the config"
        )
    surplus = [name for name in tensors if name not in expected]
    if surplus:
        raise OrionError(
            f"the checkpoint holds {counted(surplus)}, for which its config.json has no place, so"
            " it is another model than the config says; correct the config, or export it again"
        )


def check_shapes(tensors: Mapping[str, Any], expected: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in expected.items():
        tensor = tensors[name]
        if tuple(tensor.shape) != shape:
            raise OrionError(
                f"tensor {name}: expected the shape {list(shape)} by config.json, got"
                f" {list(tensor.shape)}{hint(name, tensor.shape, shape)}"
            )
        if str(tensor.dtype) not in FLOATS:
            raise OrionError(
                f"tensor {name}: expected numbers in F32, F16 or BF16, got {tensor.dtype};"
                " export the model in one of these"
            )


def hint(name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> str:
    is_table = name in ("lm_head.weight", "model.embed_tokens.weight", "transformer.wte.weight")
    if is_table and len(found) == 2 and found[1] == expected[1]:
        return f"; vocab_size says {expected[0]} tokens, and the tensor holds {found[0]}"
    return ""


def same_head(embedding: str, tensors: Mapping[str, Any]) -> None:
    """A head that config.json ties to the embedding may be stored again, as the same numbers."""
    head, table = tensors["lm_head.weight"], tensors.get(embedding)
    if table is None or tuple(head.shape) != tuple(table.shape):
        return
    rows = max(1, (1 << 20) // max(1, head.shape[1]))
    for first in range(0, head.shape[0], rows):
        ours, theirs = (np.asarray(t[first : first + rows]) for t in (head, table))
        if not np.array_equal(ours, theirs):
            raise OrionError(
                "tensor lm_head.weight differs from the embedding, to which config.json ties it;"
                " set tie_word_embeddings to false, or remove the tensor"
            )


def counted(names: list[str]) -> str:
    shown = ", ".join(names[:NAMES_MAX])
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return f"{'tensor' if len(names) == 1 else 'tensors'} {shown}{more}"
