"""Stands for an aiohttp connection that was never opened: what was recorded arrives on it as it is read."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpVersion11, RawResponseMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from multidict import CIMultiDict, CIMultiDictProxy

from harness.cassettes.failures import NO_RESPONSE, Failure
from harness.cassettes.playback import Playback
from harness.records.exchange import HttpResponse

__all__ = ["ReplayedHandler"]

_CONTINUE = HttpResponse(status=100, reason="Continue")


class ReplayedHandler(ResponseHandler):
    """Takes the request and forgets it, then has the recorded response."""

    def __init__(self, playback: Playback, server: tuple[str | None, int | None], *, continues: bool) -> None:
        super().__init__(asyncio.get_running_loop())
        self.transport = _Nowhere({"peername": server})
        self._playback = playback
        self._continues = continues
        self._reading: dict[str, Any] = {}
        self.force_close()

    def set_response_params(self, *, read_bufsize: int = 2**16, timer: Any = None, **params: Any) -> None:
        """What the client expects of the response."""
        self._reading = {"limit": read_bufsize, "timer": timer}

    async def read(self) -> Any:
        """The response's head, and its body on its way."""
        if self._continues:
            self._continues = False
            return _message(_CONTINUE), EMPTY_PAYLOAD
        await self._playback.wait()
        recorded = self._playback.exchange.response
        failure = self._playback.failure
        if recorded.status == NO_RESPONSE:
            raise _no_response(failure or Failure.READ_TIMEOUT)
        if not recorded.body and failure is None:
            await self._playback.wait_for_end()
            return _message(recorded), EMPTY_PAYLOAD
        return _message(recorded), _RecordedStream(self, self._playback, **self._reading)

    def given_back(self) -> None:
        """The client has done with this connection: read all, or left, or come to its limit for the whole."""
        if isinstance(sys.exception(), TimeoutError):
            self._playback.give_up()

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

    def __init__(self, handler: ReplayedHandler, playback: Playback, **reading: Any) -> None:
        super().__init__(handler, loop=asyncio.get_running_loop(), **reading)
        self._playback = playback
        self._streamed = bool(playback.exchange.response.chunks)

    async def _wait(self, func_name: str) -> None:
        with self._timer:
            await self._feed_next()
        if self._exception is not None:
            raise self._exception

    async def wait_eof(self) -> None:
        """Until the body has arrived."""
        while not self.is_eof():
            await self._wait("wait_eof")

    async def _feed_next(self) -> None:
        piece = await self._playback.wait_for_piece()
        if piece is None:
            failure = self._playback.failure
            if failure is None:
                self.feed_eof()
            else:
                self.set_exception(_broken_off(failure))
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
        return aiohttp.SocketTimeoutError("Timeout on reading data from socket")
    if failure is Failure.REMOTE_PROTOCOL_ERROR:
        return aiohttp.ServerDisconnectedError()
    return aiohttp.ClientOSError(words)


def _broken_off(failure: Failure) -> Exception:
    words = f"{failure} (as recorded)"
    if failure.value.endswith("Timeout"):
        return aiohttp.SocketTimeoutError("Timeout on reading data from socket")
    return aiohttp.ClientPayloadError(words)
