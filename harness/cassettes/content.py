"""Content coding: bodies are kept as what they say, not as how they travelled."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

from harness.records.exchange import HttpResponse

__all__ = ["decode_response", "is_over"]

_CODED = ("content-encoding", "content-length")
"""The headers that speak of the coded bytes."""
_LAST_EVENT = re.compile(
    rb"(?:\A|\n)(?:data: ?\[DONE\]|event: ?(?:message_stop|response\.(?:completed|failed|incomplete))\n[^\n]*)\n+\Z"
)
_MAX_BYTES = 128 * 1024 * 1024


_WINDOWS = {
    "gzip": (zlib.MAX_WBITS | 16,),
    "x-gzip": (zlib.MAX_WBITS | 16,),
    "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS),
}
"""How zlib is told of each coding; some servers send ``deflate`` without its header."""


def is_over(body: bytes) -> bool:
    """Whether a stream of events has brought its last one: clients close it then, and leave nothing behind."""
    return body.endswith((b"\n\n", b"\r\n\r\n")) and bool(_LAST_EVENT.search(body.replace(b"\r\n", b"\n")))


def decode_response(response: HttpResponse) -> HttpResponse:
    """The response with its content decoded, and without the header that said how it was coded.

    What can't be decoded here (another coding, broken, larger than 128 MiB) stays as it is, header included: the client
    then decodes, as it did live.
    """
    codings = [value.strip().lower() for name, value in response.headers if name == "content-encoding"]
    if len(codings) != 1:
        return response
    pieces = list(_split(response))
    for window in _WINDOWS.get(codings[0], ()):
        decoded = _inflate(pieces, window)
        if decoded is not None:
            break
    else:
        return response
    chunks = zip(response.chunks, decoded, strict=False)
    return response.model_copy(
        update={
            "headers": tuple((name, value) for name, value in response.headers if name not in _CODED),
            "body": b"".join(decoded),
            "chunks": tuple(chunk.model_copy(update={"size": len(piece)}) for chunk, piece in chunks if piece),
        }
    )


def _split(response: HttpResponse) -> Iterable[bytes]:
    if not response.chunks:
        yield response.body
    start = 0
    for chunk in response.chunks:
        yield response.body[start : start + chunk.size]
        start += chunk.size


def _inflate(pieces: Iterable[bytes], window: int) -> list[bytes] | None:
    """Each piece decoded; None where it is not of this coding, or too large."""
    decoder = zlib.decompressobj(window)
    room = _MAX_BYTES
    decoded = []
    for piece in pieces:
        try:
            decoded.append(decoder.decompress(piece, room))
        except zlib.error:
            return None
        room -= len(decoded[-1])
        if decoder.unconsumed_tail or room <= 0:
            return None
    return decoded
