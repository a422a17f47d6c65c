"""Routes urllib3, and with it requests and botocore, at the one method that every request of a pool goes through."""

from __future__ import annotations

import http.client
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any

import urllib3
from urllib3 import exceptions

from harness.cassettes.failures import NO_RESPONSE, Failure, failure_of
from harness.cassettes.patching import Function, Patch
from harness.cassettes.routing import forwarding, route
from harness.cassettes.sessions import Playback, Recording, ReplaySession
from harness.records.exchange import HttpRequest, HttpResponse

__all__ = ["urllib3_patches"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_FAILURES = (
    (exceptions.NewConnectionError, Failure.CONNECT_ERROR),
    (exceptions.ConnectTimeoutError, Failure.CONNECT_TIMEOUT),
    (exceptions.ReadTimeoutError, Failure.READ_TIMEOUT),
    (http.client.IncompleteRead, Failure.REMOTE_PROTOCOL_ERROR),
    (http.client.HTTPException, Failure.REMOTE_PROTOCOL_ERROR),
    (http.client.RemoteDisconnected, Failure.REMOTE_PROTOCOL_ERROR),
    (exceptions.ProtocolError, Failure.REMOTE_PROTOCOL_ERROR),
)


def urllib3_patches(module: Any) -> list[Patch]:
    """What to put in the place of the pools' methods."""
    return [
        Patch(module.HTTPConnectionPool, "_make_request", _request_handler),
        Patch(module.HTTPSConnectionPool, "_prepare_proxy", _proxy_handler),
    ]


def _request_handler(real: Function) -> Callable[..., Any]:
    def make_request(pool: Any, conn: Any, method: str, url: str, **options: Any) -> Any:
        uri = url if "://" in url else f"{_origin(pool)}{url}"
        session = route(lambda: f"{method} {uri}")
        if session is None:
            return real(pool, conn, method, url, **options)
        body = _read_body(options.get("body"))
        headers = options.get("headers") or pool.headers
        pairs = tuple((str(name).lower(), _text(value)) for name, value in headers.items())
        request = HttpRequest(method=method, uri=uri, headers=pairs, body=body)
        asked = _Asked(pool, conn, method, url, options | {"body": body or None})
        met = session.meet(request)
        if isinstance(met, Playback):
            return _respond(met, asked)
        with _noting(met):
            return _pass_through(real, met, asked)

    return make_request


def _proxy_handler(real: Function) -> Callable[..., Any]:
    def prepare_proxy(pool: Any, conn: Any) -> Any:
        session = route(lambda: f"CONNECT {_origin(pool)}")
        if isinstance(session, ReplaySession):
            return None
        with forwarding():
            return real(pool, conn)

    return prepare_proxy


@dataclass(frozen=True, slots=True)
class _Asked:
    """One call of a pool, and how its response is to be made."""

    pool: Any
    conn: Any
    method: str
    url: str
    options: dict[str, Any]

    def make_response(self, status: int, reason: str, headers: Any, body: Any, original: Any) -> Any:
        """A response for the client. Its connection goes back to the pool as soon as anything of it is read."""
        return urllib3.HTTPResponse(
            body=body,
            headers=headers,
            status=status,
            reason=reason or None,
            version=11,
            preload_content=self.options.get("preload_content", True),
            decode_content=self.options.get("decode_content", True),
            retries=self.options.get("retries"),
            original_response=original,
            request_method=self.method,
            request_url=self.url,
            pool=self.pool,
            connection=self.options.get("response_conn"),
        )


def _respond(playback: Playback, asked: _Asked) -> Any:
    recorded = playback.exchange.response
    failure = failure_of(recorded)
    if recorded.status == NO_RESPONSE:
        playback.finish()
        raise _error(failure or Failure.READ_TIMEOUT, asked)
    headers, body = urllib3.HTTPHeaderDict(recorded.headers), _RecordedBody(playback, failure)
    return asked.make_response(recorded.status, recorded.reason, headers, body, _NothingToRead())


def _pass_through(real: Function, recording: Recording, asked: _Asked) -> Any:
    """Send the request for real. The reply is read whole before it is handed on."""
    options = asked.options | {"preload_content": False, "response_conn": None}
    with forwarding():
        response = real(asked.pool, asked.conn, asked.method, asked.url, **options)
        reason = response.reason or ""
        recording.answer(HttpResponse(status=response.status, reason=reason, headers=tuple(response.headers.items())))
        data = response.read(decode_content=False)
    recording.add(data)
    recording.end()
    original = getattr(response, "_original_response", None)  # requests takes its cookies from there
    return asked.make_response(response.status, reason, response.headers, io.BytesIO(data), original)


class _NothingToRead:
    """Stands for the http.client response of a connection that was never opened."""

    msg = Message()

    def isclosed(self) -> bool:
        return True

    def close(self) -> None:
        pass


class _RecordedBody(io.RawIOBase):
    """The recorded body as a file that breaks off as the recording did."""

    def __init__(self, playback: Playback, failure: Failure | None) -> None:
        self._pieces = playback.pieces()
        self._rest = b""
        self._failure = failure

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            data, self._rest = self._rest + b"".join(self._pieces), b""
            self._break_off()
            return data
        while not self._rest and (piece := next(self._pieces, None)) is not None:
            self._rest = piece
        if not self._rest and size:
            self._break_off()
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(size)

    def _break_off(self) -> None:
        failure, self._failure = self._failure, None
        if failure is Failure.READ_TIMEOUT:
            raise TimeoutError("timed out (as recorded)")
        if failure is Failure.REMOTE_PROTOCOL_ERROR:
            raise http.client.IncompleteRead(b"")
        if failure is not None:
            raise ConnectionResetError("connection reset by peer (as recorded)")


@contextmanager
def _noting(recording: Recording) -> Iterator[None]:
    """Record how a request or its response breaks off, while the error goes its way."""
    try:
        yield
    except (exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        found = (failure for kind, failure in _FAILURES if isinstance(error, kind))
        recording.fail(next(found, Failure.READ_ERROR))
        raise


def _error(failure: Failure, asked: _Asked) -> Exception:
    words = f"{failure} (as recorded)"
    if failure is Failure.CONNECT_ERROR:
        return exceptions.NewConnectionError(asked.conn, words)
    if failure is Failure.CONNECT_TIMEOUT:
        return exceptions.ConnectTimeoutError(asked.conn, words)
    if failure.value.endswith("Timeout"):
        return exceptions.ReadTimeoutError(asked.pool, asked.url, words)
    if failure is Failure.REMOTE_PROTOCOL_ERROR:
        return http.client.RemoteDisconnected(words)
    return ConnectionResetError(words)


def _origin(pool: Any) -> str:
    host = f"[{pool.host}]" if ":" in pool.host else pool.host
    port = "" if pool.port in (None, _DEFAULT_PORTS.get(pool.scheme)) else f":{pool.port}"
    return f"{pool.scheme}://{host}{port}"


def _read_body(body: Any) -> bytes:
    """The bytes of whatever urllib3 takes as a body; what can be read once is read here and sent from memory."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    if hasattr(body, "read"):
        return _read_body(body.read())
    return b"".join(map(_read_body, body))


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
