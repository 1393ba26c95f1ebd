"""Checkpoints by their path or name: finds the format, and reads it; knows no model family.

A checkpoint is one of
 - a directory with config.json and *.safetensors, as Hugging Face keeps models;
 - the id of such a model on the hub, `org/name`, which is fetched first;
 - a file `*.bin` of llama2.c, or a directory that holds one;
 - the name of a preset, with fresh weights from a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OrionError, UsageError
from .lazy import LazyTensor

CONFIG = "config.json"
# What a bundle has, and a checkpoint has not.
MANIFEST = "manifest.json"
# Files that run code when they are opened.
PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle")
# How they begin, whatever they are called: a zip archive, or a pickle of protocol 2 to 5.
PICKLE_STARTS = (b"PK\x03\x04", *(bytes([0x80, protocol]) for protocol in range(2, 6)))
GGUF_START = b"GGUF"
ADVICE = (
    "pickles are never opened, for they can run code; save the model as safetensors"
    " (save_pretrained(..., safe_serialization=True)) and name that"
)


@dataclass(frozen=True)
class Checkpoint:
    """`config` has config.json's keys, `tensors` Hugging Face's names; nothing is read yet."""

    config: Mapping[str, Any]
    tensors: Mapping[str, LazyTensor]
    files: tuple[Path, ...]

    @property
    def parameters(self) -> int:
        """Numbers in the checkpoint, each tensor once."""
        return sum(tensor.size for tensor in self.tensors.values())


def load(path: str | Path, seed: int = 0) -> Checkpoint:
    """Opens a checkpoint. OrionError when there is none or it is damaged.

    `seed` is that of a preset's weights.
    """
    from . import huggingface, llama2c, presets

    if presets.is_preset(path):
        return presets.make(str(path), seed)
    place = locate(path)
    if place.is_dir() and (place / CONFIG).is_file():
        return huggingface.read(place)
    return llama2c.read(find_checkpoint(place))


def locate(path: str | Path) -> Path:
    """The file or directory at `path`, or a preset's name.

    What a hub id stands for is fetched: once found, the place is what to hand on.
    """
    from . import hub, presets

    place = Path(path)
    if presets.is_preset(path):
        return place
    if not place.exists():
        if hub.is_id(path):
            return hub.fetch(str(path))
        raise UsageError(f"{path}: there is no such model directory or checkpoint file")
    if place.is_file() and place.suffix in (".safetensors", ".json"):
        return place.parent
    return place


def files(path: str | Path) -> tuple[Path, ...]:
    """Every file that `load` reads; a preset has none."""
    from . import huggingface, presets

    if presets.is_preset(path):
        return ()
    place = locate(path)
    if place.is_dir() and (place / CONFIG).is_file():
        return huggingface.files(place)
    return (find_checkpoint(place),)


def find_checkpoint(path: Path) -> Path:
    """The one checkpoint file of llama2.c at `path`."""
    if path.is_file():
        refuse_others(path)
        return path
    if (path / MANIFEST).is_file():
        raise UsageError(
            f"{path}: is a bundle, which holds programs and no checkpoint; name the checkpoint that"
            " it was made of, or copy the directory"
        )
    found = sorted(p for p in path.glob("*.bin") if not p.name.startswith("tok"))
    if len(found) == 1:
        refuse_others(found[0])
        return found[0]
    if found:
        names = ", ".join(p.name for p in found)
        raise OrionError(
            f"{path}: expected one checkpoint *.bin, found {len(found)} ({names});"
            " name the one to use by its path"
        )
    if any(path.glob("*.safetensors")):
        raise OrionError(f"{path}: holds safetensors but no {CONFIG}; put the model's beside them")
    refuse_pickles_of(path)
    for gguf in sorted(path.glob("*.gguf"))[:1]:
        refuse_others(gguf)
    raise OrionError(
        f"{path}: expected {CONFIG} and *.safetensors, or one checkpoint *.bin of llama2.c, found"
        " neither"
    )


def refuse_pickles_of(directory: Path) -> None:
    """Names the pickles of a directory that has nothing else to offer."""
    found = sorted(p for p in directory.iterdir() if p.suffix in PICKLES or is_torch_bin(p))
    if found:
        raise OrionError(f"{found[0]}: {ADVICE}")


def is_torch_bin(path: Path) -> bool:
    return path.suffix == ".bin" and path.name.startswith(("pytorch_model", "adapter_model"))


def refuse_others(path: Path) -> None:
    """Names a file of another format by its beginning."""
    if path.suffix in PICKLES or is_torch_bin(path):
        raise OrionError(f"{path}: {ADVICE}")
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise OrionError(f"{path}: cannot be read: {error.strerror}") from None
    if start.startswith(PICKLE_STARTS):
        raise OrionError(f"{path}: {ADVICE}")
    if start == GGUF_START:
        raise OrionError(
            f"{path}: is a GGUF file, which is not read; name the model's directory or id on the"
            " hub, with config.json and *.safetensors"
        )
