"""A miss stays on the session, whatever the agent does with the error, for every client."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import aiohttp
import anthropic
import httpx
import httpx2
import openai
import pytest

from harness.cassettes import ReplaySession, intercepted, routed
from harness.records.exchange import Cassette
from harness.seams import RecordedClock
from tests.cassettes.test_clients import BODY, CLIENTS

Ask = Callable[[], Any]


def blanket(ask: Ask) -> None:
    """Catch everything."""
    try:
        ask()
    except BaseException:  # noqa: BLE001 - what such an agent does
        return


def pool(ask: Ask) -> None:
    """A pool whose threads have no context, and whose result nobody asks for."""
    with ThreadPoolExecutor(2) as threads:
        threads.submit(ask)


def pool_with_context(ask: Ask) -> None:
    """A pool whose work has the trial's context; the error is looked at and dropped."""
    with ThreadPoolExecutor(2) as threads:
        assert threads.submit(contextvars.copy_context().run, ask).exception() is not None


def gathered(ask: Ask) -> None:
    """gather(return_exceptions=True)."""

    async def work() -> None:
        found = await asyncio.gather(asyncio.to_thread(ask), asyncio.to_thread(ask), return_exceptions=True)
        assert all(isinstance(each, BaseException) for each in found)

    asyncio.run(work())


def grouped(ask: Ask) -> None:
    """A TaskGroup whose group of errors is caught."""

    async def work() -> None:
        with suppress(BaseExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.to_thread(ask))

    asyncio.run(work())


SWALLOWS = [blanket, pool, pool_with_context, gathered, grouped]


def missed(work: Callable[[], Any]) -> bool:
    """Whether the session of an empty recording keeps a miss."""
    session = ReplaySession(Cassette(exchanges=()), clock=RecordedClock())
    with intercepted(), routed(session):
        work()
    assert session.played == []
    return session.mismatch is not None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("swallow", SWALLOWS, ids=lambda swallow: swallow.__name__)
def test_a_swallowed_miss_stays(name: str, swallow: Callable[[Ask], None], server: Any) -> None:
    """Sync and async, in this thread or another: the trial fails, and nothing was sent."""
    assert missed(lambda: swallow(lambda: CLIENTS[name](f"{server.url}/v1/one", BODY)))
    assert server.count == 0


async def by_httpx(module: Any, url: str) -> None:
    """Ask through an async client of httpx or httpx2."""
    async with module.AsyncClient(trust_env=False) as client:
        await client.get(url)


async def by_aiohttp(url: str) -> None:
    """Ask through aiohttp."""
    async with aiohttp.ClientSession() as client, client.get(url):
        pass


ASYNC: dict[str, Callable[[str], Awaitable[None]]] = {
    "httpx2": lambda url: by_httpx(httpx2, url),
    "httpx": lambda url: by_httpx(httpx, url),
    "aiohttp": by_aiohttp,
}


@pytest.mark.parametrize("name", ASYNC)
def test_a_miss_swallowed_by_the_loop_stays(name: str, server: Any) -> None:
    """In gather, in a TaskGroup, in a task that nobody awaits, under a timeout, in a callback of a task."""

    async def ask() -> None:
        await ASYNC[name](f"{server.url}/v1/one")

    async def in_gather() -> None:
        await asyncio.gather(ask(), ask(), return_exceptions=True)

    async def in_group() -> None:
        with suppress(BaseExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(ask())

    async def in_task() -> None:
        task = asyncio.create_task(ask())
        await asyncio.wait([task])
        task.exception()

    async def under_timeout() -> None:
        with suppress(BaseException):
            async with asyncio.timeout(5):
                await ask()

    for work in (in_gather, in_group, in_task, under_timeout):
        assert missed(lambda work=work: asyncio.run(work())), work.__name__
    assert server.count == 0


@pytest.mark.parametrize("sdk", [openai, anthropic])
def test_a_miss_in_an_sdk_callback_stays(sdk: Any, server: Any) -> None:
    """A hook of the SDK's HTTP client that itself sends something, and an SDK's own helper thread."""
    base = {openai: f"{server.url}/v1", anthropic: server.url}[sdk]

    def hooked(request: Any) -> None:
        with suppress(BaseException):
            httpx2.post(f"{server.url}/v1/telemetry", content=b"{}", trust_env=False)

    client_class = sdk.OpenAI if sdk is openai else sdk.Anthropic
    library = httpx2 if issubclass(sdk.DefaultHttpxClient, httpx2.Client) else httpx

    def work() -> None:
        http_client = library.Client(event_hooks={"request": [hooked]}, trust_env=False)
        with client_class(api_key="sk-test", base_url=base, max_retries=3, http_client=http_client) as client:
            thread = threading.Thread(target=blanket, args=(lambda: client.models.list(),))
            thread.start()
            thread.join()
            with suppress(BaseException):
                client.models.list()

    assert missed(work)
    assert server.count == 0
