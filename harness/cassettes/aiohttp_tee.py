"""Notes what an aiohttp connection receives, as it arrives and without holding it up."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from harness.cassettes.failures import Failure
from harness.cassettes.sessions import Recording
from harness.records.exchange import Ending, HttpResponse

__all__ = ["NotedHandler", "note_errors"]


@contextmanager
def note_errors(recording: Recording, *, connecting: bool = False) -> Iterator[None]:
    """Record how a request or its response breaks off, while the error goes its way."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:  # among them TimeoutError
        recording.fail(_failure(error, connecting=connecting))
        raise


def _failure(error: BaseException, *, connecting: bool = False) -> Failure:
    if isinstance(error, TimeoutError):
        connecting = connecting or isinstance(error, aiohttp.ConnectionTimeoutError)
        return Failure.CONNECT_TIMEOUT if connecting else Failure.READ_TIMEOUT
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failure.CONNECT_ERROR
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return Failure.REMOTE_PROTOCOL_ERROR
    return Failure.READ_ERROR


class NotedHandler(ResponseHandler):
    """A connection's own handler, for as long as one exchange of a trial has it."""

    recording: Recording
    decodes: bool
    reset: bool

    @classmethod
    def watch(cls, connection: Any, recording: Recording) -> None:
        """Note what arrives on this connection until it is given back."""
        handler = connection.protocol
        plain = type(handler)
        handler.__class__ = cls
        handler.recording, handler.decodes, handler.reset = recording, True, False

        def given_back() -> None:
            error = sys.exc_info()[1]
            if isinstance(error, TimeoutError) and not recording.answered:
                recording.fail(Failure.READ_TIMEOUT)  # of the whole request: the handler does not hear of it
            recording.end(Ending.ABANDONED)
            handler.__class__ = plain

        connection.add_callback(given_back)

    def set_response_params(self, **params: Any) -> None:
        """What the client expects of the response."""
        self.decodes = params.get("auto_decompress", True)
        super().set_response_params(**params)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """A response's head has arrived, and maybe some of its body, or all of it."""
        message, payload = data
        if message.code >= 200 or message.code == 101:
            coded = "content-encoding" if self.decodes and message.compression else ""
            pairs = ((name.lower(), value) for name, value in message.headers.items())
            headers = tuple(pair for pair in pairs if pair[0] != coded)
            self.recording.answer(HttpResponse(status=message.code, reason=message.reason, headers=headers))
            _note_body(payload, self)
        super().feed_data(data, size)

    def set_exception(self, exc: Any, *args: Any) -> None:
        """No response, or no more of it, will come."""
        if not self.recording.answered:
            self.recording.fail(_failure(exc))
        super().set_exception(exc, *args)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The peer has closed, or the connection broke."""
        self.reset = isinstance(exc, OSError)
        super().connection_lost(exc)


def _note_body(payload: Any, handler: NotedHandler) -> None:
    recording = handler.recording
    if payload is EMPTY_PAYLOAD:
        recording.end()
        return
    for piece in payload._buffer:  # noqa: SLF001 - it came together with the head
        recording.add(piece)
    if payload.exception() is not None:
        recording.fail(_failure(payload.exception()))
    elif payload.is_eof():
        recording.end()
    else:
        payload._timer = _NotedTimer(payload._timer, handler)  # noqa: SLF001
        payload.__class__ = _NotedReader


class _NotedTimer:
    """The reader's own timer, of the whole request; it is also where the reader, which has no room, finds us."""

    def __init__(self, inner: Any, handler: NotedHandler) -> None:
        self.recording = handler.recording
        self.handler = handler
        self._inner = inner

    def assert_timeout(self) -> None:
        with note_errors(self.recording):
            self._inner.assert_timeout()

    def __enter__(self) -> Any:
        return self._inner.__enter__()

    def __exit__(self, *error: Any) -> Any:
        with note_errors(self.recording):
            return self._inner.__exit__(*error)


class _NotedReader(StreamReader):
    """A body that is on its way: each piece is noted as the parser hands it over."""

    __slots__ = ()
    _timer: Any

    def feed_data(self, data: bytes, size: int = 0) -> bool:
        self._timer.recording.add(bytes(data))
        return super().feed_data(data, size)

    def feed_eof(self) -> None:
        self._timer.recording.end()
        super().feed_eof()

    def set_exception(self, exc: Any, *args: Any) -> None:
        if type(exc) is aiohttp.ClientConnectionError:  # the client's own word that it has closed
            self._timer.recording.end(Ending.ABANDONED)
        self._timer.recording.fail(Failure.READ_ERROR if self._timer.handler.reset else _failure(exc))
        super().set_exception(exc, *args)
