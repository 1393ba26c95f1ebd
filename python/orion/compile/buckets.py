"""The sizes a bundle has programs for: new columns by cached positions; knows no model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any

from .manifest import Step

# A shorter bucket saves at least this share of the next one's time, or is left out.
GAIN_MIN = 0.001


def steps(profile: Mapping[str, Any], context: int) -> list[tuple[int, int]]:
    """(columns, cache) of every step, each once.

    Every prompt bucket over no cache. Over every cache the decode width, and the width for several
    tokens at once: guesses, other sequences, what follows an answer. And where a prompt may be
    longer than the largest bucket, that bucket over the caches that hold more than it.
    """
    prompts = prompt_buckets(profile, context)
    caches = cache_buckets(profile, context)
    preferences = profile["preferences"]
    wanted = [(columns, 0) for columns in prompts]
    wanted += [(preferences["decode_columns"], cache) for cache in caches]
    wanted += [(preferences["speculation_columns"], cache) for cache in caches]
    wanted += [(prompts[-1], cache) for cache in caches if cache > prompts[-1]]
    return list(dict.fromkeys(wanted))


def worthwhile(plan: Iterable[Step], seconds: Callable[[Step], float]) -> list[Step]:
    """The steps without those for prompts that the next longer one runs as fast, by prediction."""
    steps = list(plan)
    prompts = sorted((step for step in steps if step.cache == 0), key=lambda step: -step.columns)
    needless, limit = [], inf
    for step in prompts:
        taken = seconds(step)
        if taken > limit:
            needless.append(step)
        else:
            limit = (1 - GAIN_MIN) * taken
    return [step for step in steps if step not in needless]


def prompt_buckets(profile: Mapping[str, Any], context: int) -> list[int]:
    """The profile's buckets up to the smallest that covers the context."""
    buckets = sorted(profile["preferences"]["prompt_buckets"])
    return covering(buckets, context) or [rounded(context, profile)]


def cache_buckets(profile: Mapping[str, Any], context: int) -> list[int]:
    """The profile's buckets under the context, then the context at the profile's width."""
    last = rounded(context, profile)
    buckets = sorted(profile["preferences"]["cache_buckets"])
    return [bucket for bucket in buckets if bucket < last] + [last]


def covering(buckets: Sequence[int], context: int) -> list[int]:
    below = [bucket for bucket in buckets if bucket < context]
    enough = [bucket for bucket in buckets if bucket >= context]
    return below + enough[:1]


def rounded(length: int, profile: Mapping[str, Any]) -> int:
    """`length` as a width that the profile takes."""
    limits = profile["limits"]
    multiple = limits["width_multiple"]
    return max(-(-length // multiple) * multiple, int(limits["width_min"]))
