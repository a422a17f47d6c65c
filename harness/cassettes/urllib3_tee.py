"""Notes what a response of urllib3 brings, as it is read and without holding it up."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import urllib3
from urllib3 import exceptions
from urllib3.util.response import is_fp_closed

from harness.cassettes.failures import Failure
from harness.cassettes.sessions import Recording
from harness.records.exchange import Ending, HttpResponse

__all__ = ["note_errors", "noted"]

_PIECE = 65_536
_FAILURES = (
    (exceptions.NewConnectionError, Failure.CONNECT_ERROR),
    (exceptions.NameResolutionError, Failure.CONNECT_ERROR),
    (exceptions.ProxyError, Failure.CONNECT_ERROR),
    (exceptions.ConnectTimeoutError, Failure.CONNECT_TIMEOUT),
    (exceptions.ReadTimeoutError, Failure.READ_TIMEOUT),
    (TimeoutError, Failure.READ_TIMEOUT),
    (http.client.HTTPException, Failure.REMOTE_PROTOCOL_ERROR),
    (exceptions.ProtocolError, Failure.REMOTE_PROTOCOL_ERROR),
)


@contextmanager
def note_errors(recording: Recording) -> Iterator[None]:
    """Record how a request or its response breaks off, while the error goes its way."""
    try:
        yield
    except (exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        recording.add(getattr(error, "partial", b"") if isinstance(error, http.client.IncompleteRead) else b"")
        found = (failure for kind, failure in _FAILURES if isinstance(error, kind))
        recording.fail(next(found, Failure.READ_ERROR))
        raise


def noted(response: Any, recording: Recording) -> Any:
    """The same response, of a kind that notes what is read of it."""
    headers = tuple(response.headers.items())
    recording.answer(HttpResponse(status=response.status, reason=response.reason or "", headers=headers))
    if isinstance(response, urllib3.HTTPResponse):
        response.__class__ = _noted_kind(type(response))
        response.recording = recording  # type: ignore[attr-defined]
    else:  # HTTP/2, which urllib3 itself reads whole
        recording.add(response.data)
        recording.end()
    return response


@cache
def _noted_kind(kind: type[urllib3.HTTPResponse]) -> type[urllib3.HTTPResponse]:
    return type(kind.__name__, (_Noted, kind), {"__module__": kind.__module__})


class _Noted:
    """Stands before the class of a response, at the three methods through which bytes come from the connection."""

    recording: Recording
    _in_read = False

    def _fp_read(self: Any, amt: int | None = None, *, read1: bool = False) -> bytes:
        data: bytes = self._fp_read_some(amt) if read1 else self._fp_read_all(amt)
        left = self.length_remaining
        if (amt is None and not read1) or (not data and amt != 0) or left == len(data) or is_fp_closed(self._fp):
            if left in (None, len(data)):
                self.recording.end()
            else:
                self.recording.fail(Failure.REMOTE_PROTOCOL_ERROR)
        return data

    def _fp_read_some(self: Any, amt: int | None, *, read1: bool = True) -> bytes:
        with note_errors(self.recording):
            data: bytes = super()._fp_read(amt, read1=read1)  # type: ignore[misc]
        self.recording.add(data)
        return data

    def _fp_read_all(self: Any, amt: int | None) -> bytes:
        """Read as much as is asked for, in the pieces in which it arrives: each has its own time.

        Not where the connection's end is the body's: a replay would take the pieces for chunks.
        """
        pieces, left = [], amt
        if self.chunked or self.length_remaining is not None:
            while left != 0 and (piece := self._fp_read_some(_PIECE if left is None else left)):
                pieces.append(piece)
                left = None if left is None else left - len(piece)
            missing = 0 if self.chunked else self.length_remaining - sum(map(len, pieces))
            if amt is None and missing:
                self.recording.fail(Failure.REMOTE_PROTOCOL_ERROR)
                raise http.client.IncompleteRead(b"".join(pieces), missing)  # as http.client would have
        if left != 0 or not self.chunked:  # http.client closes here
            pieces.append(self._fp_read_some(left, read1=False))
        return b"".join(pieces)

    def _update_chunk_length(self: Any) -> None:
        self._in_read = True
        with note_errors(self.recording):
            super()._update_chunk_length()  # type: ignore[misc]
        self._in_read = False
        if self.chunk_left == 0:
            self.recording.end()

    def _handle_chunk(self: Any, amt: int | None) -> bytes:
        with note_errors(self.recording):
            data: bytes = super()._handle_chunk(amt)  # type: ignore[misc]
        self.recording.add(data)
        return data

    def close(self: Any) -> None:
        try:
            super().close()  # type: ignore[misc]
        finally:
            if not self._in_read:  # else it is broken, as the error will tell
                self.recording.end(Ending.ABANDONED)
