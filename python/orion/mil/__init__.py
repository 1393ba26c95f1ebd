"""Graphs to MIL text in either dialect, arrays to weight files."""

from .blob import BlobReader, BlobWriter
from .text import to_mil

__all__ = ["BlobReader", "BlobWriter", "to_mil"]
