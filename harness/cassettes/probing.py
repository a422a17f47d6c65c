"""Proves, with a request that is never sent, that a client's traffic reaches us."""

from __future__ import annotations

import asyncio
import ssl
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from harness.cassettes.routing import using
from harness.cassettes.sessions import ReplaySession
from harness.errors import CassetteMissError, InterceptionError
from harness.records.exchange import Cassette, Exchange, HttpRequest, HttpResponse
from harness.seams import RecordedClock

__all__ = ["probe"]

_PLAIN = "http://interception.invalid/"
_SECURE = "https://interception.invalid/"
_PROXY = "http://proxy.invalid:3128"
_STATUS = 299
_WAYS = 3
"""How each client, sync and async, is asked: plainly, for a stream over TLS, and through a proxy over TLS."""


async def _ask_httpx(module: Any) -> list[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # an empty one: nothing is sent, and loading certificates is slow
    options: dict[str, Any] = {"verify": context, "trust_env": False}
    with module.Client(**options) as client, module.Client(proxy=_PROXY, **options) as proxied:
        with client.stream("GET", _SECURE) as response:
            response.read()
        statuses = [response.status_code, client.get(_PLAIN).status_code, proxied.get(_SECURE).status_code]
    async with module.AsyncClient(**options) as client, module.AsyncClient(proxy=_PROXY, **options) as proxied:
        async with client.stream("GET", _SECURE) as response:
            await response.aread()
        others = [await client.get(_PLAIN), await proxied.get(_SECURE)]
    return [*statuses, response.status_code, *(each.status_code for each in others)]


async def _ask_urllib3(module: Any) -> list[int]:
    pool, proxied = module.PoolManager(), module.ProxyManager(_PROXY)
    stream = pool.request("GET", _SECURE, retries=False, preload_content=False)
    stream.read()
    others = pool.request("GET", _PLAIN, retries=False), proxied.request("GET", _SECURE, retries=False)
    return [stream.status, *(each.status for each in others)]


async def _ask_requests(module: Any) -> list[int]:
    with module.Session() as session:
        session.trust_env = False
        with session.get(_SECURE, stream=True, timeout=1) as stream:
            stream.raw.read()
        others = session.get(_PLAIN, timeout=1), session.get(_SECURE, proxies={"https": _PROXY}, timeout=1)
        return [stream.status_code, *(each.status_code for each in others)]


async def _ask_aiohttp(module: Any) -> list[int]:
    statuses = []
    async with module.ClientSession() as client:
        for uri, proxy in ((_SECURE, None), (_PLAIN, None), (_SECURE, _PROXY)):
            async with client.get(uri, proxy=proxy) as response:
                await response.content.readany()
                statuses.append(response.status)
    return statuses


_QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "aiohttp": _ask_aiohttp,
    "httpx": _ask_httpx,
    "httpx2": _ask_httpx,
    "requests": _ask_requests,
    "urllib3": _ask_urllib3,
}


_ANSWERS = tuple(
    Exchange(request=HttpRequest(method="GET", uri=uri), response=HttpResponse(status=_STATUS))
    for uri in (_PLAIN, _SECURE, _SECURE) * 2
)


def probe(names: Iterable[str]) -> None:
    """Ask each of these clients, where a question is known for it. Raises :class:`InterceptionError`.

    In a thread of its own, since the caller's loop may be running.
    """
    asked = sorted(_QUESTIONS.keys() & set(names))
    if not asked:
        return
    missed: list[str] = []
    thread = threading.Thread(target=lambda: missed.extend(_ask_all(asked)), name="harness-probe")
    thread.start()
    thread.join()
    if missed:
        raise InterceptionError(
            f"requests of {', '.join(missed)} do not reach the harness, so nothing was sent; this version may be newer "
            "or older than what we know"
        )


def _ask_all(names: Iterable[str]) -> list[str]:
    return [name for name in names if not asyncio.run(_is_in_path(name))]


async def _is_in_path(name: str) -> bool:
    module = sys.modules[name]
    errors: tuple[type[BaseException], ...] = (
        CassetteMissError,
        OSError,
        TypeError,
        AttributeError,
        *_errors_of(module),
    )
    session = ReplaySession(Cassette(exchanges=_ANSWERS), clock=RecordedClock())
    with using(session):
        try:
            statuses = await _QUESTIONS[name](module)
        except errors:
            return False
    return set(statuses) == {_STATUS} and len(session.played) == len(statuses) and len(statuses) % _WAYS == 0


def _errors_of(module: Any) -> list[type[BaseException]]:
    """What the client raises where the request went out and found nobody."""
    holders = (module, getattr(module, "exceptions", None))
    found = (getattr(holder, name, None) for holder in holders for name in ("ClientError", "HTTPError"))
    return [kind for kind in found if isinstance(kind, type)]
