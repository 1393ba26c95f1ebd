"""The one driver: a checkpoint and a profile become a bundle, a directory that a session opens.

What makes bundles is imported when it is first used: a bundle of the cache needs none of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .cache import cached_bundle
from .options import WEIGHTS, AdapterRoom, Options

if TYPE_CHECKING:
    from .driver import BundleReport, Source, bundle, find_family, read_source

_OF_DRIVER = {"BundleReport", "Source", "bundle", "find_family", "read_source"}

__all__ = [
    "WEIGHTS",
    "AdapterRoom",
    "BundleReport",
    "Options",
    "Source",
    "bundle",
    "cached_bundle",
    "find_family",
    "read_source",
]


def __getattr__(name: str) -> Any:
    if name not in _OF_DRIVER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.driver"), name)
