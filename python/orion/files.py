"""Files and directories that appear whole or not at all, and locks between processes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OrionError, UsageError

# Attempts to take a name that other processes take at the same time.
RENAMES_MAX = 20
# Permissions of a file that was not there.
NEW_FILE = 0o644


@contextmanager
def new_directory(target: Path) -> Iterator[Path]:
    """A temporary directory that becomes `target` at the end, in place of what was there.

    When the block fails nothing is left behind and `target` stays as it was. A link is followed.
    OrionError for the present directory or one around it: whoever stands there would stand nowhere.
    """
    target = target.resolve()
    if target in (here := Path.cwd(), *here.parents):
        raise OrionError(
            f"{target}: is the present directory or holds it, and cannot be replaced; name one"
            " inside it"
        )
    prefix = f".{target.name}.new-"
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        with explained(target):
            temporary.chmod(0o755)
            yield temporary
            for path in temporary.iterdir():
                synchronize(path)
            synchronize(temporary)
            replace_directory(temporary, target)
            synchronize(target.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_file(target: Path, content: bytes) -> None:
    """The whole content or what was there, whatever happens; a file keeps its permissions.

    What is no file, a terminal or a pipe, is written to as it is.
    """
    with explained(target):
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        place = target.resolve()
        descriptor, name = tempfile.mkstemp(prefix=f".{place.name}.new-", dir=place.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(place.stat().st_mode & 0o7777 if place.exists() else NEW_FILE)
            temporary.replace(place)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def no_utf8(place: object, error: UnicodeDecodeError) -> str:
    """Names the line, where `error` is of the whole text."""
    line = error.object.count(b"\n", 0, error.start) + 1
    return f"{place}:{line}: is no UTF-8 text: {error.reason}"


def check_writable(target: Path) -> None:
    """Before work is done whose result goes to the file `target`. OrionError names it."""
    with explained(target):
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not target.absolute().parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"there is no directory {target.parent}")
        whole = not target.exists() or target.is_file()  # replaced by a file beside it
        if not os.access(target.absolute().parent if whole else target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def check_new(target: Path) -> None:
    """Before a directory is written that must not hold anything else. UsageError names it."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target}: is not empty; name an empty or a new directory")


def replace_directory(new: Path, target: Path) -> None:
    """Two renames when something is there: a reader that holds its files open keeps them.

    Another process may put its own there in between; the last one stays.
    """
    if not target.exists() and renamed(new, target):
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent))
    try:
        for attempt in range(RENAMES_MAX):
            aside = old / str(attempt)
            with contextlib.suppress(FileNotFoundError):
                target.rename(aside)
            try:
                if renamed(new, target):
                    return
            except OSError:
                aside.rename(target)
                raise
        raise OSError(errno.EBUSY, "other processes keep writing it")
    finally:
        shutil.rmtree(old, ignore_errors=True)


def renamed(new: Path, target: Path) -> bool:
    """False when a directory with something in it is at `target`."""
    try:
        new.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def remove_leftovers(target: Path) -> None:
    """What a killed writer of `target` left. Only for whoever holds the lock of `target`."""
    for kind in ("new", "old"):
        for path in target.parent.glob(f".{target.name}.{kind}-*"):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Held by one process at a time; waits for the others."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Failures of the file system as an OrionError that names the path and a remedy."""
    try:
        yield
    except OSError as error:
        remedy = (
            "free some space or choose another directory"
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            else "choose a directory that you can write to (for the cache: ORION_CACHE)"
        )
        raise OrionError(
            f"{path}: cannot be written: {error.strerror or error}; {remedy}"
        ) from None


def synchronize(path: Path) -> None:
    """Until the file or directory is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
