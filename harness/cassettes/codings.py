"""Takes a content coding off, piece by piece, with a bound on what comes out.

Brotli and zstd by whichever library the project's HTTP clients have for them; without one no client asks for them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

__all__ = ["decode_pieces"]

_Feed = Callable[[bytes, int], bytes]
"""Takes a coded piece and the room that is left, in bytes; gives what the piece decodes to."""

_GZIP = b"\x1f\x8b"
"""What each member of a gzip body begins with."""


class _UndecodableError(Exception):
    """Not of this coding, or larger than the room."""


def decode_pieces(pieces: Iterable[bytes], coding: str, room: int) -> list[bytes] | None:
    """Each piece decoded; None where they are not of this coding, are more than ``room`` bytes, or nothing knows it."""
    given = list(pieces)
    for make in _MAKERS.get(coding, ()):
        try:
            return _decode(given, make(), room)
        except (_UndecodableError, ImportError):
            continue
    return None


def _decode(pieces: list[bytes], feed: _Feed, room: int) -> list[bytes]:
    decoded = []
    for piece in pieces:
        decoded.append(feed(piece, room))
        room -= len(decoded[-1])
        if room <= 0:
            raise _UndecodableError
    if any(pieces) and not any(decoded):  # brotli takes much for a beginning
        raise _UndecodableError
    return decoded


def _inflate(window: int) -> _Feed:
    decoder = zlib.decompressobj(window)

    def feed(piece: bytes, room: int) -> bytes:
        nonlocal decoder
        decoded = b""
        while piece:
            if decoder.eof and not (window > zlib.MAX_WBITS and piece.startswith(_GZIP)):
                break  # what follows is no part of it
            if decoder.eof:
                decoder = zlib.decompressobj(window)  # gzip may come in several members
            try:
                decoded += decoder.decompress(piece, room - len(decoded))
            except zlib.error as error:
                raise _UndecodableError from error
            if decoder.unconsumed_tail or len(decoded) >= room:
                raise _UndecodableError
            piece = decoder.unused_data
        return decoded

    return feed


def _unbrotli() -> _Feed:
    library = _first("brotli", "brotlicffi")
    decoder = library.Decompressor()
    process = getattr(decoder, "process", None) or decoder.decompress
    if not hasattr(decoder, "can_accept_more_data"):
        raise ImportError("brotli before 1.2 has no bound")

    def feed(piece: bytes, room: int) -> bytes:
        try:
            decoded: bytes = process(piece, output_buffer_limit=room)
        except library.error as error:
            raise _UndecodableError from error
        if not decoder.is_finished() and not decoder.can_accept_more_data():
            raise _UndecodableError
        return decoded

    return feed


def _unzstd() -> _Feed:
    library = _first("compression.zstd", "backports.zstd", "zstandard")
    if library.__name__ == "zstandard":
        return _by_zstandard(library)
    decoder = library.ZstdDecompressor()

    def feed(piece: bytes, room: int) -> bytes:
        nonlocal decoder
        decoded = b""
        while piece:
            if decoder.eof:
                decoder = library.ZstdDecompressor()  # several frames
            try:
                decoded += decoder.decompress(piece, room - len(decoded))
            except library.ZstdError as error:
                raise _UndecodableError from error
            if len(decoded) >= room:
                raise _UndecodableError
            piece = decoder.unused_data
        return decoded

    return feed


def _by_zstandard(library: Any) -> _Feed:
    """The library that httpx uses. It has no bound of its own, so it is fed in parts that can't grow beyond memory."""
    decoder = library.ZstdDecompressor(max_window_size=2**27).decompressobj(read_across_frames=True)
    part = 1024  # one kilobyte of zstd is 16 MiB at most: a block is 128 KiB, and takes four bytes or more

    def feed(piece: bytes, room: int) -> bytes:
        decoded = b""
        for start in range(0, len(piece), part):
            try:
                decoded += decoder.decompress(piece[start : start + part])
            except library.ZstdError as error:
                raise _UndecodableError from error
            if len(decoded) >= room:
                raise _UndecodableError
        return decoded

    return feed


def _first(*names: str) -> Any:
    """The first of these that is installed."""
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImportError(f"none of {', '.join(names)} is installed")


_MAKERS: dict[str, tuple[Callable[[], _Feed], ...]] = {
    "br": (_unbrotli,),
    "deflate": (lambda: _inflate(zlib.MAX_WBITS), lambda: _inflate(-zlib.MAX_WBITS)),  # some servers send it bare
    "gzip": (lambda: _inflate(zlib.MAX_WBITS | 16),),
    "identity": (lambda: lambda piece, _: piece,),
    "x-gzip": (lambda: _inflate(zlib.MAX_WBITS | 16),),
    "zstd": (_unzstd,),
}
"""How each coding is taken off: the first way that fits."""
