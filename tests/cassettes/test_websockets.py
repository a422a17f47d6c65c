"""A WebSocket is refused by name inside a trial, before anything is sent, whatever the agent makes of the error."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import aiohttp
import httpx
import openai
import pytest

from harness.cassettes import RecordSession, ReplaySession, assert_in_path, intercepted, routed
from harness.errors import CassetteMissError
from harness.records.exchange import Cassette
from harness.seams import RecordedClock, SystemClock

websocket = pytest.importorskip("websocket")
websockets = pytest.importorskip("websockets")
httpx_ws = pytest.importorskip("httpx_ws")


def by_websockets(address: str) -> None:
    """The async client of websockets."""

    async def ask() -> None:
        async with websockets.connect(f"ws://{address}/v1"):
            pass

    asyncio.run(ask())


def by_websockets_sync(address: str) -> None:
    """The sync client of websockets."""
    from websockets.sync.client import connect

    with connect(f"ws://{address}/v1"):
        pass


def by_websocket_client(address: str) -> None:
    """websocket-client."""
    websocket.create_connection(f"ws://{address}/v1", timeout=1).close()


def by_aiohttp(address: str) -> None:
    """aiohttp's own."""

    async def ask() -> None:
        async with aiohttp.ClientSession() as client, client.ws_connect(f"http://{address}/v1"):
            pass

    asyncio.run(ask())


def by_httpx_ws(address: str) -> None:
    """httpx-ws, sync."""
    with httpx.Client(trust_env=False) as client, httpx_ws.connect_ws(f"http://{address}/v1", client):
        pass


def by_httpx_ws_async(address: str) -> None:
    """httpx-ws, async."""

    async def ask() -> None:
        async with (
            httpx.AsyncClient(trust_env=False) as client,
            httpx_ws.aconnect_ws(f"http://{address}/v1", client),
        ):
            pass

    asyncio.run(ask())


def by_openai(address: str) -> None:
    """The openai SDK's realtime API."""
    client = openai.OpenAI(api_key="sk-test", websocket_base_url=f"ws://{address}/v1", max_retries=0)
    with client, client.realtime.connect(model="gpt-realtime"):
        pass


def by_async_openai(address: str) -> None:
    """The same, async."""

    async def ask() -> None:
        client = openai.AsyncOpenAI(api_key="sk-test", websocket_base_url=f"ws://{address}/v1", max_retries=0)
        async with client, client.realtime.connect(model="gpt-realtime"):
            pass

    asyncio.run(ask())


WAYS: dict[str, Callable[[str], None]] = {
    "websockets": by_websockets,
    "websockets-sync": by_websockets_sync,
    "websocket-client": by_websocket_client,
    "aiohttp": by_aiohttp,
    "httpx-ws": by_httpx_ws,
    "httpx-ws-async": by_httpx_ws_async,
    "openai": by_openai,
    "openai-async": by_async_openai,
}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        yield server


def address_of(listener: socket.socket) -> str:
    """Where it listens."""
    return f"127.0.0.1:{listener.getsockname()[1]}"


def was_reached(listener: socket.socket) -> bool:
    """Whether anybody has connected."""
    with suppress(TimeoutError):
        listener.accept()[0].close()
        return True
    return False


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["replay", "record"])
def test_a_websocket_is_refused_by_name(way: str, mode: str, listener: socket.socket) -> None:
    """The error says what it was and what to do; nobody was connected to; the session keeps it."""
    session: Any = (
        ReplaySession(Cassette(exchanges=()), clock=RecordedClock())
        if mode == "replay"
        else RecordSession(clock=SystemClock(), journal=None)
    )
    with intercepted(), routed(session), suppress(BaseException):
        WAYS[way](address_of(listener))
    assert session.mismatch is not None
    assert "is a WebSocket, which is neither recorded nor replayed, so nothing was sent" in session.mismatch.cause
    assert address_of(listener) in session.mismatch.cause
    assert session.played == []
    assert not was_reached(listener)


@pytest.mark.parametrize("way", ["websockets", "websockets-sync", "websocket-client", "aiohttp"])
def test_the_error_passes_broad_handlers(way: str, listener: socket.socket) -> None:
    """An agent's ``except Exception`` lets it through."""

    def agent() -> None:
        with suppress(Exception):
            WAYS[way](address_of(listener))

    session = ReplaySession(Cassette(exchanges=()), clock=RecordedClock())
    with intercepted(), routed(session), pytest.raises(CassetteMissError, match="is a WebSocket"):
        agent()


@pytest.mark.parametrize("way", WAYS)
def test_outside_trials_a_websocket_goes_its_way(way: str, listener: socket.socket) -> None:
    """While intercepted, with no trial under way, the server is connected to, and after it as well."""
    over, reached = threading.Event(), threading.Event()

    def hang_up() -> None:
        while not over.is_set():
            if was_reached(listener):
                reached.set()

    thread = threading.Thread(target=hang_up)
    thread.start()
    try:
        with intercepted():
            assert_in_path()
            with suppress(Exception):
                WAYS[way](address_of(listener))
        assert reached.wait(30)  # the other thread may come to say so a little later
        reached.clear()
        with suppress(Exception):
            WAYS[way](address_of(listener))
        assert reached.wait(30)
    finally:
        over.set()
        thread.join()
