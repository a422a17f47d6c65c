"""Routes aiohttp through vcrpy's own stub, handed a cassette that asks the current trial."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

import aiohttp

from harness.cassettes.failures import Failure, failure_of
from harness.cassettes.patching import Function, Patch
from harness.cassettes.routing import route
from harness.cassettes.sessions import Recording
from harness.errors import InterceptionError
from harness.records.exchange import Ending, HttpRequest, HttpResponse

__all__ = ["aiohttp_patches"]

_FAILURES = (
    (aiohttp.ConnectionTimeoutError, Failure.CONNECT_TIMEOUT),
    (asyncio.TimeoutError, Failure.READ_TIMEOUT),
    (aiohttp.ClientConnectorError, Failure.CONNECT_ERROR),
    (aiohttp.ServerDisconnectedError, Failure.REMOTE_PROTOCOL_ERROR),
    (aiohttp.ClientPayloadError, Failure.REMOTE_PROTOCOL_ERROR),
)


def aiohttp_patches(module: Any) -> list[Patch]:
    """What to put in the place of the session's method."""
    return [Patch(module.ClientSession, "_request", _handler)]


def _handler(real: Function) -> Callable[..., Any]:
    async def request(self: Any, method: str, url: Any, **options: Any) -> Any:
        session = route(lambda: f"{method} {url}")
        if session is None:
            return await real(self, method, url, **options)
        body = _read_body(self, options)
        cassette = _TrialCassette(session, body)
        stub = _stub()(cassette, real)
        try:
            return await stub(self, method, url, **options)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            found = (failure for kind, failure in _FAILURES if isinstance(error, kind))
            cassette.fail(next(found, Failure.READ_ERROR))
            raise

    return request


@cache
def _stub() -> Any:
    """vcrpy's stub, imported with the first request: it costs half a second, and pulls in every client it knows."""
    from vcr.stubs.aiohttp_stubs import vcr_request  # type: ignore[import-untyped]

    return vcr_request


class _TrialCassette:
    """The part of a vcrpy cassette that its stub asks for, for one call of a client."""

    write_protected = False

    def __init__(self, session: Any, body: bytes) -> None:
        self._session = session
        self._body = body
        self._recording: Recording | None = None
        self._response: HttpResponse | None = None

    def filter_request(self, request: Any) -> Any:
        return request

    def can_play_response_for(self, request: Any) -> bool:
        sent = HttpRequest(
            method=request.method,
            uri=request.uri,
            headers=tuple((name.lower(), str(value)) for name, value in request.headers.items()),
            body=self._body if request.body else b"",
        )
        met = self._session.meet(sent)
        if isinstance(met, Recording):
            self._recording = met
            return False
        met.finish()
        self._response = met.exchange.response
        failure = failure_of(self._response)
        if failure is not None:
            raise _error(failure, self._response)
        return True

    def play_response(self, request: Any) -> dict[str, Any]:
        response = self._response
        if response is None:
            raise InterceptionError(f"vcrpy's aiohttp stub asks for {request.uri} without having looked for it")
        headers: dict[str, list[str]] = {}
        for name, value in response.headers:
            headers.setdefault(name, []).append(value)
        return {
            "status": {"code": response.status, "message": response.reason},
            "headers": headers,
            "body": {"string": response.body},
        }

    def append(self, request: Any, response: dict[str, Any]) -> None:
        recording = self._recording or self._session.meet(HttpRequest(method=request.method, uri=request.uri))
        self._recording = None
        headers = ((name, value) for name, values in response["headers"].items() for value in values)
        recording.answer(
            HttpResponse(
                status=response["status"]["code"],
                reason=response["status"]["message"] or "",
                headers=tuple((name, value) for name, value in headers if name.lower() != "content-encoding"),
            )
        )
        recording.add(response["body"].get("string", b""))
        recording.end(Ending.COMPLETE)

    def find_requests_with_most_matches(self, request: Any) -> list[tuple[Any, ...]]:
        """Where a redirect leads: the stub asks before it plays the next response."""
        return [(request,)]

    def fail(self, failure: Failure) -> None:
        """The request under way breaks off."""
        if self._recording is not None:
            self._recording.fail(failure)


def _error(failure: Failure, response: HttpResponse) -> Exception:
    words = f"{failure} (as recorded)"
    if failure is Failure.CONNECT_TIMEOUT:
        return aiohttp.ConnectionTimeoutError(words)
    if failure.value.endswith("Timeout"):
        return aiohttp.SocketTimeoutError(words)
    if failure is Failure.CONNECT_ERROR:
        return aiohttp.ClientConnectionError(words)
    if failure is Failure.REMOTE_PROTOCOL_ERROR:
        return aiohttp.ClientPayloadError(words) if response.status else aiohttp.ServerDisconnectedError(words)
    return aiohttp.ClientOSError(words)


def _read_body(session: Any, options: Mapping[str, Any]) -> bytes:
    """The bytes that aiohttp will send."""
    if options.get("json") is not None:
        return str(getattr(session, "_json_serialize", json.dumps)(options["json"])).encode()
    data = options.get("data")
    if data is None:
        return b""
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if isinstance(data, Mapping) and all(isinstance(value, str | int | float) for value in data.values()):
        return urlencode(data).encode()
    raise InterceptionError(
        f"an aiohttp body of type {type(data).__name__} can't be recorded yet, so nothing was sent; send bytes, text, "
        "`json=` or plain form fields"
    )
