"""Routes aiohttp at the one method through which each of its requests gets a connection.

Redirects, cookies, `raise_for_status` and middleware stand above it, and are aiohttp's own in a replay as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.connector import Connection
from aiohttp.payload import BytesPayload, Payload

from harness.cassettes.aiohttp_replay import ReplayedHandler
from harness.cassettes.aiohttp_tee import NotedHandler, note_errors
from harness.cassettes.failures import NO_RESPONSE, Failure, Limits, read_limits, timeout_of
from harness.cassettes.patching import Function, Patch
from harness.cassettes.playback import Playback
from harness.cassettes.routing import meet, route
from harness.records.exchange import HttpRequest

__all__ = ["aiohttp_patches"]


def aiohttp_patches(module: Any) -> list[Patch]:
    """What to put in the place of the connector's method, and of the session's, where a vcr cassette would stand."""
    return [
        Patch(module.BaseConnector, "connect", _connect_handler),
        Patch(module.ClientSession, "_request", _request_handler),
    ]


def _request_handler(real: Function) -> Callable[..., Any]:
    async def request(self: Any, method: str, url: Any, **options: Any) -> Any:
        route(lambda: f"{method} {url}")
        return await real(self, method, url, **options)

    return request


def _connect_handler(real: Function) -> Callable[..., Any]:
    async def connect(self: Any, req: Any, *args: Any, **options: Any) -> Any:
        session = route(lambda: f"{req.method} {req.url}")
        if session is None:
            return await real(self, req, *args, **options)
        if isinstance(req.body, Payload) and not hasattr(req.body, "as_bytes"):
            place = f"{req.method} {req.url}"
            raise session.refuse(f"{place} was sent by aiohttp before 3.12, which is not recorded; upgrade it", place)
        met = meet(session, await _sent(req), _limits(**options))
        if isinstance(met, Playback):
            return await _replayed_connection(self, req, met)
        with note_errors(met, connecting=True):
            connection = await real(self, req, *args, **options)
        NotedHandler.watch(connection, met)
        return connection

    return connect


async def _sent(req: Any) -> HttpRequest:
    """The request as it will go out. A body that can be read once is read here, and sent from memory."""
    body = b""
    if isinstance(req.body, Payload):
        given = req.body
        body = bytes(await given.as_bytes())
        if not isinstance(given, BytesPayload):
            await given.close()
            req._body = BytesPayload(body)  # noqa: SLF001 - its setter would write the headers anew
    headers = tuple((name.lower(), value) for name, value in req.headers.items())
    return HttpRequest(method=req.method, uri=str(req.url), headers=headers, body=body)


def _limits(timeout: Any = None, **_options: Any) -> Limits:
    """Those of the socket; the one for the whole is a timer of the loop's, in a replay as well. 0 is none."""
    if timeout is None:
        return {}
    connecting = [each for each in (timeout.connect, timeout.sock_connect) if each]
    seconds = {Failure.CONNECT_TIMEOUT: min(connecting, default=None), Failure.READ_TIMEOUT: timeout.sock_read or None}
    return read_limits(seconds)


async def _replayed_connection(connector: Any, req: Any, playback: Playback) -> Connection:
    if _is_connecting(playback):
        await playback.wait()
        if playback.failure is Failure.CONNECT_TIMEOUT:
            raise TimeoutError  # aiohttp turns it into its own
        raise aiohttp.ClientConnectorError(req.connection_key, OSError(None, f"{playback.failure} (as recorded)"))
    server = req.url.host, req.url.port
    handler = ReplayedHandler(playback, server, continues=req._continue is not None)  # noqa: SLF001
    connection = _NoConnection(connector, req.connection_key, handler, asyncio.get_running_loop())
    connection.add_callback(handler.given_back)
    return connection


class _NoConnection(Connection):
    """A connection that was never opened, so nobody needs to hear that it was not closed.

    In life a short body has arrived by then, and its connection has gone back to the pool.
    """

    def __del__(self, *_args: Any) -> None:
        pass


def _is_connecting(playback: Playback) -> bool:
    """Whether nothing was recorded but the attempt to reach the server."""
    is_answered = playback.exchange.response.status != NO_RESPONSE
    return not is_answered and timeout_of(playback.failure) is Failure.CONNECT_TIMEOUT
