"""Content coding: bodies are kept as what they say, not as how they travelled."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.cassettes.codings import decode_pieces
from harness.records.exchange import HttpResponse

__all__ = ["decode_response", "is_over"]

_CODED = ("content-encoding", "content-length")
"""The headers that speak of the coded bytes."""
_LAST_EVENT = re.compile(
    rb"(?:\A|\n)(?:data: ?\[DONE\]|event: ?(?:message_stop|response\.(?:completed|failed|incomplete))\n[^\n]*)\n+\Z"
)
_MAX_BYTES = 128 * 1024 * 1024


def is_over(body: bytes) -> bool:
    """Whether a stream of events has brought its last one: clients close it then, and leave nothing behind."""
    return body.endswith((b"\n\n", b"\r\n\r\n")) and bool(_LAST_EVENT.search(body.replace(b"\r\n", b"\n")))


def decode_response(response: HttpResponse) -> HttpResponse:
    """The response with its content decoded, and without the header that said how it was coded.

    What can't be decoded here (another coding, broken, larger than 128 MiB) stays as it is, header included: the client
    then decodes, as it did live.
    """
    named = ",".join(value for name, value in response.headers if name == "content-encoding")
    codings = [coding.strip().lower() for coding in named.split(",") if coding.strip()]
    if not codings or not response.body:
        return response
    pieces: list[bytes] | None = list(_split(response))
    for coding in reversed(codings):  # the last one that was applied is the first to come off
        pieces = decode_pieces(pieces or [], coding, _MAX_BYTES)
        if pieces is None:
            return response
    decoded = zip(response.chunks, pieces or [], strict=False)
    return response.model_copy(
        update={
            "headers": tuple((name, value) for name, value in response.headers if name not in _CODED),
            "body": b"".join(pieces or []),
            "chunks": tuple(chunk.model_copy(update={"size": len(piece)}) for chunk, piece in decoded if piece),
        }
    )


def _split(response: HttpResponse) -> Iterable[bytes]:
    if not response.chunks:
        yield response.body
    start = 0
    for chunk in response.chunks:
        yield response.body[start : start + chunk.size]
        start += chunk.size
