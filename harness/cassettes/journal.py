"""Keeps each exchange of a recording as it ends, so that a process that dies loses none that had ended.

A journal is a cassette that grows, with what tells a whole entry from a torn one in comments::

    # journal 9f86d081884c7d65 {"scenario":"support/refund","case":"default","trial":1,...}
    version: 1
    interactions:
    # exchange 1327 60303ae22b998861
    - request: ...
    # end fd61a03af4f77d87 {"scenario":"support/refund",...}

Before each exchange stand its bytes and their digest; ``end`` says that the trial had ended, and what its cassette was
to say of itself. Whatever follows an entry that is not whole is left out.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness.cassettes.files import shown
from harness.cassettes.interactions import read_exchanges
from harness.cassettes.reading import UnreadableError, read_yaml
from harness.cassettes.writing import write_exchange, write_head
from harness.disk import MOVES_OPEN_FILES, Lock, locked, naming, put, stage
from harness.errors import CassetteError, UnwritableError
from harness.records.exchange import Cassette, CassetteMetadata, Ending, Exchange

__all__ = ["Journal", "Leftover", "read_journal"]

_NOTE = re.compile(rb"# (journal|end) ([0-9a-f]{16}) (.*)\n")
_ENTRY = re.compile(rb"# exchange ([1-9][0-9]{0,9}) ([0-9a-f]{16})\n")
_HEAD = write_head().encode()
_ERROR = 400


class Journal:
    """The journal of one trial. One process has it at a time."""

    def __init__(self, path: Path, metadata: CassetteMetadata | None = None) -> None:
        """``metadata``: what there is to say of the cassette before it is whole; None where it will have none."""
        self.path = path
        self.failure: str | None = None
        """Why an exchange that had ended could not be kept."""
        self._metadata = metadata
        self._lock: Lock | None = None
        self._size = 0
        self._count = 0

    def begin(self, exchanges: Iterable[Exchange] = ()) -> None:
        """Begin with these exchanges, in place of what an earlier process left.

        Raises :class:`CassetteError` where another process is recording the trial, and :class:`UnwritableError`.
        """
        entries = list(map(_entry, exchanges))
        data = b"".join([_note("journal", self._metadata), _HEAD, *entries])
        try:
            with naming(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self.path.parent, shared=True), Lock(self.path, create=True) as lock:
                if not lock.held:
                    raise CassetteError(
                        f"{shown(self.path)}:1: another process is recording this trial; wait until it has ended"
                    )
                if not MOVES_OPEN_FILES:
                    lock.release()
                self._put(data)
        except OSError as error:
            raise UnwritableError(
                f"{shown(self.path)}:1: the journal can't be written: {error.strerror}; nothing is recorded"
            ) from error
        self._size, self._count = len(data), len(entries)

    def _put(self, data: bytes) -> None:
        try:
            staged = stage(self.path, data)
            if MOVES_OPEN_FILES:
                self._lock = Lock(staged)
            put(staged, self.path)
            self._lock = self._lock or Lock(self.path)
        except OSError:
            self.release()
            if not self.path.stat().st_size:
                self.path.unlink()  # it was made for its lock alone
            raise

    def add(self, exchange: Exchange) -> None:
        """Keep an exchange that has ended. Where the disk refuses, ``failure`` says why: the answer was paid for."""
        self._append(_entry(exchange))
        self._count += 1

    def end(self, cassette: Cassette) -> None:
        """The trial has ended, and this is to become of it: where all of it stands here, it can be made from here."""
        if self._count == len(cassette.exchanges) and self.failure is None and self._claim():
            self._append(_note("end", cassette.metadata))

    def drop(self) -> None:
        """Remove the journal: its cassette is written. One that another process has begun since is its own."""
        if self.path.is_file() and self._claim():
            if not MOVES_OPEN_FILES:
                self.release()
            self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Leave it to others, as it is."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _claim(self) -> bool:
        if self._lock is None:
            lock = Lock(self.path)
            if not lock.held:
                lock.release()
                return False
            self._lock = lock
        return True

    def _append(self, data: bytes) -> None:
        handle = self._lock.handle if self._lock else None
        if handle is None:
            return
        try:
            os.lseek(handle, self._size, os.SEEK_SET)
            written = 0
            while written < len(data):
                written += os.write(handle, data[written:])
            self._size += len(data)
        except OSError as error:
            self.failure = self.failure or f"{shown(self.path)}: {error.strerror}"
            os.ftruncate(handle, self._size)  # or what comes next would stand behind a torn entry


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a recording that was interrupted left."""

    path: Path
    metadata: CassetteMetadata | None
    exchanges: tuple[Exchange, ...]
    """Those that had ended, in that order."""
    ended: bool
    """Whether the whole trial had ended, so that only its cassette is missing."""

    @property
    def usable(self) -> tuple[Exchange, ...]:
        """The exchanges that may answer the trial when it is recorded again, in the order in which they began.

        Not those that the interruption itself, or a provider that could not be used, may have ended.
        """
        kept = [each for each in self.exchanges if self.ended or each.response.status]
        while kept and not self.ended and _failed(kept[-1]):
            kept.pop()
        return tuple(sorted(kept, key=lambda each: each.started))


