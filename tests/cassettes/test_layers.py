"""Our functions and those of a user's own vcr cassettes, entered and left in every order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import vcr
from hypothesis import settings

from harness.cassettes import ReplaySession, intercepted, routed
from harness.errors import CassetteMissError, InterceptionError
from harness.records.exchange import Cassette, Exchange, HttpRequest, HttpResponse
from harness.seams import RecordedClock


def by_aiohttp(url: str) -> str:
    """Ask through aiohttp."""

    async def ask() -> str:
        async with aiohttp.ClientSession() as client, client.get(url) as response:
            return await response.text()

    return asyncio.run(ask())


def by_httpx(module: Any) -> Callable[[str], str]:
    """Ask through httpx or httpx2, without the cost of a TLS context."""

    def ask(url: str) -> str:
        with module.Client(trust_env=False, verify=False) as client:
            return str(client.get(url).text)

    return ask


CLIENTS: dict[str, Callable[[str], str]] = {
    "aiohttp": by_aiohttp,
    "httpx": by_httpx(httpx),
    "httpx2": by_httpx(httpx2),
    "requests": lambda url: requests.get(url, timeout=1).text,
}


def every_order(left: tuple[str, ...], opened: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every order in which these can be entered and left; one that is entered twice is left before."""
    if not left and not opened:
        yield ()
    for name in sorted({name for name in left if name not in opened}):
        at = left.index(name)
        for rest in every_order(left[:at] + left[at + 1 :], (*opened, name)):
            yield (f"+{name}", *rest)
    for name in opened:
        for rest in every_order(left, tuple(each for each in opened if each != name)):
            yield (f"-{name}", *rest)


def distinct(left: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Those orders in which the first of two like cassettes is entered first."""
    return [order for order in every_order(left) if order.index("+a") < order.index("+b")]


ONCE = distinct(("a", "b", "ours"))
AGAIN = distinct(("a", "b", "ours", "ours"))[:: 1 if settings().max_examples > 100 else 6]
"""Every sixth of 210 orders, spread over all beginnings; the profile ``thorough`` takes them all."""


class Overlap:
    """Two of the user's cassettes and our interception, each open or not."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.folder = folder
        self.opened: dict[str, Any] = {}

    def do(self, step: str) -> None:
        """Enter or leave one."""
        sign, name = step[0], step[1:]
        if sign == "-":
            self.opened.pop(name).__exit__(None, None, None)
        else:
            one = intercepted() if name == "ours" else vcr.use_cassette(str(self.folder / f"{name}.yaml"))
            one.__enter__()
            self.opened[name] = one

    def try_trial(self, ask: Callable[[str], str]) -> bool:
        """Whether a trial starts; in one that does, what was recorded comes back and nothing else is let through."""
        exchange = Exchange(
            request=HttpRequest(method="GET", uri=f"{self.url}/known"),
            response=HttpResponse(status=200, body=b"recorded"),
        )
        session = ReplaySession(Cassette(exchanges=(exchange,)), clock=RecordedClock())
        try:
            with routed(session):
                assert ask(f"{self.url}/known") == "recorded"
                with suppress(CassetteMissError):
                    ask(f"{self.url}/unknown")
        except InterceptionError:
            return False
        assert session.mismatch is not None
        return True


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "orders"), [*((name, ONCE) for name in CLIENTS), ("httpx2", AGAIN)], ids=[*CLIENTS, "twice"]
)
def test_in_no_order_is_anything_lost(name: str, orders: list[tuple[str, ...]], server: Any, tmp_path: Path) -> None:
    """After every step a trial is replayed or refused, never sent; it is replayed as soon as no cassette is open.

    And after all of it the user's cassettes record and replay, and so does their client without one.
    """
    ask = CLIENTS[name]
    for number, order in enumerate(orders):
        overlap = Overlap(tmp_path / str(number), server.url)
        sent = server.count
        for step in order:
            overlap.do(step)
            started = overlap.try_trial(ask)
            assert started or list(overlap.opened) != ["ours"], (order, step)
            assert not started or "ours" in overlap.opened, (order, step)
        assert server.count == sent, order
        with intercepted():
            assert overlap.try_trial(ask), order
            check_their_cassette(ask, server, tmp_path / f"{number}-within.yaml")
        check_their_cassette(ask, server, tmp_path / f"{number}-without.yaml")
        assert ask(f"{server.url}/free")
        assert server.count == sent + 3, order


def check_their_cassette(ask: Callable[[str], str], server: Any, path: Path) -> None:
    """A user's own cassette records once and then replays."""
    sent = server.count
    with vcr.use_cassette(str(path)):
        live = ask(f"{server.url}/mine")
    with vcr.use_cassette(str(path), record_mode="none"):
        assert ask(f"{server.url}/mine") == live
    assert server.count == sent + 1
