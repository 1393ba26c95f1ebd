"""Five tokens while the n-th operation of the device fails, for every n, on both routes."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
from models import make_tiny
from test_training_misfortune import leftovers

import orion as package
from orion.errors import OrionError
from orion.runtime import Device

ROUTES = ("client", "memory")
# What goes wrong, and the counter that says how often it can: a cold cache compiles, others load.
FAULTS = (
    ("compile@{n}=refuse", "compiles"),
    ("compile@{n}=full", "compiles"),
    ("compile@{n}=disconnect", "compiles"),
    ("compile@{n}=flip", "compiles"),
    ("load@{n}=error:6/0x50004", "loads"),
    ("load@{n}=error:3", "loads"),
    ("load@{n}=disconnect", "loads"),
    ("load@{n}=flip", "loads"),
    ("eval@{n}=error:8/0x1d", "evals"),
    ("eval@{n}=disconnect", "evals"),
    ("eval@{n}=delay:1", "evals"),
    ("unload@{n}=error:6", "loads"),
)
IDS = [1, 5, 9]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("model") / "llama")


def five(model: Path, cache: Path, route: str, plan: str = "", call: int = 0) -> dict[str, Any]:
    """Five tokens and the counters; the device is left as if unused, with or without an error."""
    with Device("sim", cache_dir=cache, route=route, fail_call=call) as device:
        device.follow(plan)
        try:
            with package.load(model, device, cache_dir=cache) as opened:
                tokens = opened.generate(IDS, 5).new_ids
            counters = device.counters()
        finally:
            device.follow("")
            gc.collect()
            loaded = device.counters()["loaded_programs"]
    assert loaded == 0
    return {"tokens": tokens, **counters}


# The other route hands a failure on in the same places.
CASES = [(*row, "client") for row in FAULTS] + [(*row, "memory") for row in FAULTS[::4]]


@pytest.mark.parametrize(("fault", "counter", "route"), CASES)
def test_every_operation_may_fail(
    model: Path, tmp_path: Path, fault: str, counter: str, route: str
) -> None:
    warm = tmp_path / "cache"
    good = five(model, warm, route)
    count = good[counter]
    assert count
    failures = 0
    for n in range(1, count + 1):
        cache = tmp_path / f"cache{n}" if counter == "compiles" else warm
        try:
            assert five(model, cache, route, fault.format(n=n))["tokens"] == good["tokens"], n
        except OrionError as error:
            failures += 1
            assert str(error), n
        assert not leftovers(cache), n
        assert five(model, cache, route)["tokens"] == good["tokens"], n
    if "error" in fault and "unload" not in fault:
        assert failures


@pytest.mark.parametrize("route", ROUTES)
def test_every_call_of_the_framework_may_fail(model: Path, tmp_path: Path, route: str) -> None:
    """The first calls one by one, then ever fewer of the many that are alike."""
    cache = tmp_path / "cache"
    good = five(model, cache, route)["tokens"]
    with (
        Device("sim", cache_dir=cache, route=route, trace=True) as device,
        package.load(model, device, cache_dir=cache) as opened,
    ):
        opened.generate(IDS, 5)
        calls = len(device.take_trace())
    n, failures = 1, 0
    while n <= calls:
        try:
            assert five(model, cache, route, call=n)["tokens"] == good, n
        except OrionError as error:
            failures += 1
            assert str(error), n
        assert not leftovers(cache), n
        n += max(1, n // 12)
    assert failures > 20
    assert five(model, cache, route)["tokens"] == good
