"""`orion cache`: what it lists, what it clears, and what it leaves alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from models import make_tiny

from orion.errors import UsageError
from orion.runtime.caches import clear_cache

Orion = Callable[..., Any]


def generate(orion: Orion, model: Path, cache: Path) -> dict[str, Any]:
    arguments = ("--model", model, "-p", "Once", "-m", 4, "--device", "sim", "--cache-dir", cache)
    done = orion("generate", *arguments, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def test_a_cleared_cache_is_filled_again(orion: Orion, tmp_path: Path) -> None:
    model, cache = make_tiny(tmp_path / "model"), tmp_path / "cache"
    first = generate(orion, model, cache)
    assert generate(orion, model, cache)["compiles"] == 0
    listed = json.loads(orion("cache", "--cache-dir", cache, "--json").out)
    kinds = {entry["kind"] for entry in listed["entries"]}
    assert {"bundles", "models", "sim"} <= kinds
    cleared = json.loads(orion("cache", "clear", "--cache-dir", cache, "--json").out)
    assert cleared["freed"] > 0
    assert not list(cache.rglob("*.mil")) and not list(cache.rglob("*leaving*"))
    again = generate(orion, model, cache)
    assert again["compiles"] == first["compiles"] and again["text"] == first["text"]


def test_one_kind_alone(orion: Orion, tmp_path: Path) -> None:
    model, cache = make_tiny(tmp_path / "model"), tmp_path / "cache"
    generate(orion, model, cache)
    assert orion("cache", "clear", "sim", "--cache-dir", cache).code == 0
    assert not list((cache / "sim").iterdir())
    assert list((cache / "bundles").iterdir())


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    mine = tmp_path / "models" / "my-thesis"
    mine.mkdir(parents=True)
    (mine / "chapter.txt").write_text("text")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ("0" * 64)).write_text("text")
    (tmp_path / "bundles").symlink_to(elsewhere)
    assert clear_cache(tmp_path) == 0
    assert (mine / "chapter.txt").exists() and (elsewhere / ("0" * 64)).exists()


def test_an_unknown_kind_is_named(orion: Orion, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no kind 'plans'"):
        clear_cache(tmp_path, ["plans"])
    done = orion("cache", "list", "sim", "--cache-dir", tmp_path)
    assert done.code == 2 and "orion cache clear" in done.err


def test_a_file_is_no_cache(orion: Orion, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = orion("cache", "--cache-dir", tmp_path / "file")
    assert (done.code, done.out) == (1, "") and "not a directory" in done.err
