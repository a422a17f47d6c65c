"""Routes httpx and httpx2, which are one code under two names: real streams pass through while they are recorded."""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from harness.cassettes.failures import NO_RESPONSE, Failure, Limits, read_limits
from harness.cassettes.patching import Function, Patch
from harness.cassettes.playback import Playback
from harness.cassettes.pools import in_this_loop
from harness.cassettes.routing import Answering, meet, route
from harness.cassettes.sessions import Recording
from harness.records.exchange import Ending, HttpRequest, HttpResponse

__all__ = ["MET", "httpx_patches"]

MET = "harness_met"
"""The extension of a request that is called with what the request meets, before anything is sent."""
_WORDS = {
    Failure.REMOTE_PROTOCOL_ERROR: "peer closed connection without sending complete message body (as recorded)",
    Failure.READ_TIMEOUT: "timed out",
}
_PORTS = {"http": 80, "https": 443}
_LIMITS = {
    "connect": Failure.CONNECT_TIMEOUT,
    "pool": Failure.POOL_TIMEOUT,
    "read": Failure.READ_TIMEOUT,
    "write": Failure.WRITE_TIMEOUT,
}


def httpx_patches(module: Any) -> list[Patch]:
    """What to put in the place of the module's two transports' methods."""
    streams = _make_streams(module)
    return [
        Patch(module.HTTPTransport, "handle_request", functools.partial(_sync_handler, module, *streams)),
        Patch(module.AsyncHTTPTransport, "handle_async_request", functools.partial(_async_handler, module, *streams)),
    ]


def _sync_handler(module: Any, tee: Any, replay: Any, real: Function) -> Callable[..., Any]:
    def handle_request(self: Any, request: Any) -> Any:
        session = route(lambda: _describe(request))
        if session is None:
            return real(self, request)
        request.read()
        met = _meet(session, request)
        if isinstance(met, Playback):
            met.arrive()
            return _respond(module, replay, met, request)
        with _noting(module, met):
            response = real(self, request)
        return _teed(module, response, tee, met)

    return handle_request


def _async_handler(module: Any, tee: Any, replay: Any, real: Function) -> Callable[..., Any]:
    async def handle_async_request(self: Any, request: Any) -> Any:
        session = route(lambda: _describe(request))
        if session is None:
            return await real(self, request)
        await request.aread()
        met = _meet(session, request)
        if isinstance(met, Playback):
            await met.wait()
            return _respond(module, replay, met, request)
        with _noting(module, met):
            response = await real(in_this_loop(self), request)
        return _teed(module, response, tee, met)

    return handle_async_request


def _meet(session: Answering, request: Any) -> Playback | Recording:
    met = meet(session, _sent(request), _limits(request))
    if MET in request.extensions:
        request.extensions[MET](met)
    return met


def _describe(request: Any) -> str:
    return f"{request.method} {request.url}"


def _sent(request: Any) -> HttpRequest:
    headers = tuple((name.lower(), value) for name, value in request.headers.multi_items())
    return HttpRequest(method=request.method, uri=str(request.url), headers=headers, body=request.content)


def _limits(request: Any) -> Limits:
    seconds = request.extensions.get("timeout", {})
    return read_limits({failure: seconds.get(name) for name, failure in _LIMITS.items()})


def _respond(module: Any, replay: Any, playback: Playback, request: Any) -> Any:
    recorded = playback.exchange.response
    if recorded.status == NO_RESPONSE:
        raise _error(module, playback.failure or Failure.READ_TIMEOUT, request)
    return module.Response(
        recorded.status,
        headers=[(name.encode(), value.encode()) for name, value in recorded.headers],
        stream=replay(module, playback, request),
        extensions={
            "http_version": b"HTTP/1.1",
            "reason_phrase": recorded.reason.encode("ascii", "replace"),
            "network_stream": _NoConnection(request.url),
        },
    )


def _teed(module: Any, response: Any, tee: Any, recording: Recording) -> Any:
    recording.answer(
        HttpResponse(
            status=response.status_code, reason=response.reason_phrase, headers=tuple(response.headers.multi_items())
        )
    )
    response.stream = tee(module, response.stream, recording)
    return response


def _error(module: Any, failure: Failure, request: Any) -> Exception:
    error: Exception = getattr(module, failure)(_WORDS.get(failure, f"{failure} (as recorded)"), request=request)
    return error


@contextmanager
def _noting(module: Any, recording: Recording) -> Iterator[None]:
    """Record how a request or its response breaks off, while the error goes its way."""
    try:
        yield
    except module.TransportError as error:
        name = type(error).__name__
        recording.fail(Failure(name) if name in set(Failure) else Failure.READ_ERROR)
        raise


def _make_streams(module: Any) -> list[type]:
    """The two stream classes as of the module's own kind, which it demands."""
    bases = (module.SyncByteStream, module.AsyncByteStream)
    return [type(kind.__name__, (kind, *bases), {}) for kind in (_TeeStream, _ReplayStream)]


class _NoConnection:
    """Stands for the network stream of a connection that was never opened."""

    def __init__(self, url: Any) -> None:
        self._url = url

    def get_extra_info(self, info: str) -> Any:
        """What httpcore would say of the connection; nothing was recorded of it."""
        if info == "server_addr":
            return self._url.host, self._url.port or _PORTS.get(self._url.scheme)
        if info == "client_addr":
            return "0.0.0.0", 0  # noqa: S104 - nothing listens there: it is how no address is written
        if info == "ssl_object" and self._url.scheme == "https":  # one that has exchanged nothing
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            return context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=self._url.host)
        return False if info == "is_readable" else None


class _TeeStream:
    """Hands on what arrives, at once, and notes it. A second reading goes on where the first stopped."""

    def __init__(self, module: Any, inner: Any, recording: Recording) -> None:
        self._module = module
        self._inner = inner
        self._recording = recording
        self._source: Any = None

    def __iter__(self) -> Iterator[bytes]:
        self._source = self._source or iter(self._inner)
        with _noting(self._module, self._recording):
            for piece in self._source:
                self._recording.add(piece)
                yield piece
            self._recording.end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._source = self._source or aiter(self._inner)
        with _noting(self._module, self._recording):
            async for piece in self._source:
                self._recording.add(piece)
                yield piece
            self._recording.end()

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            self._recording.end(Ending.ABANDONED)

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            self._recording.end(Ending.ABANDONED)


class _ReplayStream:
    """The recorded chunks, once: the openai SDK reads on after the last event, and must not start over."""

    def __init__(self, module: Any, playback: Playback, request: Any) -> None:
        self._module = module
        self._playback = playback
        self._request = request
        self._is_over = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._playback.pieces()
        self._break_off()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._playback.wait_for_piece()
        if piece is None:
            self._break_off()
            raise StopAsyncIteration
        return piece

    def _break_off(self) -> None:
        failure = self._playback.failure
        if failure is not None and not self._is_over:
            self._is_over = True
            raise _error(self._module, failure, self._request)
