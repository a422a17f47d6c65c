"""Keeps one SDK client per event loop: connections of a loop that has ended can't be used by the next."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from functools import cache
from typing import Any

import httpx2

__all__ = ["shared_connection", "tls_context"]

_LEASES: dict[tuple[asyncio.AbstractEventLoop, str], tuple[AsyncGenerator[Any, None], Any]] = {}


@cache
def tls_context() -> ssl.SSLContext:
    """The certificates to trust, loaded once: that takes longer than all else in building a client."""
    return httpx2.create_ssl_context()


async def shared_connection(name: str, build: Callable[[], Any]) -> Any:
    """The client of that name on the running loop, built at its first use and closed when the loop shuts down."""
    loop = asyncio.get_running_loop()
    lease = _LEASES.get((loop, name))
    if lease is None:
        for key in [key for key in list(_LEASES) if key[0].is_closed()]:
            _LEASES.pop(key, None)
        generator = _hold(build)
        lease = _LEASES[loop, name] = (generator, await anext(generator))
    return lease[1]


async def _hold(build: Callable[[], Any]) -> AsyncGenerator[Any, None]:
    """A client for as long as the loop lives: ``asyncio.run`` closes every open asynchronous generator at its end."""
    client = build()
    try:
        yield client
    finally:
        await client.close()
