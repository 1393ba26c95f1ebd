"""Checkpoints: `load(path)` gives a config and named tensors; one file of this room per format.

A model directory holds one checkpoint `*.bin` and, beside it, one tokenizer `tok*.bin`.
"""

from . import tiny
from .checkpoint import Checkpoint, find_checkpoint, load

__all__ = ["Checkpoint", "find_checkpoint", "load", "tiny"]
