"""The one driver: a checkpoint and a profile become a bundle, a directory that a session opens."""

from .bundle import BundleReport, Source, bundle, find_family, read_source
from .cache import cached_bundle
from .options import WEIGHTS, AdapterRoom, Options

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
