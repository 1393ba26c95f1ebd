"""Compiling under real misfortune: files that may not grow, a kill, processes at one target."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from models import make_tiny
from profiles_for_tests import CPU, M4

from orion.compile import bundle, cached_bundle
from orion.compile.cache import is_intact
from orion.compile.identity import Identities
from orion.errors import OrionError
from orion.export import export_checkpoint
from orion.mil import BlobWriter

CONTEXT = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("model") / "tiny")


def intact(directory: Path) -> bool:
    return is_intact(directory, Identities(directory.parent / "identity"))


def in_process(work: Callable[[], object]) -> tuple[int | None, str]:
    """How a process that did `work` ended, and the message of its OrionError."""
    receiver, sender = CONTEXT.Pipe(duplex=False)

    def body() -> None:
        try:
            work()
            sender.send("")
        except OrionError as error:
            sender.send(str(error))

    process = CONTEXT.Process(target=body)
    process.start()
    sender.close()
    try:
        message = receiver.recv()
    except EOFError:
        message = "gone"
    process.join(timeout=120)
    return process.exitcode, message


def under_limit(limit: int, work: Callable[[], object]) -> Callable[[], object]:
    def body() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        work()

    return body


@pytest.mark.parametrize("how", ["bundle", "cached", "safetensors"])
def test_files_that_may_not_grow_leave_nothing(model: Path, tmp_path: Path, how: str) -> None:
    """The limit doubles until all is written: every smaller one fails in another place."""
    target, limit, failures = tmp_path / "b", 64, 0
    work: dict[str, Callable[[], object]] = {
        "bundle": lambda: bundle(model, CPU, target),
        "cached": lambda: cached_bundle(model, CPU, tmp_path),
        "safetensors": lambda: export_checkpoint(model, target),
    }
    while (message := in_process(under_limit(limit, work[how]))[1]) != "":
        assert "cannot be written: File too large; free some space" in message
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert {path.parent.name for path in files if path.suffix != ".lock"} <= {"identity"}
        assert not [path for path in files if path.parent.name == "identity" and path.suffix]
        limit, failures = limit * 2, failures + 1
    assert failures > 5
    found = target if how != "cached" else next(p for p in (tmp_path / "bundles").glob("?" * 64))
    assert how == "safetensors" or intact(found)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 KB; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_named_and_stays_clean(model: Path, small_disk: Path) -> None:
    with pytest.raises(OrionError, match="No space left on device; free some space"):
        bundle(model, CPU, small_disk / "b")
    assert not list(small_disk.iterdir())


@pytest.mark.parametrize("moment", ["first record", "last record"])
def test_a_kill_in_mid_write_leaves_no_half_bundle(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    write = BlobWriter.write

    def killed(blob: BlobWriter, file: object) -> None:
        if moment == "last record":
            write(blob, file)  # type: ignore[arg-type]
        os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(BlobWriter, "write", killed)
        code, _ = in_process(lambda: cached_bundle(model, M4, tmp_path))
    assert code == -signal.SIGKILL
    (left,) = [path for path in (tmp_path / "bundles").iterdir() if ".new-" in path.name]
    directory, fresh = cached_bundle(model, M4, tmp_path)
    assert fresh and intact(directory) and not left.exists()


def test_processes_that_write_one_target_all_succeed(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "b"
    profiles = (CPU, M4)

    def work(profile: dict) -> Callable[[], None]:
        def body() -> None:
            for _ in range(6):
                bundle(model, profile, target, layers_per_program=2)

        return body

    results = CONTEXT.Queue()
    processes = [
        CONTEXT.Process(target=lambda p=p: results.put(in_process(work(p)))) for p in profiles
    ]
    for process in processes:
        process.start()
    found = [results.get(timeout=200) for _ in processes]
    for process in processes:
        process.join(timeout=60)
    assert found == [(0, "")] * len(profiles)
    assert intact(target)
    assert [path.name for path in tmp_path.iterdir() if path.name != "identity"] == ["b"]
