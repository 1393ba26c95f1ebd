"""Model directories as Hugging Face keeps them: config.json, safetensors, maybe in shards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import OrionError
from . import safetensors
from .checkpoint import CONFIG, Checkpoint, refuse_pickles_of
from .lazy import LazyTensor

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
# A file of JSON beyond this is none of ours.
JSON_BYTES_MAX = 64 << 20


def read(directory: Path) -> Checkpoint:
    config = read_json(directory / CONFIG)
    index = directory / INDEX
    if index.is_file():
        return Checkpoint(config, sharded(index), files(directory))
    return Checkpoint(config, safetensors.read(single(directory)), files(directory))


def files(directory: Path) -> tuple[Path, ...]:
    """Every file that `read` reads."""
    config, index = directory / CONFIG, directory / INDEX
    if not index.is_file():
        return (config, single(directory))
    shards = sorted(set(weight_map(index).values()))
    return (config, index, *(directory / shard for shard in shards))


def single(directory: Path) -> Path:
    """The one safetensors file of a directory without an index."""
    found = sorted(directory.glob("*.safetensors"))
    if (directory / SINGLE) in found:
        return directory / SINGLE
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found[:4])
        raise OrionError(
            f"{directory}: holds {len(found)} safetensors files ({names}) and no {INDEX}, which"
            " would say what is in each; fetch it too"
        )
    refuse_pickles_of(directory)
    raise OrionError(f"{directory}: expected {SINGLE} beside {CONFIG}, found none; fetch it too")


def sharded(index: Path) -> dict[str, LazyTensor]:
    """The tensors of all shards; what an index says of each shard must be what it holds."""
    places = weight_map(index)
    shards = {shard: open_shard(index, shard) for shard in sorted(set(places.values()))}
    tensors = {}
    for name, shard in places.items():
        if name not in shards[shard]:
            raise OrionError(
                f"{index}: places tensor {name} in {shard}, which does not hold it; fetch both"
                " files again"
            )
        tensors[name] = shards[shard][name]
    for shard, found in shards.items():
        unlisted = sorted(name for name in found if places.get(name) != shard)
        if unlisted:
            raise OrionError(
                f"{index}: does not list tensor {unlisted[0]}, which {shard} holds; fetch both"
                " files again"
            )
    return tensors


def open_shard(index: Path, shard: str) -> dict[str, LazyTensor]:
    path = index.parent / shard
    if not path.is_file():
        raise OrionError(f"{path}: is missing, and {index.name} lists it; fetch it too")
    return safetensors.read(path)


def weight_map(index: Path) -> dict[str, str]:
    """tensor: its file, which lies beside the index."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise OrionError(f"{index}: expected a weight_map from tensors to files, found none")
    for name, shard in places.items():
        if not isinstance(shard, str) or Path(shard).name != shard or "\\" in shard:
            raise OrionError(
                f"{index}: places tensor {name} in {shard!r}; expected the name of a file beside"
                " the index"
            )
        if not shard.endswith(".safetensors"):
            raise OrionError(
                f"{index}: places tensor {name} in {shard}; only *.safetensors are read"
            )
    return places


def read_json(path: Path) -> dict[str, Any]:
    """OrionError when the file holds no object."""
    try:
        size = path.stat().st_size
        if size > JSON_BYTES_MAX:
            raise OrionError(f"{path}: has {size} bytes, more than any model's; it is damaged")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OrionError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise OrionError(f"{path}: holds no JSON: {error}; fetch it again") from None
    if not isinstance(content, dict):
        raise OrionError(f"{path}: expected an object, found a {type(content).__name__}")
    return content
