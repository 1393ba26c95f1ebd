"""A model's way through the caches and the device: hits, changes, damage, calls that fail."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from models import checkpoint_of, copy_of, flip_byte, make_tiny

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
    flip_byte(checkpoint_of(model), 400_002)
    assert generate(orion, model, device, tmp_path / "cache")["compiles"] > 0


def first_and_last_of_each_kind(cache: Path) -> list[Path]:
    """Files of a cache, two of each room and suffix: what is kept of one layer is kept of all."""
    kinds: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(cache.rglob("*")):
        if path.is_file() and path.stat().st_size:
            room = path.relative_to(cache).parts[0]
            kinds.setdefault((room, path.suffix), []).append(path)
    return sorted({path for paths in kinds.values() for path in (paths[0], paths[-1])})


@pytest.mark.parametrize("device", DEVICES)
def test_a_flipped_byte_in_the_cache_is_healed(device: str, tmp_path: Path) -> None:
    model = make_tiny(tmp_path / "model")
    cache = tmp_path / "cache"

    def text() -> str:
        with package.load(model, device, cache_dir=cache) as opened:
            return opened.generate(PROMPT, max_tokens=12).text

    expected = text()
    files = first_and_last_of_each_kind(cache)
    assert {path.suffix for path in files} >= {".mil", ".bin", ".json", ".orion", ".pack"}
    for number, path in enumerate(files):
        flip_byte(path, None if number % 2 else -1)
        assert text() == expected, path
    path = next(cache.rglob("program.orion"))
    path.write_bytes(path.read_bytes()[:-1])
    assert text() == expected, path


@pytest.mark.parametrize("device", DEVICES)
def test_a_cache_that_is_gone_is_made_again(device: str, tmp_path: Path) -> None:
    model = make_tiny(tmp_path / "model")
    cache = tmp_path / "cache"
    with package.load(model, device, cache_dir=cache) as opened:
        expected = opened.generate(PROMPT, max_tokens=4)
    for room in sorted(path for path in cache.iterdir() if path.is_dir()):
        shutil.rmtree(room)
        with package.load(model, device, cache_dir=cache) as opened:
            assert opened.generate(PROMPT, max_tokens=4).text == expected.text, room


def test_a_failing_call_fails_generation_and_is_named(tmp_path: Path) -> None:
    """Each call of start, compile and load, and a sample of the many calls of the steps."""
    model = make_tiny(tmp_path / "model")

    def attempt(device: Device) -> list[int]:
        with package.load(model, device) as opened:
            return opened.generate(PROMPT, max_tokens=2).new_ids

    expected = attempt(Device("sim"))
    device = Device("sim", trace=True)
    assert attempt(device) == expected
    calls = len(device.take_trace())
    failed = 0
    for number in [*range(1, 120), *range(120, calls, 9)]:
        device = None
        try:
            device = Device("sim", trace=True, fail_call=number)
            assert attempt(device) == expected
        except OrionError as error:
            failed += 1
            # A device that did not open leaves no trace.
            trace = device.take_trace() if device else [str(error)]
            line = next(line for line in trace if device is None or "made to fail" in line)
            assert named_call(line) in str(error), number
    assert failed > calls // 20


def named_call(line: str) -> str:
    """`+[Class selector]`, or the function's name, of a line that begins with it."""
    found = re.search(r"[+-]\[[^]]*\]|\b[A-Za-z]+_?[A-Za-z]+(?=[ (])", line)
    assert found, line
    return found[0]
