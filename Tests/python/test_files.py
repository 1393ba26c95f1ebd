"""Files and directories appear whole or not at all."""

import os
import stat
import threading
from pathlib import Path

import pytest

from orion.errors import OrionError, UsageError
from orion.files import check_new, check_writable, new_directory, write_file


def test_a_file_is_replaced_in_one_step_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_file(path, b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    path.chmod(0o600)
    with path.open("rb") as held:
        write_file(path, b"two")
        assert held.read() == b"one"
    assert path.read_bytes() == b"two" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["f"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"one")
    (tmp_path / "link").symlink_to("f")
    write_file(tmp_path / "link", b"two")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "f").read_bytes() == b"two"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=write_file, args=(tmp_path / "pipe", b"text"))
    writer.start()
    assert (tmp_path / "pipe").read_bytes() == b"text"
    writer.join()


def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "f").write_bytes(b"one")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OrionError, match=r"f: cannot be written: No space .*; free some space"):
        write_file(tmp_path / "f", b"two")
    assert (tmp_path / "f").read_bytes() == b"one" and os.listdir(tmp_path) == ["f"]


def test_what_cannot_be_written_is_told_before(tmp_path: Path) -> None:
    check_writable(tmp_path / "new")
    with pytest.raises(OrionError, match="directory"):
        check_writable(tmp_path)
    with pytest.raises(OrionError, match="there is no directory"):
        check_writable(tmp_path / "none" / "f")


def test_a_directory_that_fails_is_not_there(tmp_path: Path) -> None:
    target = tmp_path / "d"
    with pytest.raises(ValueError, match="no"), new_directory(target) as place:
        (place / "f").write_text("half")
        raise ValueError("no")
    assert os.listdir(tmp_path) == []
    check_new(target)
    target.mkdir()
    check_new(target)
    (target / "f").write_text("mine")
    for taken in (target, target / "f"):
        with pytest.raises(UsageError, match="is not empty"):
            check_new(taken)


def test_the_present_directory_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell that stands there would see nothing of what was written."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for target in (Path("."), tmp_path / "here", Path("..")):
        with (
            pytest.raises(OrionError, match="is the present directory or holds it"),
            new_directory(target),
        ):
            pytest.fail("something is written")
    with new_directory(Path("inside")) as place:
        (place / "f").write_text("text")
    assert (tmp_path / "here" / "inside" / "f").read_text() == "text"


def test_a_link_to_a_directory_stays(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to("far")
    with new_directory(tmp_path / "near") as place:
        (place / "f").write_text("text")
    assert (tmp_path / "near").is_symlink()
    assert (tmp_path / "far" / "f").read_text() == "text"
