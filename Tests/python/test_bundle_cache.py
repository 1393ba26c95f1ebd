"""Cached bundles: one content, one key; damage is healed; processes do not disturb each other."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from pathlib import Path

import pytest
from profiles_for_tests import CPU
from profiles_for_tests import M4 as FULL_M4

from orion import files
from orion.compile import cached_bundle
from orion.compile.identity import Identities
from orion.errors import OrionError
from orion.weights import tiny

# Fewer buckets, so that making a bundle again and again stays quick.
FEW = {"prompt_buckets": [32], "cache_buckets": []}
M4 = FULL_M4 | {"preferences": FULL_M4["preferences"] | FEW}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.write(tmp_path / "model")


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_made_once(model: Path, room: Path) -> None:
    first, fresh = cached_bundle(model, M4, room)
    assert fresh and first.parent == room / "bundles"
    assert cached_bundle(model, M4, room) == (first, False)
    copy = shutil.copytree(model, model.parent / "copy")
    assert cached_bundle(copy, M4, room) == (first, False)


def test_another_profile_weight_or_tokenizer_is_another_bundle(model: Path, room: Path) -> None:
    found = {cached_bundle(model, M4, room)[0], cached_bundle(model, CPU, room)[0]}
    found.add(
        cached_bundle(
            model, {**M4, "preferences": {**M4["preferences"], "decode_columns": 64}}, room
        )[0]
    )
    for name in ("tiny.bin", "tok.bin"):
        data = bytearray((model / name).read_bytes())
        data[-1] ^= 1
        (model / name).write_bytes(data)
        directory, fresh = cached_bundle(model, M4, room)
        assert fresh
        found.add(directory)
    assert len(found) == 5


def test_any_flipped_byte_is_healed(model: Path, room: Path) -> None:
    directory, _ = cached_bundle(model, M4, room)
    good = {path.name: path.read_bytes() for path in directory.iterdir()}
    for name, data in good.items():
        for place in (0, len(data) // 2, len(data) - 1):
            # Times as before, as a failing disk would leave them.
            path = directory / name
            times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
            damaged = bytearray(data)
            damaged[place] ^= 0x10
            path.write_bytes(damaged)
            os.utime(path, ns=times)
            again, fresh = cached_bundle(model, M4, room)
            assert (again, fresh) == (directory, True), (name, place)
            assert {p.name: p.read_bytes() for p in directory.iterdir()} == good


def test_a_missing_or_cut_file_is_healed(model: Path, room: Path) -> None:
    directory, _ = cached_bundle(model, M4, room)
    for name in ("weights.bin", "head.mil", "manifest.json", "manifest.sha256"):
        (directory / name).unlink()
        assert cached_bundle(model, M4, room) == (directory, True)
        with (directory / name).open("r+b") as file:
            file.truncate(10)
        assert cached_bundle(model, M4, room) == (directory, True)
    assert cached_bundle(model, M4, room) == (directory, False)


def make(model: Path, room: Path, results: object) -> None:
    directory, fresh = cached_bundle(model, M4, room)
    manifest = json.loads((directory / "manifest.json").read_text())
    results.put((str(directory), fresh, manifest["profile"]))  # type: ignore[attr-defined]


def test_processes_at_once_make_it_once(model: Path, room: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=make, args=(model, room, results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(timeout=60)
    assert len({directory for directory, _, _ in found}) == 1
    assert [fresh for _, fresh, _ in found].count(True) == 1


def test_what_a_killed_process_left_is_removed(model: Path, room: Path) -> None:
    directory, _ = cached_bundle(model, M4, room)
    for kind in ("new", "old"):
        left = directory.parent / f".{directory.name}.{kind}-abc"
        left.mkdir()
        (left / "weights.bin").write_bytes(b"half")
    (directory / "head.mil").unlink()
    assert cached_bundle(model, M4, room) == (directory, True)
    assert not list(directory.parent.glob(".*"))


def test_an_unwritable_cache_is_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OrionError, match=r"cannot be written: .*ORION_CACHE"):
        cached_bundle(model, M4, tmp_path / "file")


def test_a_readable_cache_is_enough_for_what_it_holds(
    model: Path, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, _ = cached_bundle(model, M4, room)

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(files.Path, "mkdir", refuse)
    monkeypatch.setattr(files.Path, "write_text", refuse)
    assert cached_bundle(model, M4, room) == (directory, False)


def test_a_full_disk_leaves_nothing_behind(
    model: Path, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "synchronize", full)
    with pytest.raises(OrionError, match="No space left on device; free some space"):
        cached_bundle(model, M4, room)
    assert [p for p in (room / "bundles").iterdir() if p.suffix != ".lock"] in (
        [],
        [room / "bundles" / "identity"],
    )


def test_identities_notice_every_change(tmp_path: Path) -> None:
    identities = Identities(tmp_path / "identity")
    path = tmp_path / "file"
    path.write_bytes(b"a" * 100)
    os.utime(path, ns=(0, 0))
    first = identities.sha256(path)
    assert identities.sha256(path) == first == files.sha256(path)
    path.write_bytes(b"b" * 100)
    os.utime(path, ns=(0, 0))
    assert identities.sha256(path) == files.sha256(path) != first


def test_a_damaged_identity_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orion.compile.identity.SETTLED_NANOSECONDS", -1)
    identities = Identities(tmp_path / "identity")
    path = tmp_path / "file"
    path.write_bytes(b"content")
    digest = identities.sha256(path)
    (entry,) = (tmp_path / "identity").iterdir()
    text = entry.read_text()
    for place in range(0, len(text), 7):
        entry.write_text(text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :])
        assert identities.sha256(path) == digest
