"""Checkpoints: `load(path)` gives a config and named tensors; one file of this room per format."""

from . import adapter, presets, tiny
from .checkpoint import Checkpoint, files, load, locate
from .lazy import LazyTensor

__all__ = ["Checkpoint", "LazyTensor", "adapter", "files", "load", "locate", "presets", "tiny"]
