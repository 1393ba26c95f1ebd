"""The one driver: a checkpoint and a profile become a bundle, a directory that a session opens."""

from .bundle import BundleReport, bundle
from .cache import cached_bundle

__all__ = ["BundleReport", "bundle", "cached_bundle"]
