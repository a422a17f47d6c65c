"""Routes urllib3, and with it requests and botocore, at the one method that every request of a pool goes through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from harness.cassettes.failures import Failure, Limits, read_limits
from harness.cassettes.patching import Function, Patch
from harness.cassettes.playback import Playback
from harness.cassettes.routing import forwarding, meet, route
from harness.cassettes.sessions import Recording
from harness.cassettes.urllib3_replay import Asked, respond
from harness.cassettes.urllib3_tee import note_errors, noted
from harness.records.exchange import HttpRequest

__all__ = ["urllib3_patches"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_TUNNELS: WeakKeyDictionary[Any, Callable[[], Any]] = WeakKeyDictionary()
"""How to reach the server behind the proxy, for connections that have not been told to."""


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
        open_tunnel = _TUNNELS.pop(conn, lambda: None)
        if session is None:
            with forwarding():
                open_tunnel()
                return real(pool, conn, method, url, **options)
        body = _read_body(options.get("body"))
        headers = options.get("headers") or pool.headers
        pairs = tuple((str(name).lower(), _text(value)) for name, value in headers.items())
        request = HttpRequest(method=method, uri=uri, headers=pairs, body=body)
        met = meet(session, request, _limits(pool, options.get("timeout", pool.timeout)))
        options["body"] = body or None
        if isinstance(met, Playback):
            return respond(met, Asked(pool, conn, method, url, options))
        with note_errors(met), forwarding():
            open_tunnel()
            response = real(pool, conn, method, url, **options | {"preload_content": False})
        return _handed_on(response, met, options)

    return make_request


def _proxy_handler(real: Function) -> Callable[..., Any]:
    def prepare_proxy(pool: Any, conn: Any) -> Any:
        def open_tunnel() -> None:
            try:
                real(pool, conn)
            except OSError as error:  # as the pool does where it is called live
                pool._raise_timeout(err=error, url=pool.proxy.url, timeout_value=conn.timeout)  # noqa: SLF001
                raise

        _TUNNELS[conn] = open_tunnel  # whether anything goes out is decided with the request
        return None

    return prepare_proxy


def _limits(pool: Any, timeout: Any) -> Limits:
    """What the pool would wait, a limit of the whole included."""
    limit = pool._get_timeout(timeout)  # noqa: SLF001 - as the method that stands aside here does
    limit.start_connect()
    seconds = {Failure.CONNECT_TIMEOUT: limit.connect_timeout, Failure.READ_TIMEOUT: limit.read_timeout}
    return read_limits({each: limit.resolve_default_timeout(given) for each, given in seconds.items()})


def _handed_on(response: Any, recording: Recording, options: dict[str, Any]) -> Any:
    """The client's own response, which is noted as it is read; read whole where the client asks for that."""
    response = noted(response, recording)
    if options.get("preload_content", True):
        response.read(decode_content=options.get("decode_content", True), cache_content=True)
    return response


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
