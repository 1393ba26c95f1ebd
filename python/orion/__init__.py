"""Orion: compile, run and train small language models on Apple's Neural Engine.

    model = orion.load("stories260K", device="sim")
    print(model.generate("Once upon a time", max_tokens=40).text)

Names are imported when they are first used, so that `import orion` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from orion.errors import OrionError, UsageError

__version__ = "0.1.0"

if TYPE_CHECKING:
    from orion.generate import Chat, Model, Response, Result, load, stream_generate
    from orion.runtime import Device, Program, Session, Tensor, check, profile
    from orion.train import Trainer

_HOME = {
    "Chat": "orion.generate",
    "Device": "orion.runtime",
    "Model": "orion.generate",
    "Program": "orion.runtime",
    "Response": "orion.generate",
    "Result": "orion.generate",
    "Session": "orion.runtime",
    "Tensor": "orion.runtime",
    "Trainer": "orion.train",
    "check": "orion.runtime",
    "load": "orion.generate",
    "profile": "orion.runtime",
    "stream_generate": "orion.generate",
}

__all__ = [
    "Chat",
    "Device",
    "Model",
    "OrionError",
    "Program",
    "Response",
    "Result",
    "Session",
    "Tensor",
    "Trainer",
    "UsageError",
    "check",
    "load",
    "profile",
    "stream_generate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'orion' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
