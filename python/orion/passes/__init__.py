"""Rewrites of a graph for one profile: one file each, in the order of `pipeline`."""

from .pipeline import PIPELINE, run_passes

__all__ = ["PIPELINE", "run_passes"]
