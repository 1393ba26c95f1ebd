"""A model on a device, from text to text: `load`, `Model.generate`, `Model.stream`, `Chat`.

Knows no architecture and prints nothing.
"""

from orion.generate.chat import Chat
from orion.generate.continuation import BATCH_CHUNK, STREAM_CHUNK
from orion.generate.model import NO_TEXT, Model, load, stream_generate
from orion.generate.result import Piece, Response, Result
from orion.generate.sampling import Sampling
from orion.generate.together import batch

__all__ = [
    "BATCH_CHUNK",
    "NO_TEXT",
    "STREAM_CHUNK",
    "Chat",
    "Model",
    "Piece",
    "Response",
    "Result",
    "Sampling",
    "batch",
    "load",
    "stream_generate",
]