def read_journal(path: Path) -> Leftover | None:
    """What a journal holds; None where another process is writing it now.

    Raises :class:`CassetteError` where the file is no journal.
    """
    try:
        with locked(path, wait=False) as alone:
            if not alone:
                return None
            data = path.read_bytes()
    except OSError as error:
        raise CassetteError(f"{shown(path)}:1: can't be read: {error.strerror}; check the path") from error
    if not data:
        return Leftover(path, None, (), ended=False)  # it died before it had begun
    try:
        head = _NOTE.match(data)
        if head is None or _digest(head[3]) != head[2].decode() or not data.startswith(_HEAD, head.end()):
            raise UnreadableError(1, "is no journal of this version")
        bodies, end = _read_entries(data, head.end() + len(_HEAD))
        exchanges = read_exchanges(read_yaml(b"".join([_HEAD, *bodies]).decode())) if bodies else ()
        return Leftover(path, _read_metadata((end or head)[3]), exchanges, ended=end is not None)
    except (UnreadableError, UnicodeDecodeError, ValidationError) as error:
        what = error.what if isinstance(error, UnreadableError) else "is no journal of this version"
        raise CassetteError(f"{shown(path)}:1: {what}; delete it to record anew") from error


def _read_entries(data: bytes, start: int) -> tuple[list[bytes], re.Match[bytes] | None]:
    """The exchanges up to the first that is not whole, and what stands at the end where the trial had one."""
    bodies: list[bytes] = []
    while (entry := _ENTRY.match(data, start)) is not None:
        start = entry.end() + int(entry[1])
        body = data[entry.end() : start]
        if len(body) != int(entry[1]) or _digest(body) != entry[2].decode():
            return bodies, None
        bodies.append(body)
    end = _NOTE.match(data, start)
    return bodies, end if end and end[1] == b"end" and _digest(end[3]) == end[2].decode() else None


def _entry(exchange: Exchange) -> bytes:
    body = write_exchange(exchange).encode()
    return f"# exchange {len(body)} {_digest(body)}\n".encode() + body


def _note(kind: str, metadata: CassetteMetadata | None) -> bytes:
    body = b"{}" if metadata is None else metadata.model_dump_json(exclude_none=True).encode()
    return f"# {kind} {_digest(body)} ".encode() + body + b"\n"


def _read_metadata(data: bytes) -> CassetteMetadata | None:
    return None if data == b"{}" else CassetteMetadata.model_validate_json(data)


def _failed(exchange: Exchange) -> bool:
    return exchange.response.status >= _ERROR or exchange.response.ending is not Ending.COMPLETE


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
