"""Processes that train one model together; a process alone is the same with nobody to talk to."""

from .agreement import check_facts, check_parameters
from .base import Alone, LostRankError, Overlap, Ranks, RanksError
from .buckets import make_buckets
from .find import find_ranks

__all__ = [
    "Alone",
    "LostRankError",
    "Overlap",
    "Ranks",
    "RanksError",
    "check_facts",
    "check_parameters",
    "find_ranks",
    "make_buckets",
]
