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

_URI = "http://interception.invalid/"
_STATUS = 299


async def _ask_httpx(module: Any) -> list[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # an empty one: nothing is sent, and loading certificates is slow
    with module.Client(verify=context, trust_env=False) as client:
        status = client.get(_URI).status_code
    async with module.AsyncClient(verify=context, trust_env=False) as client:
        return [status, (await client.get(_URI)).status_code]


async def _ask_urllib3(module: Any) -> list[int]:
    return [module.PoolManager().request("GET", _URI, retries=False).status]


async def _ask_requests(module: Any) -> list[int]:
    with module.Session() as session:
        session.trust_env = False
        return [session.get(_URI, timeout=1).status_code]


async def _ask_aiohttp(module: Any) -> list[int]:
    async with module.ClientSession() as client, client.get(_URI) as response:
        return [response.status]


_QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "aiohttp": _ask_aiohttp,
    "httpx": _ask_httpx,
    "httpx2": _ask_httpx,
    "requests": _ask_requests,
    "urllib3": _ask_urllib3,
}


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
            "than what we know"
        )


def _ask_all(names: Iterable[str]) -> list[str]:
    return [name for name in names if not asyncio.run(_is_in_path(name))]


async def _is_in_path(name: str) -> bool:
    answer = Exchange(request=HttpRequest(method="GET", uri=_URI), response=HttpResponse(status=_STATUS))
    module = sys.modules[name]
    errors: tuple[type[BaseException], ...] = (
        CassetteMissError,
        OSError,
        TypeError,
        AttributeError,
        *_errors_of(module),
    )
    session = ReplaySession(Cassette(exchanges=(answer,) * 2), clock=RecordedClock())
    with using(session):
        try:
            statuses = await _QUESTIONS[name](module)
        except errors:
            return False
    return set(statuses) == {_STATUS} and len(session.played) == len(statuses)


def _errors_of(module: Any) -> list[type[BaseException]]:
    """What the client raises where the request went out and found nobody."""
    holders = (module, getattr(module, "exceptions", None))
    found = (getattr(holder, name, None) for holder in holders for name in ("ClientError", "HTTPError"))
    return [kind for kind in found if isinstance(kind, type)]
