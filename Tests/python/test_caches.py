"""A model's way through the caches and the device: hits, changes, damage, calls that fail."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from models import checkpoint_of, copy_of, flip_byte

import orion as package
from orion import Device, OrionError

DEVICES = ("cpu", "sim")
Orion = Callable[..., Any]
PROMPT = "Once upon a time"


def generate(orion: Orion, model: Path, device: str, cache: Path) -> dict[str, Any]:
    arguments = ["--model", model, "-p", PROMPT, "-m", 20, "--device", device]
    done = orion("generate", *arguments, "--cache-dir", cache, "--json")
    assert done.code == 0, done.err
    result: dict[str, Any] = json.loads(done.out)
    return result


@pytest.mark.parametrize("device", DEVICES)
def test_a_second_process_compiles_nothing(
    orion: Orion, stories: Path, device: str, tmp_path: Path
) -> None:
    first = generate(orion, stories, device, tmp_path / "cache")
    second = generate(orion, stories, device, tmp_path / "cache")
    assert first["compiles"] > 0
    assert (second["compiles"], second["cache_hits"] > 0) == (0, True)
    assert second["text"] == first["text"]


@pytest.mark.parametrize("device", DEVICES)
def test_a_changed_weight_compiles_again(
    orion: Orion, stories: Path, device: str, tmp_path: Path
) -> None:
    model = copy_of(stories, tmp_path / "model")
    generate(orion, model, device, tmp_path / "cache")
    flip_byte(checkpoint_of(model), -2000)
    assert generate(orion, model, device, tmp_path / "cache")["compiles"] > 0


@pytest.mark.parametrize("device", DEVICES)
def test_a_flipped_byte_in_the_cache_is_healed(stories: Path, device: str, tmp_path: Path) -> None:
    """Each file in turn; the last byte too, where a checksum may stand."""

    def text() -> str:
        with package.load(stories, device, cache_dir=tmp_path) as model:
            return model.generate(PROMPT, max_tokens=12).text

    expected = text()
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size)
    assert len(files) > 3
    for path in files:
        for place in (None, -1):
            if path.is_file() and path.stat().st_size:
                flip_byte(path, place)
                assert text() == expected, path


def test_a_failing_call_fails_generation_and_is_named(stories: Path) -> None:
    def attempt(device: Device) -> None:
        with package.load(stories, device) as model:
            model.generate([1], max_tokens=2)

    device = Device("sim", trace=True)
    with package.load(stories, device) as model:
        model.generate([1], max_tokens=2)
        calls = device.take_trace()
    failed = 0
    for number in [*range(1, 40), *range(40, len(calls), max(1, len(calls) // 40))]:
        device = Device("sim", trace=True, fail_call=number)
        try:
            attempt(device)
        except OrionError as error:
            failed += 1
            assert str(error), calls[number - 1]
    assert failed > 20
