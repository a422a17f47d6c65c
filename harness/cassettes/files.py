"""Cassettes on disk: written whole or not at all, and read only when whole."""

from __future__ import annotations

import base64
import binascii
import zlib
from pathlib import Path

from harness.cassettes.interactions import read_interactions
from harness.cassettes.lines import read_lines
from harness.cassettes.reading import MAX_BYTES, UnreadableError, read_yaml
from harness.cassettes.writing import write_cassette
from harness.disk import write_whole
from harness.errors import CassetteError, UnwritableError
from harness.git import left_by_git
from harness.records.exchange import Cassette

__all__ = ["load_cassette", "save_cassette", "shown"]

_GZIP = b"\x1f\x8b"
_GZIP_IN_BASE64 = b"H4sI"
_TOO_LARGE = f"is larger than {MAX_BYTES // 1024 // 1024} MiB"
_REMEDY = "restore it from version control, or record it again"


def save_cassette(path: Path, cassette: Cassette) -> None:
    """Write the file: whole, synced, then renamed into its place. Missing folders are made.

    Raises :class:`UnwritableError` where the disk refuses; an earlier file is then as it was.
    """
    try:
        write_whole(path, write_cassette(cassette).encode())
    except (OSError, UnicodeEncodeError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise UnwritableError(f"{shown(path)}:1: can't be written: {what}; nothing was changed") from error


def load_cassette(path: Path) -> Cassette:
    """Read a cassette of ours, or of another tool (``harness/cassettes/interactions.py`` says which), also packed.

    Raises :class:`CassetteError` with ``path:line`` where the file can't be read, or is not what was once written.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableError(1, _TOO_LARGE)
        data = path.read_bytes()
        if data.startswith(_GZIP_IN_BASE64):
            data = _decoded(data)
        if data.startswith(_GZIP):
            data = _unpacked(data)
        if (fault := left_by_git(data, shown(path))) is not None:
            raise CassetteError(str(fault))
        text = data.decode()
        return read_lines(data) or read_interactions(read_yaml(text), text)
    except OSError as error:
        raise CassetteError(f"{shown(path)}:1: can't be read: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CassetteError(f"{shown(path)}:{line}: is not UTF-8; {_REMEDY}") from error
    except UnreadableError as error:
        raise CassetteError(f"{shown(path)}:{error.line}: {error.what}; {_REMEDY}") from error


def _decoded(data: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error as error:
        raise UnreadableError(1, f"is no whole base64: {error}") from error


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise UnreadableError(1, f"is no whole gzip file: {error}") from error
    if unpacker.unconsumed_tail:
        raise UnreadableError(1, _TOO_LARGE)
    if not unpacker.eof or unpacker.unused_data:
        raise UnreadableError(1, "is no whole gzip file: it breaks off, or goes on after its end")
    return unpacked


def shown(path: Path) -> str:
    """The path as a user would type it."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)
