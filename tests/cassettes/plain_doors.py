"""What each plain client makes of an answer, in one form for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import httpx
import httpx2
import requests
import urllib3

from tests.cassettes.scripted_wire import NUMBER

__all__ = ["DOORS", "Door", "Seen"]

_NAMES = ("content-type", "retry-after", "x-request-id")


@dataclass(slots=True)
class Seen:
    """What a client's user gets to see of one answer."""

    status: int = 0
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    pieces: tuple[bytes, ...] = ()
    """The content in the pieces in which the client hands it out, as far as it came."""
    failure: str = ""
    """The class of the exception at its end, with its module."""

    @property
    def whole(self) -> tuple[object, ...]:
        """The same without the boundaries."""
        return self.status, self.reason, self.headers, b"".join(self.pieces), self.failure

    def meet(self, status: int, reason: str | None, headers: Any) -> None:
        """Note the head of an answer."""
        self.status, self.reason = status, reason or ""
        self.headers = tuple((name, headers[name]) for name in _NAMES if name in headers)

    def end(self, error: BaseException) -> None:
        """Note how it broke off."""
        self.failure = f"{type(error).__module__}.{type(error).__qualname__}"


Door = Callable[[str, bytes, int, float], Seen]
"""Posts a body to an address, as call number n, with a timeout for reads in seconds."""


def _by_httpx(module: Any, url: str, body: bytes, number: int, patience: float) -> Seen:
    seen = Seen()
    limits = module.Timeout(30, read=patience)
    try:
        with (
            module.Client(trust_env=False, verify=False, timeout=limits) as client,
            client.stream("POST", url, content=body, headers=_headers(number)) as response,
        ):
            seen.meet(response.status_code, response.reason_phrase, response.headers)
            for piece in response.iter_bytes():
                seen.pieces += (piece,)
    except module.HTTPError as error:
        seen.end(error)
    return seen


async def _by_async_httpx(module: Any, url: str, body: bytes, number: int, patience: float) -> Seen:
    seen = Seen()
    limits = module.Timeout(30, read=patience)
    try:
        async with (
            module.AsyncClient(trust_env=False, verify=False, timeout=limits) as client,
            client.stream("POST", url, content=body, headers=_headers(number)) as response,
        ):
            seen.meet(response.status_code, response.reason_phrase, response.headers)
            async for piece in response.aiter_bytes():
                seen.pieces += (piece,)
    except module.HTTPError as error:
        seen.end(error)
    return seen


def _by_requests(url: str, body: bytes, number: int, patience: float, *, stream: bool) -> Seen:
    seen = Seen()
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.post(
                url, data=body, headers=_headers(number), timeout=(30, patience), stream=True
            ) as response:
                seen.meet(response.status_code, response.reason, response.headers)
                for piece in response.iter_content(None) if stream else [response.content]:
                    seen.pieces += (piece,)
    except requests.RequestException as error:
        seen.end(error)
    return seen


def _by_urllib3(url: str, body: bytes, number: int, patience: float, *, stream: bool) -> Seen:
    seen = Seen()
    limits = urllib3.Timeout(connect=30, read=patience)
    try:
        with urllib3.PoolManager(timeout=limits, retries=False) as pool:
            response = pool.request("POST", url, body=body, headers=_headers(number), preload_content=False)
            seen.meet(response.status, response.reason, response.headers)
            for piece in response.stream(None, decode_content=True) if stream else [response.data]:
                seen.pieces += (piece,)
    except urllib3.exceptions.HTTPError as error:
        seen.end(error)
    return seen


async def _by_aiohttp(url: str, body: bytes, number: int, patience: float) -> Seen:
    seen = Seen()
    limits = aiohttp.ClientTimeout(sock_connect=30, sock_read=patience)
    try:
        async with (
            aiohttp.ClientSession(timeout=limits) as client,
            client.post(url, data=body, headers=_headers(number)) as response,
        ):
            seen.meet(response.status, response.reason, response.headers)
            async for piece in response.content.iter_any():
                seen.pieces += (piece,)
    except (aiohttp.ClientError, TimeoutError) as error:
        seen.end(error)
    return seen


def _headers(number: int) -> dict[str, str]:
    return {NUMBER: str(number), "content-type": "application/json"}


def _run(ask: Callable[[str, bytes, int, float], Coroutine[Any, Any, Seen]]) -> Door:
    return lambda *asked: asyncio.run(ask(*asked))


DOORS: dict[str, Door] = {
    "httpx2": partial(_by_httpx, httpx2),
    "httpx2-async": _run(partial(_by_async_httpx, httpx2)),
    "httpx": partial(_by_httpx, httpx),
    "httpx-async": _run(partial(_by_async_httpx, httpx)),
    "requests": partial(_by_requests, stream=False),
    "requests-stream": partial(_by_requests, stream=True),
    "urllib3": partial(_by_urllib3, stream=False),
    "urllib3-stream": partial(_by_urllib3, stream=True),
    "aiohttp": _run(_by_aiohttp),
}
