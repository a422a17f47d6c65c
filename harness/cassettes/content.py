"""Content coding: bodies are kept as what they say, not as how they travelled."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.cassettes.codings import decode_pieces
from harness.records.exchange import Ending, HttpResponse

__all__ = ["decode_response", "fit_length", "is_over"]

_BODILESS = (204, 304)
_LAST_EVENT = re.compile(
    rb"(?:\A|\n)(?:data: ?\[DONE\]|event: ?(?:message_stop|response\.(?:completed|failed|incomplete))\n[^\n]*)\n+\Z"
)
_MAX_BYTES = 128 * 1024 * 1024


def is_over(body: bytes) -> bool:
    """Whether a stream of events has brought its last one: clients close it then, and leave nothing behind."""
    return body.endswith((b"\n\n", b"\r\n\r\n")) and bool(_LAST_EVENT.search(body.replace(b"\r\n", b"\n")))


def fit_length(response: HttpResponse, method: str) -> HttpResponse:
    """The response whose content-length, where it has one, is that of the body as it is kept.

    A body that the client did not read to its end has none: it would be missed in a replay. One that broke off keeps
    the length that was announced; and an answer to HEAD speaks of a body that is not there.
    """
    if method == "HEAD" or response.status in _BODILESS or response.ending not in (Ending.COMPLETE, Ending.ABANDONED):
        return response
    length = str(len(response.body)) if response.ending is Ending.COMPLETE else ""
    headers = tuple((name, length if name == "content-length" else value) for name, value in response.headers)
    kept = tuple(pair for pair in headers if pair != ("content-length", ""))
    return response if kept == response.headers else response.model_copy(update={"headers": kept})


def decode_response(response: HttpResponse) -> HttpResponse:
    """The response with its content decoded, and without the headers that spoke of the coded one.

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
    # the length of a whole body stays, to be fitted; that of one that broke off says nothing of what it is decoded
    coded = ("content-encoding",) if response.ending is Ending.COMPLETE else ("content-encoding", "content-length")
    decoded = zip(response.chunks, pieces or [], strict=False)
    return response.model_copy(
        update={
            "headers": tuple((name, value) for name, value in response.headers if name not in coded),
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
