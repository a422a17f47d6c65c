"""Stands for an aiohttp connection that was never opened: what was recorded arrives on it as it is read."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpVersion11, RawResponseMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from multidict import CIMultiDict, CIMultiDictProxy

from harness.cassettes.failures import NO_RESPONSE, Failure, failure_of
from harness.cassettes.sessions import Playback
from harness.records.exchange import HttpResponse

__all__ = ["ReplayedHandler"]

_CONTINUE = HttpResponse(status=100, reason="Continue")


class ReplayedHandler(ResponseHandler):
    """Takes the request and forgets it, then has the recorded response."""

    def __init__(self, loop: asyncio.AbstractEventLoop, playback: Playback, *, continues: bool) -> None:
        super().__init__(loop)
        self.transport = _Nowhere()
        self._playback = playback
        self._continues = continues
        self._limit = 0
        self.force_close()

    def set_response_params(self, *, read_bufsize: int = 2**16, **params: Any) -> None:
        """What the client expects of the response."""
        self._limit = read_bufsize

    async def read(self) -> Any:
        """The response's head, and its body on its way."""
        if self._continues:
            self._continues = False
            return _message(_CONTINUE), EMPTY_PAYLOAD
        await self._playback.wait()
        recorded = self._playback.exchange.response
        failure = failure_of(recorded)
        if recorded.status == NO_RESPONSE:
            raise _no_response(failure or Failure.READ_TIMEOUT)
        if not recorded.body and failure is None:
            await self._playback.wait_for_end()
            return _message(recorded), EMPTY_PAYLOAD
        return _message(recorded), _RecordedStream(self, self._limit, self._playback)

    def start_timeout(self) -> None:
        """Nothing to wait for."""

    def pause_reading(self) -> None:
        """Nothing comes of its own."""

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Nothing comes of its own."""


class _Nowhere(asyncio.Transport):
    """Where the request goes."""

    def write(self, data: Any) -> None:
        pass

    def writelines(self, list_of_data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


class _RecordedStream(StreamReader):
    """The recorded chunks: the next one arrives whenever a reader would wait; it breaks off as the recording did."""

    def __init__(self, handler: ReplayedHandler, limit: int, playback: Playback) -> None:
        super().__init__(handler, limit, loop=asyncio.get_running_loop())
        self._playback = playback
        self._failure = failure_of(playback.exchange.response)
        self._streamed = bool(playback.exchange.response.chunks)

    async def _wait(self, func_name: str) -> None:
        await self._feed_next()
        if self._exception is not None:
            raise self._exception

    async def wait_eof(self) -> None:
        """Until the body has arrived."""
        while not self.is_eof():
            await self._wait("wait_eof")

    async def _feed_next(self) -> None:
        piece = await self._playback.wait_for_piece()
        if piece is None and self._failure is not None:
            self.set_exception(_broken_off(self._failure))
        elif piece is None:
            self.feed_eof()
        elif self._streamed:
            self.begin_http_chunk_receiving()
            self.feed_data(piece)
            self.end_http_chunk_receiving()
        else:
            self.feed_data(piece)


def _message(response: HttpResponse) -> RawResponseMessage:
    headers = CIMultiDictProxy(CIMultiDict(response.headers))
    raw = tuple((name.encode(), value.encode(errors="surrogateescape")) for name, value in response.headers)
    return RawResponseMessage(
        HttpVersion11,
        response.status,
        response.reason,
        headers,
        raw,
        should_close=True,
        compression=None,
        upgrade=False,
        chunked=bool(response.chunks),
    )


def _no_response(failure: Failure) -> Exception:
    words = f"{failure} (as recorded)"
    if failure.value.endswith("Timeout"):
        return aiohttp.SocketTimeoutError(words)
    if failure is Failure.REMOTE_PROTOCOL_ERROR:
        return aiohttp.ServerDisconnectedError()
    return aiohttp.ClientOSError(words)


def _broken_off(failure: Failure) -> Exception:
    words = f"{failure} (as recorded)"
    if failure.value.endswith("Timeout"):
        return aiohttp.SocketTimeoutError(words)
    return aiohttp.ClientPayloadError(words)
