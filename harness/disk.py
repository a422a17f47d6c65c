"""Files that are whole or not there at all, and locks that end with their process.

Recordings (floor 2) and results (floor 5) are written the same way, so the way lies below both.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = [
    "MOVES_OPEN_FILES",
    "Lock",
    "is_staged",
    "locked",
    "naming",
    "put",
    "stage",
    "sweep",
    "sync_folder",
    "write_whole",
]

MOVES_OPEN_FILES = sys.platform != "win32"
"""Whether a file that is open can be renamed, replaced or removed. Where it can't, we have no locks either."""
_BINARY = getattr(os, "O_BINARY", 0)
"""Windows would write another line end for each of ours."""
_STAGED = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp")
_HELD = (errno.EWOULDBLOCK, errno.EACCES)


def stage(file: Path, data: bytes) -> Path:
    """Write what is to become a file beside its place, synced; the staged file. Missing folders are made.

    Raises :class:`OSError` with the name of the file itself; nothing is left then.
    """
    staged = None
    with naming(file):
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                dir=file.parent, prefix=f".{file.name[:200]}.", suffix=".tmp", delete=False
            ) as stream:
                staged = Path(stream.name)
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            staged.chmod(0o644)
        except BaseException:
            if staged is not None:
                staged.unlink(missing_ok=True)
            raise
    return staged


def write_whole(file: Path, data: bytes) -> None:
    """Write a file: a reader, also one after a crash, finds the old content or the new, never a part.

    Raises :class:`OSError` with the name of the file; an earlier one is then as it was.
    """
    with naming(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    with locked(file.parent, shared=True):
        put(stage(file, data), file)


def put(staged: Path, file: Path) -> None:
    """Move a staged file into its place, synced. Raises :class:`OSError` with the name of the file; nothing is left."""
    try:
        with naming(file):
            staged.replace(file)
            sync_folder(file.parent)
    finally:
        staged.unlink(missing_ok=True)


def is_staged(file: Path) -> bool:
    """Whether a file is one that :func:`stage` made."""
    return _STAGED.fullmatch(file.name) is not None


def sweep(folder: Path) -> None:
    """Remove what processes that died had staged in a folder; nothing where another one is writing there now."""
    left = [file for file in folder.glob(".*.tmp") if is_staged(file)]
    if left:
        with locked(folder, wait=False) as alone:
            for file in left if alone else ():
                file.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make what was renamed or removed in a folder last, as far as the system lets us."""
    if sys.platform == "win32":
        return  # there a folder can't be opened
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems know no such thing
            raise
    finally:
        os.close(handle)


@contextmanager
def locked(place: Path, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold the lock on a file or folder that exists; whether it was got, which ``wait=False`` leaves open.

    The system takes the lock back when its process ends, however it ends. Where it has no locks, everybody gets one.
    """
    if sys.platform == "win32" or not place.exists():
        yield True
        return
    handle = os.open(place, os.O_RDONLY)
    try:
        yield _lock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    finally:
        os.close(handle)


class Lock:
    """A file open for writing, locked until it is released: also while it is renamed, or replaced by another."""

    def __init__(self, file: Path, *, create: bool = False) -> None:
        """``held`` says whether it was got. Raises :class:`OSError` where the file can't be written."""
        self.held = False
        """Whether no other process has it."""
        self.handle: int | None = None
        """The open file, until it is released."""
        while True:
            self.handle = os.open(file, os.O_RDWR | _BINARY | (os.O_CREAT if create else 0), 0o644)
            self.held = sys.platform == "win32" or _lock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self.held or _is_at(self.handle, file):
                return
            self.release()  # it was replaced or removed between the two

    def release(self) -> None:
        """Leave it to others, if that has not been done."""
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _is_at(handle: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except FileNotFoundError:
        return False


def _lock(handle: int, operation: int) -> bool:
    if sys.platform != "win32":
        try:
            fcntl.flock(handle, operation)
        except OSError as error:
            return error.errno not in _HELD
    return True


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Speak of the file that a user knows, not of the one that it is made from."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error
