"""A stream passes through while it is recorded, and comes back chunk by chunk, for every client; so does its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3

from harness.cassettes import Played, RecordSession, ReplaySession, intercepted, routed
from harness.records.exchange import Cassette, Ending
from harness.seams import RecordedClock, SystemClock
from tests.cassettes.conftest import CODERS, EVENTS

Seen = list[tuple[bytes, float]]
"""Each piece and when it came."""
READ_SECONDS = 0.3


class Reader:
    """Reads a stream, piece by piece, through one client. What was read stays, also where it breaks."""

    def __init__(self, take: int | None = None) -> None:
        self.seen: Seen = []
        self.take = take

    def note(self, piece: bytes) -> bool:
        """Keep a piece; whether that was enough."""
        self.seen.append((piece, time.perf_counter()))
        return len(self.seen) == self.take

    @property
    def pieces(self) -> list[bytes]:
        """What was read."""
        return [piece for piece, _ in self.seen]


def by_httpx(module: Any) -> Callable[[str, Reader], None]:
    """Read through a sync client."""

    def read(url: str, reader: Reader) -> None:
        with (
            module.Client(trust_env=False, verify=False, timeout=READ_SECONDS) as client,
            client.stream("GET", url) as response,
        ):
            any(map(reader.note, response.iter_raw()))

    return read


def by_async_httpx(module: Any) -> Callable[[str, Reader], None]:
    """Read through an async client."""

    async def read(url: str, reader: Reader) -> None:
        async with (
            module.AsyncClient(trust_env=False, verify=False, timeout=READ_SECONDS) as client,
            client.stream("GET", url) as response,
        ):
            async for piece in response.aiter_raw():
                if reader.note(piece):
                    break

    return lambda url, reader: asyncio.run(read(url, reader))


def by_requests(url: str, reader: Reader) -> None:
    """Read through requests."""
    with requests.Session() as session:
        session.trust_env = False
        with session.get(url, stream=True, timeout=READ_SECONDS) as response:
            any(map(reader.note, response.iter_content(chunk_size=512)))


def by_urllib3(url: str, reader: Reader) -> None:
    """Read through urllib3."""
    with urllib3.PoolManager() as pool:
        response = pool.request("GET", url, preload_content=False, retries=False, timeout=READ_SECONDS)
        try:
            any(map(reader.note, response.stream(512)))
        finally:
            response.close()


def by_urllib3_read1(url: str, reader: Reader) -> None:
    """Read through urllib3 as a file that gives what is there."""
    with urllib3.PoolManager() as pool:
        response = pool.request("GET", url, preload_content=False, retries=False, timeout=READ_SECONDS)
        try:
            while (piece := response.read1()) and not reader.note(piece):
                pass
        finally:
            response.close()


def by_aiohttp(url: str, reader: Reader) -> None:
    """Read through aiohttp."""

    async def read() -> None:
        limit = aiohttp.ClientTimeout(sock_read=READ_SECONDS)
        async with aiohttp.ClientSession(timeout=limit) as client, client.get(url) as response:
            async for piece, _ in response.content.iter_chunks():
                if piece and reader.note(piece):  # the end of a chunk may come after it, by itself
                    break

    asyncio.run(read())


CLIENTS = {
    "httpx2": by_httpx(httpx2),
    "httpx2-async": by_async_httpx(httpx2),
    "httpx": by_httpx(httpx),
    "httpx-async": by_async_httpx(httpx),
    "requests": by_requests,
    "urllib3": by_urllib3,
    "urllib3-read1": by_urllib3_read1,
    "aiohttp": by_aiohttp,
}


def record(name: str, url: str, take: int | None = None) -> tuple[Reader, type[BaseException] | None, list[Played]]:
    """Read for real: what was read, what was raised, and what was recorded."""
    session = RecordSession(clock=SystemClock(), journal=None)
    reader, raised = read(name, url, take, session)
    return reader, raised, session.played


def replay(
    name: str, url: str, played: list[Played], take: int | None = None
) -> tuple[Reader, type[BaseException] | None, RecordedClock]:
    """Read again from what was recorded."""
    clock = RecordedClock()
    session = ReplaySession(Cassette(exchanges=tuple(each.exchange for each in played)), clock=clock)
    reader, raised = read(name, url, take, session)
    assert session.mismatch is None
    assert session.unplayed == ()
    return reader, raised, clock


def read(name: str, url: str, take: int | None, session: Any) -> tuple[Reader, type[BaseException] | None]:
    """Read once, whatever comes of it."""
    reader = Reader(take)
    with intercepted(), routed(session):
        try:
            CLIENTS[name](url, reader)
        except Exception as error:  # noqa: BLE001 - which one it is, is what the tests compare
            return reader, type(error)
    return reader, None


@pytest.mark.parametrize("name", CLIENTS)
def test_a_stream_passes_through_and_keeps_its_chunks(name: str, server: Any) -> None:
    """The first event arrives long before the last while recording; the replay gives the same chunks."""
    live, raised, played = record(name, f"{server.url}/stream")
    assert raised is None
    response = played[0].exchange.response
    assert live.seen[-1][1] - live.seen[0][1] > 0.08
    assert [chunk.size for chunk in response.chunks] == [len(piece) for piece in live.pieces]
    assert response.ending is Ending.COMPLETE
    again, _, clock = replay(name, f"{server.url}/stream", played)
    assert again.pieces == live.pieces
    assert clock.now() == played[0].exchange.started + played[0].exchange.duration
    assert server.count == 1


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(
    ("path", "ending"),
    [("/cut", Ending.CUT), ("/short", Ending.CUT), ("/reset", Ending.RESET), ("/stall", Ending.STALLED)],
)
def test_a_stream_breaks_at_the_same_byte(name: str, path: str, ending: Ending, server: Any) -> None:
    """The client sees the same bytes, then the same exception."""
    live, raised, played = record(name, f"{server.url}{path}")
    response = played[0].exchange.response
    assert response.ending is ending
    if (name, path) == ("urllib3-read1", "/short"):
        return  # urllib3 itself takes it for the end
    assert raised is not None
    assert response.body.startswith(b"".join(live.pieces))
    again, raised_again, _ = replay(name, f"{server.url}{path}", played)
    assert again.pieces == live.pieces
    assert raised_again is raised
    assert server.count == len(played)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_stream_that_is_left_is_kept_as_far_as_it_came(name: str, server: Any) -> None:
    """Leaving early says so, at once; the replay gives what was read, and nothing was sent again."""
    live, raised, played = record(name, f"{server.url}/stream", take=2)
    response = played[0].exchange.response
    assert raised is None
    assert response.ending is Ending.ABANDONED
    assert response.body.startswith(b"".join(live.pieces))
    assert len(response.chunks) < 5
    assert replay(name, f"{server.url}/stream", played, take=2)[0].pieces == live.pieces
    assert server.count == 1


@pytest.mark.parametrize("name", ["httpx2", "httpx", "requests", "aiohttp"])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_coded_stream_is_kept_decoded_piece_by_piece(name: str, coding: str, server: Any) -> None:
    """Each event stands in its own chunk, as text, and comes back so."""
    pytest.importorskip(CODERS.get(coding, "zlib"))
    url = f"{server.url}/packed-stream?{coding}"
    _, _, played = record(name, url)
    response = played[0].exchange.response
    assert [response.body] == [b"".join(EVENTS)]
    assert [chunk.size for chunk in response.chunks] == list(map(len, EVENTS))
    assert response.chunks[-1].at - response.chunks[0].at > 80_000_000
    assert replay(name, url, played)[0].pieces == EVENTS
