"""Tensors that are read late: views of them, and when two of them are the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from orion.weights.lazy import LazyTensor, lazy

VIEWS: list[Callable[..., object]] = [
    lambda t: t,
    lambda t: t.T,
    lambda t: t[2:5],
    lambda t: t.T[1:3],
    lambda t: t[:, 1:3],
    lambda t: t.reshape(6, 4, 1, 1),
    lambda t: t.T[:2].reshape(2, 6, 1, 1),
    lambda t: t.reshape((4, 6))[1:],
]


@pytest.mark.parametrize("view", range(len(VIEWS)))
@pytest.mark.parametrize("elements", [1, 5, 1 << 20])
def test_views_are_numpys_and_read_late(view: int, elements: int) -> None:
    array = np.arange(24, dtype=np.float32).reshape(6, 4)
    reads = []

    def read() -> np.ndarray:
        reads.append(1)
        return array

    seen = VIEWS[view](LazyTensor(array.shape, "fp32", read, "array"))
    expected = np.asarray(VIEWS[view](array))
    assert isinstance(seen, LazyTensor)
    assert seen.shape == expected.shape
    assert not reads
    np.testing.assert_array_equal(np.concatenate(list(seen.blocks(elements))), expected.reshape(-1))
    np.testing.assert_array_equal(seen, expected)


def test_views_of_the_same_numbers_have_one_identity() -> None:
    tensor = LazyTensor((4, 4), "fp32", lambda: np.zeros((4, 4), np.float32), "t")
    assert tensor.reshape(4, 4, 1, 1).identity == tensor.identity
    assert tensor[:2].identity == tensor[:2].identity
    assert len({t.identity for t in (tensor, tensor.T, tensor[:2], tensor[2:], tensor.T[:2])}) == 5


def test_a_copy_is_a_copy() -> None:
    array = np.zeros(3, np.float32)
    tensor = lazy(array)
    assert np.shares_memory(np.asarray(tensor), array)
    assert not np.shares_memory(np.array(tensor, copy=True), array)
    assert np.asarray(tensor, np.float64).dtype == np.float64
