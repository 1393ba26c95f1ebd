"""Text and token ids to learn from: files, rows, batches and a corpus of our own; no device."""

from .batches import Batch, Batches, in_order
from .bigram import bigram_loss
from .directory import Data, open_data
from .make import MadeData, make_data, make_stories
from .sources import IGNORED, Rows, Source, Stream
from .stories import story

__all__ = [
    "IGNORED",
    "Batch",
    "Batches",
    "Data",
    "MadeData",
    "Rows",
    "Source",
    "Stream",
    "bigram_loss",
    "in_order",
    "make_data",
    "make_stories",
    "open_data",
    "story",
]
