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
from harness.cassettes.failures import NO_RESPONSE, Failure, failure_of
from harness.cassettes.patching import Function, Patch
from harness.cassettes.routing import meet, route
from harness.cassettes.sessions import Playback
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
        met = meet(session, await _sent(req))
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


async def _replayed_connection(connector: Any, req: Any, playback: Playback) -> Connection:
    recorded = playback.exchange.response
    failure = failure_of(recorded) or Failure.READ_TIMEOUT
    if recorded.status == NO_RESPONSE and failure.value.startswith("Connect"):
        await playback.wait()
        if failure is Failure.CONNECT_TIMEOUT:
            raise TimeoutError(f"{failure} (as recorded)")  # aiohttp turns it into its own
        raise aiohttp.ClientConnectorError(req.connection_key, OSError(None, f"{failure} (as recorded)"))
    loop = asyncio.get_running_loop()
    handler = ReplayedHandler(loop, playback, continues=req._continue is not None)  # noqa: SLF001
    return Connection(connector, req.connection_key, handler, loop)
