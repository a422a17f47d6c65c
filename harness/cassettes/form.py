"""What our cassettes say beyond vcrpy's format: their count and digest, and how each response arrived."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from harness.records.exchange import Chunk, Ending, Exchange, Headers

__all__ = ["FORM", "digest_of", "group_headers", "read_chunks", "write_chunks"]

FORM = 1
"""The version of our part of the file."""

_SIZES = [size.to_bytes(8, "big") for size in range(256)]


def digest_of(exchanges: Iterable[Exchange]) -> str:
    """A digest of what was recorded, whatever the layout of the file: stock vcrpy may have written it anew."""
    state = hashlib.blake2b(digest_size=16)
    for exchange in exchanges:
        state.update(b"".join(map(_sized, _parts(exchange))))
    return state.hexdigest()


def group_headers(headers: Headers) -> dict[str, list[str]]:
    """The values of each name, as the file holds them; names in their first order."""
    grouped: dict[str, list[str]] = {}
    for name, value in headers:
        grouped.setdefault(name, []).append(value)
    return grouped


def write_chunks(chunks: Iterable[Chunk]) -> str:
    """One ``size@nanoseconds`` per chunk."""
    return " ".join(f"{chunk.size}@{chunk.at}" for chunk in chunks)


def read_chunks(text: str) -> tuple[Chunk, ...]:
    """The inverse of :func:`write_chunks`. Raises :class:`ValueError`."""
    pairs = (item.partition("@") for item in text.split())
    return tuple(Chunk(size=int(size), at=int(at)) for size, _, at in pairs)


def _sized(part: bytes) -> bytes:
    """A part after its length, so that no two lists of parts look alike."""
    size = len(part)
    return (_SIZES[size] if size < len(_SIZES) else size.to_bytes(8, "big")) + part


def _parts(exchange: Exchange) -> list[bytes]:
    request, response = exchange.request, exchange.response
    ending = "" if response.ending is Ending.COMPLETE else response.ending.value
    times = f"{exchange.started} {exchange.head} {exchange.duration} {ending} {write_chunks(response.chunks)}"
    return [
        request.method.encode(),
        request.uri.encode(),
        *_header_parts(request.headers),
        request.body,
        str(response.status).encode(),
        response.reason.encode(),
        *_header_parts(response.headers),
        response.body,
        times.encode(),
    ]


def _header_parts(headers: Headers) -> list[bytes]:
    parts = []
    for name, values in sorted(group_headers(headers).items()):
        parts += [name.encode(), *map(str.encode, values), b""]
    return parts
