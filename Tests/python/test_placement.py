"""New keys placed in the cache: numbers do not depend on how a text was cut into steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy_session import NumpySession
from profiles_for_tests import CPU, M4

from orion import weights

MODELS = ["golden/gpt2-tiny", "golden/llama-tiny-gqa", "golden/qwen3-tiny", "stories260K"]
IDS = [1, 403, 407, 261, 378, 5, 9, 44, 301, 17, 280, 33, 71, 8, 250, 99, 120, 64, 2, 500]
# How many tokens each step takes.
CUTS = ([1] * 20, [20], [3, 1, 7, 9], [19, 1], [2, 18])


def in_cuts(ids: list[int], cuts: list[int]) -> Iterator[list[int]]:
    first = 0
    for count in cuts:
        yield ids[first : first + count]
        first += count


def run(session: NumpySession, cuts: list[int], columns: int, cache: int) -> np.ndarray:
    """Logits of all tokens, and what the cache then holds, as they are to the bit."""
    rows = [session.feed(part, columns, cache) for part in in_cuts(IDS, cuts)]
    return np.concatenate([*rows, *(array.reshape(-1) for array in session.caches.values())], None)


@pytest.mark.parametrize("name", MODELS)
def test_numbers_are_the_same_to_the_bit_however_a_text_is_cut(data: Path, name: str) -> None:
    checkpoint = weights.load(data / name)
    expected = run(NumpySession(checkpoint, M4), CUTS[0], 32, 64)
    for cuts in CUTS[1:]:
        np.testing.assert_array_equal(run(NumpySession(checkpoint, M4), cuts, 32, 64), expected)


@pytest.mark.parametrize("name", MODELS)
def test_placed_and_joined_segments_mean_the_same(data: Path, name: str) -> None:
    checkpoint = weights.load(data / name)
    apart = NumpySession(checkpoint, CPU)
    placed = NumpySession(checkpoint, CPU | {"name": "cpu-placed", "preferences": PLACED})
    for part in in_cuts(IDS, [3, 1, 7, 9]):
        first, second = (session.feed(part, 32, 64) for session in (apart, placed))
        np.testing.assert_allclose(second, first, rtol=1e-4, atol=1e-4)


PLACED = CPU["preferences"] | {"emits_concat": False}


def test_a_step_over_a_cache_has_one_mask() -> None:
    session = NumpySession(weights.load("stories260k"), M4)
    roles = {node["role"]: node.result.type.shape for node in session.graph(32, 128).inputs}
    assert roles["placement"] == roles["mask over=slots"] == (1, 1, 32, 128)
    assert not {"mask over=cache", "mask over=new"} & roles.keys()
    first = {node["role"] for node in session.graph(32, 0).inputs}
    assert "mask over=new" in first and "placement" not in first
