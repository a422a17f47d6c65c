"""Keeps one SDK client per event loop: connections of a loop that has ended can't be used by the next.

The loops of replayed trials share theirs: no connection is opened there, and to build a client took a tenth of a trial.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Callable
from functools import cache
from typing import Any

import httpx2

__all__ = ["shared_connection", "tls_context"]

_LEASES: dict[tuple[asyncio.AbstractEventLoop, str], tuple[AsyncGenerator[Any, None] | None, Any]] = {}
_REPLAYED: dict[str, tuple[dict[str, str], Any]] = {}
"""The client of each name that replayed trials share, and the environment that it was built from."""


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
        if getattr(loop, "shares_clients", False):
            lease = (None, _replayed(name, build))
        else:
            generator = _hold(build)
            lease = (generator, await anext(generator))
        _LEASES[loop, name] = lease
    return lease[1]


def _replayed(name: str, build: Callable[[], Any]) -> Any:
    environ = dict(os.environ)
    if name not in _REPLAYED or _REPLAYED[name][0] != environ:
        _REPLAYED[name] = (environ, build())
    return _REPLAYED[name][1]


async def _hold(build: Callable[[], Any]) -> AsyncGenerator[Any, None]:
    """A client for as long as the loop lives: ``asyncio.run`` closes every open asynchronous generator at its end."""
    client = build()
    try:
        yield client
    finally:
        await client.close()
