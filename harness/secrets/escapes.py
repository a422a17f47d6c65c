"""Text as it reads once its escapes are undone, with the way back to the bytes that it came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = ["Mapped", "Span", "has_odd_escapes", "read_escapes", "read_percents"]

Span = tuple[int, int]
"""A start and the end after it, in bytes of the text that was given."""

_ESCAPE = re.compile(rb"\\+(?:u([0-9A-Fa-f]{4})|([\"/bfnrt])|)")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_ODD = re.compile(rb"\\(?:/|u00[0-7])")
_PLAIN = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


@dataclass(frozen=True, slots=True)
class Mapped:
    """Text, and for each of its bytes where that stands."""

    text: bytes
    starts: list[int]
    ends: list[int]

    def span(self, start: int, end: int) -> Span:
        """Where a part of the text stands."""
        return self.starts[start], self.ends[end - 1]

    @classmethod
    def joined(cls, parts: Iterable[Mapped]) -> Mapped:
        """Several texts that are read as one."""
        texts: list[bytes] = []
        starts: list[int] = []
        ends: list[int] = []
        for part in parts:
            texts.append(part.text)
            starts += part.starts
            ends += part.ends
        return cls(b"".join(texts), starts, ends)


def has_odd_escapes(data: bytes) -> bool:
    r"""Whether something is escaped that need not be (``\/``, ``\u003c``), so that plain text may hide in it."""
    return b"\\" in data and _ODD.search(data) is not None


def read_escapes(data: bytes, start: int = 0, end: int | None = None) -> Mapped:
    """A part of the data with the escapes of JSON undone, at whatever depth: arguments of a tool are JSON in JSON."""
    return _read(data, start, len(data) if end is None else end, _ESCAPE, _unescaped)


def read_percents(data: bytes) -> Mapped:
    """An address, or a form, with its percent signs undone."""
    return _read(data, 0, len(data), _PERCENT, lambda match: bytes([int(match[1], 16)]))


def _unescaped(match: re.Match[bytes]) -> bytes:
    point, letter = match.groups()
    if point is not None:
        return chr(int(point, 16)).encode("utf-8", "replace")
    return _PLAIN.get(letter, letter) if letter else b"\\"


def _read(
    data: bytes, start: int, end: int, pattern: re.Pattern[bytes], say: Callable[[re.Match[bytes]], bytes]
) -> Mapped:
    texts: list[bytes] = []
    starts: list[int] = []
    ends: list[int] = []
    place = start

    def take_plain(stop: int) -> None:
        texts.append(data[place:stop])
        starts.extend(range(place, stop))
        ends.extend(range(place + 1, stop + 1))

    for match in pattern.finditer(data, start, end):
        take_plain(match.start())
        said = say(match)
        texts.append(said)
        starts.extend([match.start()] * len(said))
        ends.extend([match.end()] * len(said))
        place = match.end()
    take_plain(end)
    return Mapped(b"".join(texts), starts, ends)
