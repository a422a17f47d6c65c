"""Makes the responses of urllib3 from a recording, chunk by chunk where it was a stream."""

from __future__ import annotations

import http.client
import io
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3 import exceptions

from harness.cassettes.failures import NO_RESPONSE, Failure
from harness.cassettes.playback import Playback
from harness.records.exchange import HttpResponse

__all__ = ["Asked", "respond"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of a pool."""

    pool: Any
    conn: Any
    method: str
    url: str
    options: dict[str, Any]


def respond(playback: Playback, asked: Asked) -> Any:
    """The recorded response. Its connection, never opened, goes back to the pool as soon as anything of it is read."""
    playback.arrive()
    recorded = playback.exchange.response
    failure = playback.failure
    if recorded.status == NO_RESPONSE:
        raise _error(failure or Failure.READ_TIMEOUT, asked)
    response = _Replayed(
        body=_RecordedBody(playback),
        headers=urllib3.HTTPHeaderDict(recorded.headers),
        status=recorded.status,
        reason=recorded.reason or None,
        version=11,
        version_string="HTTP/1.1",
        preload_content=False,
        decode_content=asked.options.get("decode_content", True),
        retries=asked.options.get("retries"),
        original_response=_NothingToRead(recorded, asked.method),  # type: ignore[arg-type]
        request_method=asked.method,
        request_url=asked.url,
        pool=asked.pool,
        connection=asked.options.get("response_conn"),
    )
    # a body of known length is read as one that is, and one that broke off was never handed on in parts
    response.chunked = (
        bool(recorded.chunks)
        and "content-length" not in response.headers
        and (failure is None or "stream" in response.headers.get("content-type", "").lower())
    )
    if asked.options.get("preload_content", True):
        response.read(cache_content=True)
    return response


class _NothingToRead:
    """Stands for the http.client response of a connection that was never opened: requests finds cookies there."""

    version = 11

    def __init__(self, recorded: HttpResponse, method: str) -> None:
        self._method = method
        self.status = self.code = recorded.status
        self.reason = recorded.reason
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in recorded.headers:
            self.msg.add_header(name, value)

    def isclosed(self) -> bool:
        return True

    def close(self) -> None:
        pass


class _RecordedBody(io.RawIOBase):
    """The recorded body as a file that breaks off as the recording did."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._pieces = playback.pieces()
        self._rest = b""
        self._is_over = False

    @property
    def fp(self) -> _RecordedBody | None:
        """What a client that reads chunks looks for; None once the file is closed."""
        return None if self.closed else self

    def readable(self) -> bool:
        return True

    def next_size(self) -> int:
        """Bytes until the end of the recorded chunk; 0 at the end."""
        while not self._rest and (piece := next(self._pieces, None)) is not None:
            self._rest = piece
        if not self._rest:
            self._break_off()
        return len(self._rest)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            data, self._rest = self._rest + b"".join(self._pieces), b""
            self._break_off()
            self.close()  # as http.client does: whoever reads on until the file is closed would never end
            return data
        if not size:
            return b""
        if not self.next_size():
            self.close()
            return b""
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(size if size >= 0 else self.next_size())

    def _break_off(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        failure = self._playback.failure
        if failure is Failure.READ_TIMEOUT:
            raise TimeoutError("timed out")
        if failure is Failure.REMOTE_PROTOCOL_ERROR:
            raise http.client.IncompleteRead(b"")
        if failure is not None:
            raise ConnectionResetError("connection reset by peer (as recorded)")


class _Replayed(urllib3.HTTPResponse):
    """A response whose chunks are the recorded ones; the rest is urllib3's own."""

    _fp: Any

    def _update_chunk_length(self) -> None:
        if self.chunk_left is None:
            self.chunk_left = self._fp.next_size()

    def _handle_chunk(self, amt: int | None) -> bytes:
        size = self.chunk_left or 0
        data: bytes = self._fp.read(size if amt is None else min(amt, size))
        self.chunk_left = size - len(data) or None
        return data


def _error(failure: Failure, asked: Asked) -> Exception:
    words = f"{failure} (as recorded)"
    if failure is Failure.CONNECT_ERROR:
        return exceptions.NewConnectionError(asked.conn, words)
    if failure is Failure.CONNECT_TIMEOUT:
        return exceptions.ConnectTimeoutError(asked.conn, "Connection timed out.")
    if failure.value.endswith("Timeout"):
        return exceptions.ReadTimeoutError(asked.pool, asked.url, "Read timed out.")
    if failure is Failure.REMOTE_PROTOCOL_ERROR:
        return http.client.RemoteDisconnected(words)
    return ConnectionResetError(words)
