"""Ops that draw random numbers: what their draws look like, and that a seed repeats them."""

from collections.abc import Callable
from typing import Any

import mil_text
import numpy as np
import pytest

from orion.errors import OrionError
from orion.runtime import Device, Program

COUNT = 1 << 16
SHAPE = (16, COUNT // 16)
# Six standard deviations of a mean of so many draws.
CLOSE = 6 / np.sqrt(COUNT)


def draws(
    op: str, dtype: str = "fp32", shape: tuple[int, ...] = SHAPE, **arguments: Any
) -> Program:
    body = mil_text.call(op, {"shape": list(shape), **arguments}, [("y", "fp32", shape)])
    text = mil_text.program([("x", "fp32", (1,))], body, ["y"])
    # The builder's floats are fp16; the result has the type of the numbers given.
    if dtype == "fp32":
        text = text.replace("fp16", "fp32")
    else:
        text = text.replace("tensor<fp32, [16,", "tensor<fp16, [16,")
    return Program(Device("cpu"), text)


def drawn(program: Program) -> np.ndarray:
    return program.run([np.zeros(1)])["y"].astype(np.float64)


def uniform(y: np.ndarray) -> None:
    assert y.min() >= 2 and y.max() < 5
    assert abs(y.mean() - 3.5) < 3 * CLOSE
    counts, _ = np.histogram(y, 30, (2, 5))
    # Chi-square with 29 degrees of freedom; a fair draw stays under 75 but once in a million.
    assert ((counts - COUNT / 30) ** 2 / (COUNT / 30)).sum() < 75


def normal(y: np.ndarray) -> None:
    assert abs(y.mean() - 1) < 2 * CLOSE
    assert abs(y.std() - 2) < 2 * CLOSE
    scaled = (y - 1) / 2
    assert abs((scaled**3).mean()) < 4 * CLOSE
    assert abs((scaled**4).mean() - 3) < 10 * CLOSE
    neighbours = np.corrcoef(scaled.reshape(-1)[:-1], scaled.reshape(-1)[1:])[0, 1]
    assert abs(neighbours) < CLOSE


def bernoulli(y: np.ndarray) -> None:
    assert set(np.unique(y)) == {0, 1}
    assert abs(y.mean() - 0.3) < CLOSE


CASES = [
    ("random_uniform", {"low": 2.0, "high": 5.0}, uniform),
    ("random_normal", {"mean": 1.0, "stddev": 2.0}, normal),
    ("random_bernoulli", {"prob": 0.3}, bernoulli),
]


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
@pytest.mark.parametrize(("op", "arguments", "check"), CASES, ids=[case[0] for case in CASES])
def test_draws_have_their_distribution(
    op: str, arguments: dict[str, Any], check: Callable[[np.ndarray], None], dtype: str
) -> None:
    seeded = draws(op, dtype, **arguments, seed=7)
    first = drawn(seeded)
    check(first)
    np.testing.assert_array_equal(drawn(seeded), first)
    np.testing.assert_array_equal(drawn(draws(op, dtype, **arguments, seed=7)), first)
    other = drawn(draws(op, dtype, **arguments, seed=8))
    check(other)
    assert (other != first).any()
    without = draws(op, dtype, **arguments)
    assert (drawn(without) != drawn(without)).any()


def test_defaults_are_the_usual_ones() -> None:
    body = mil_text.call("random_normal", {"shape": list(SHAPE), "seed": 3}, [("y", "fp32", SHAPE)])
    y = drawn(Program(Device("cpu"), mil_text.program([("x", "fp32", (1,))], body, ["y"])))
    assert abs(y.mean()) < CLOSE
    assert abs(y.std() - 1) < CLOSE


@pytest.mark.parametrize("mode", ["logits", "probs"])
def test_categories_are_drawn_by_their_chances(mode: str) -> None:
    chances = np.array([[0.5, 0.25, 0.25, 0.0], [0.1, 0.2, 0.3, 0.4]])
    with np.errstate(divide="ignore"):
        given = np.log(chances) if mode == "logits" else chances
    arguments = {"x": "%x", "mode": mode, "size": COUNT, "seed": 11}
    body = mil_text.call("random_categorical", arguments, [("y", "fp32", (2, COUNT))])
    program = Program(Device("cpu"), mil_text.program([("x", "fp32", (2, 4))], body, ["y"]))
    y = program.run([given])["y"]
    for row, wanted in zip(y, chances, strict=True):
        found = np.bincount(row.astype(int), minlength=4) / COUNT
        np.testing.assert_allclose(found, wanted, atol=CLOSE)


def test_a_shape_must_have_elements() -> None:
    body = mil_text.call("random_normal", {"shape": [2, 0]}, [("y", "fp32", (2, 0))])
    with pytest.raises(OrionError, match="sizes of at least 1"):
        Program(Device("cpu"), mil_text.program([("x", "fp32", (1,))], body, ["y"]))
