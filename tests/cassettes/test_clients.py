"""What was on the wire comes back from the recording, for each client that we claim, and nothing is sent again."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3

from harness.cassettes import (
    Journal,
    Played,
    RecordSession,
    ReplaySession,
    assert_in_path,
    intercepted,
    load_cassette,
    routed,
    save_cassette,
)
from harness.errors import CassetteMissError
from harness.records.exchange import Cassette, Ending
from harness.seams import RecordedClock, SystemClock
from tests.cassettes.conftest import CODERS

BODY = b'{"ask": "caf\xc3\xa9"}'
JSON = {"content-type": "application/json", "authorization": "Bearer not-to-be-kept-0123456789"}


def sync_httpx(module: Any) -> Callable[[str, bytes], tuple[int, bytes]]:
    """Ask through a sync client of httpx or httpx2."""

    def ask(url: str, body: bytes) -> tuple[int, bytes]:
        with module.Client(trust_env=False) as client:
            response = client.post(url, content=body, headers=JSON)
            return response.status_code, response.content

    return ask


def async_httpx(module: Any) -> Callable[[str, bytes], tuple[int, bytes]]:
    """Ask through an async client of httpx or httpx2."""

    async def ask(url: str, body: bytes) -> tuple[int, bytes]:
        async with module.AsyncClient(trust_env=False) as client:
            response = await client.post(url, content=body, headers=JSON)
            return response.status_code, response.content

    return lambda url, body: asyncio.run(ask(url, body))


def by_requests(url: str, body: bytes) -> tuple[int, bytes]:
    """Ask through requests."""
    with requests.Session() as session:
        session.trust_env = False
        response = session.post(url, data=body, headers=JSON)
        return response.status_code, response.content


def by_urllib3(url: str, body: bytes) -> tuple[int, bytes]:
    """Ask through urllib3."""
    with urllib3.PoolManager() as pool:
        response = pool.request("POST", url, body=body, headers=JSON, retries=False)
        return response.status, response.data


def by_aiohttp(url: str, body: bytes) -> tuple[int, bytes]:
    """Ask through aiohttp."""

    async def ask() -> tuple[int, bytes]:
        async with aiohttp.ClientSession() as client, client.post(url, data=body, headers=JSON) as response:
            return response.status, await response.read()

    return asyncio.run(ask())


CLIENTS = {
    "httpx2": sync_httpx(httpx2),
    "httpx2-async": async_httpx(httpx2),
    "httpx": sync_httpx(httpx),
    "httpx-async": async_httpx(httpx),
    "requests": by_requests,
    "urllib3": by_urllib3,
    "aiohttp": by_aiohttp,
}


def record(work: Callable[[], Any]) -> tuple[Any, list[Played]]:
    """Do the work for real, and what was recorded."""
    session = RecordSession(clock=SystemClock(), journal=None)
    with intercepted(), routed(session):
        result = work()
    return result, session.played


def replay(played: list[Played], work: Callable[[], Any]) -> tuple[Any, ReplaySession]:
    """Do the work again from what was recorded."""
    session = ReplaySession(cassette_of(played), clock=RecordedClock())
    with intercepted(), routed(session):
        result = work()
    return result, session


def cassette_of(played: list[Played]) -> Cassette:
    """What was recorded, without its metadata."""
    return Cassette(exchanges=tuple(each.exchange for each in played))


@pytest.mark.parametrize("name", CLIENTS)
def test_each_client_is_recorded_and_replayed(name: str, server: Any, tmp_path: Path) -> None:
    """Three calls, two of them equal, come back in order from the file; the server hears of none of them."""
    ask = CLIENTS[name]

    def work() -> list[tuple[int, bytes]]:
        return [ask(f"{server.url}/v1/one", BODY), ask(f"{server.url}/v1/one", BODY), ask(f"{server.url}/v1/two", b"2")]

    live, played = record(work)
    assert server.count == 3
    assert [each.exchange.request.body for each in played] == [BODY, BODY, b"2"]
    save_cassette(tmp_path / "c.yaml", cassette_of(played))
    session = ReplaySession(load_cassette(tmp_path / "c.yaml"), clock=RecordedClock())
    with intercepted(), routed(session):
        assert work() == live
    assert server.count == 3
    assert session.unplayed == ()
    assert [each.exchange for each in session.played] == [each.exchange for each in played]


@pytest.mark.parametrize("name", CLIENTS)
def test_a_request_without_a_recording_is_a_miss(name: str, server: Any) -> None:
    """Each client raises the miss, sends nothing, and the session keeps it."""
    session = ReplaySession(Cassette(exchanges=()), clock=RecordedClock())
    with (
        intercepted(),
        routed(session),
        pytest.raises(CassetteMissError, match=r"call 1: `POST http.*` is not in the recording"),
    ):
        CLIENTS[name](f"{server.url}/v1/one", BODY)
    assert session.mismatch is not None
    assert server.count == 0


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_compressed_replies_come_back_as_content(name: str, coding: str, server: Any) -> None:
    """A coded reply is kept decoded, and the client gets the same content live and replayed."""
    pytest.importorskip(CODERS.get(coding, "zlib"))
    live, played = record(lambda: CLIENTS[name](f"{server.url}/{coding}", BODY))
    assert live == (200, b'{"packed": true}')
    assert played[0].exchange.response.body == b'{"packed": true}'
    assert replay(played, lambda: CLIENTS[name](f"{server.url}/{coding}", BODY))[0] == live


@pytest.mark.parametrize("name", CLIENTS)
def test_keys_and_cookies_are_not_kept(name: str, server: Any) -> None:
    """A request's headers are not kept, but for few; a response's are, with the value of a cookie masked."""
    _, played = record(lambda: CLIENTS[name](f"{server.url}/v1/one", BODY))
    exchange = played[0].exchange
    assert {header for header, _ in exchange.request.headers} <= {"accept", "content-type"}
    headers = dict(exchange.response.headers)
    assert headers.keys() == {"content-length", "content-type", "date", "set-cookie", "x-request-id"}
    assert headers["set-cookie"] == "secret=*masked*"


@pytest.mark.parametrize("name", CLIENTS)
def test_a_dropped_connection_is_dropped_again(name: str, server: Any) -> None:
    """A server that hangs up without a word gives the same exception class, live and replayed."""

    def work() -> type[BaseException]:
        with pytest.raises(Exception, match=r".") as caught:
            CLIENTS[name](f"{server.url}/drop", BODY)
        return caught.type

    live, played = record(work)
    again, session = replay(played, work)
    assert again is live
    assert session.mismatch is None
    assert server.count == len(played)


@pytest.mark.parametrize("module", [httpx, httpx2])
def test_a_refused_connection_is_refused_again(module: Any) -> None:
    """Where nobody listens, the replay raises the client's own connection error."""

    def work() -> None:
        with pytest.raises(module.ConnectError):
            sync_httpx(module)("http://127.0.0.1:9/v1", BODY)

    _, played = record(work)
    replay(played, work)


@pytest.mark.parametrize("module", [httpx, httpx2])
def test_a_timeout_is_a_timeout_again(module: Any, server: Any) -> None:
    """A reply that did not come in time gives a read timeout, and its recorded time passes on the trial's clock."""

    def work() -> None:
        with module.Client(trust_env=False, timeout=0.2) as client, pytest.raises(module.ReadTimeout):
            client.get(f"{server.url}/slow")

    _, played = record(work)
    assert played[0].exchange.duration >= 200_000_000
    clock = RecordedClock()
    session = ReplaySession(cassette_of(played), clock=clock)
    with intercepted(), routed(session):
        work()
    assert clock.now() == played[0].exchange.started + played[0].exchange.duration


@pytest.mark.parametrize("module", [httpx, httpx2])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_streams_pass_through_and_keep_their_chunks(module: Any, kind: str, server: Any) -> None:
    """The first event arrives long before the last while recording; the replay gives the same chunks."""

    def read() -> list[tuple[bytes, float]]:
        with module.Client(trust_env=False) as client, client.stream("GET", f"{server.url}/stream") as response:
            return [(piece, time.perf_counter()) for piece in response.iter_raw()]

    async def read_async() -> list[tuple[bytes, float]]:
        async with (
            module.AsyncClient(trust_env=False) as client,
            client.stream("GET", f"{server.url}/stream") as response,
        ):
            return [(piece, time.perf_counter()) async for piece in response.aiter_raw()]

    work = read if kind == "sync" else lambda: asyncio.run(read_async())
    live, played = record(work)
    response = played[0].exchange.response
    assert live[-1][1] - live[0][1] > 0.08
    assert [chunk.size for chunk in response.chunks] == [len(piece) for piece, _ in live]
    assert response.ending is Ending.COMPLETE
    again, _ = replay(played, work)
    assert [piece for piece, _ in again] == [piece for piece, _ in live]
    assert again[-1][1] - again[0][1] < 0.03
    assert server.count == 1


@pytest.mark.parametrize("module", [httpx, httpx2])
def test_a_cut_stream_breaks_at_the_same_byte(module: Any, server: Any) -> None:
    """The client sees the same bytes, then the same exception."""

    def work() -> bytes:
        seen: list[bytes] = []
        with (
            module.Client(trust_env=False) as client,
            client.stream("GET", f"{server.url}/cut") as response,
            pytest.raises(module.RemoteProtocolError),
        ):
            seen.extend(response.iter_raw())
        return b"".join(seen)

    live, played = record(work)
    assert played[0].exchange.response.ending is Ending.CUT
    assert len(live) == sum(chunk.size for chunk in played[0].exchange.response.chunks) > 0
    assert replay(played, work)[0] == live


def test_a_stream_that_the_agent_leaves_is_kept_as_far_as_it_came(server: Any) -> None:
    """Leaving a stream early records what was read, and says so; a stream still open at the end counts as left."""

    def leave() -> None:
        with httpx2.Client(trust_env=False) as client, client.stream("GET", f"{server.url}/stream") as response:
            next(response.iter_raw())

    def forget() -> None:
        client = httpx2.Client(trust_env=False)
        open_ones.append((client, client.send(client.build_request("GET", f"{server.url}/stream"), stream=True)))

    open_ones: list[Any] = []
    for work in (leave, forget):
        _, played = record(work)
        assert [each.exchange.response.ending for each in played] == [Ending.ABANDONED]
    for client, response in open_ones:
        response.close()
        client.close()


def test_a_replayed_stream_is_read_once(server: Any) -> None:
    """A client that reads on after the end, as the openai SDK does, gets nothing more instead of a new start."""

    def work() -> tuple[int, int]:
        with httpx2.Client(trust_env=False) as client, client.stream("GET", f"{server.url}/stream") as response:
            return len(list(response.stream)), len(list(response.stream))

    live, played = record(work)
    assert live[0] > 0
    assert live[1] == 0
    assert replay(played, work)[0] == live


def test_a_limited_call_is_limited_once(server: Any) -> None:
    """429 and then 200 to equal requests come back in that order."""

    def work() -> list[int]:
        return [CLIENTS["httpx2"](f"{server.url}/limited", BODY)[0] for _ in range(2)]

    live, played = record(work)
    assert live == [429, 200]
    assert replay(played, work)[0] == live


def test_recorded_time_passes_in_replay(server: Any) -> None:
    """The clock stands at the end of the last exchange that was read, to the nanosecond."""
    _, played = record(lambda: CLIENTS["httpx2"](f"{server.url}/stream", BODY))
    clock = RecordedClock()
    session = ReplaySession(cassette_of(played), clock=clock)
    with intercepted(), routed(session):
        CLIENTS["httpx2"](f"{server.url}/stream", BODY)
    exchange = played[0].exchange
    assert exchange.duration > exchange.head > 0
    assert clock.now() == exchange.started + exchange.duration


@pytest.mark.parametrize("path", ["v1/one", "stream"])
@pytest.mark.parametrize("name", CLIENTS)
def test_the_journal_holds_each_exchange_before_its_end_is_told(
    name: str, path: str, server: Any, tmp_path: Path
) -> None:
    """After each call, before the trial ends, the journal reads as a cassette of what has ended."""
    journal = tmp_path / "deep" / "1.journal"
    session = RecordSession(clock=SystemClock(), journal=Journal(journal))
    with intercepted(), routed(session):
        for count in (1, 2):
            CLIENTS[name](f"{server.url}/{path}", BODY)
            assert load_cassette(journal).exchanges == cassette_of(session.played).exchanges
            assert len(session.played) == count


def test_the_user_turn_is_noted_with_each_exchange(server: Any) -> None:
    """What the runner says of the turn stands beside each exchange."""
    session = RecordSession(clock=SystemClock(), journal=None)
    with intercepted(), routed(session):
        for turn in (1, 2):
            session.user_turn = turn
            CLIENTS["requests"](f"{server.url}/v1/one", BODY)
    assert [each.user_turn for each in session.played] == [1, 2]


def test_plain_http_client_is_refused_by_name(server: Any) -> None:
    """In a trial urllib.request is refused, replayed or recorded; outside it works."""
    with intercepted():
        with urllib.request.urlopen(f"{server.url}/free") as response:
            assert response.status == 200
        session = ReplaySession(Cassette(exchanges=()), clock=RecordedClock())
        with routed(session), pytest.raises(CassetteMissError, match=r"plain http\.client"):
            urllib.request.urlopen(f"{server.url}/held")
        assert session.mismatch is not None
        recording = RecordSession(clock=SystemClock(), journal=None)
        with routed(recording), pytest.raises(CassetteMissError, match=r"plain http\.client"):
            urllib.request.urlopen(f"{server.url}/held")
    assert [path for _, path, _ in server.received] == ["/free"]


@pytest.mark.parametrize("name", CLIENTS)
def test_outside_trials_everything_is_as_it_was(name: str, server: Any) -> None:
    """While intercepted, but with no trial under way, requests go where they always went."""
    with intercepted():
        assert_in_path()
        assert CLIENTS[name](f"{server.url}/v1/one", BODY)[0] == 200
    assert CLIENTS[name](f"{server.url}/v1/one", BODY)[0] == 200
    assert server.count == 2


def test_a_streamed_upload_is_recorded_whole(server: Any) -> None:
    """A body that can be read once reaches both the server and the recording."""

    async def upload() -> int:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"one "
            yield b"two"

        async with httpx2.AsyncClient(trust_env=False) as client:
            return (await client.post(f"{server.url}/up", content=pieces())).status_code

    _, played = record(lambda: asyncio.run(upload()))
    assert server.received[0][2] in (b"one two", b"")
    assert played[0].exchange.request.body == b"one two"
    replay(played, lambda: asyncio.run(upload()))


def test_exchanges_stand_in_the_order_in_which_they_began(server: Any) -> None:
    """A call that ends later but began first comes first."""

    async def both() -> None:
        async with httpx2.AsyncClient(trust_env=False) as client:
            await asyncio.gather(client.get(f"{server.url}/stream"), client.get(f"{server.url}/v1/quick"))

    _, played = record(lambda: asyncio.run(both()))
    paths = [each.exchange.request.uri.removeprefix(server.url) for each in played]
    assert paths == ["/stream", "/v1/quick"]
    durations = [each.exchange.duration for each in played]
    assert durations[0] > durations[1]


@pytest.mark.parametrize("name", ["requests", "aiohttp"])
def test_redirects_are_followed_again(name: str, server: Any) -> None:
    """A redirect and its target are two exchanges, and lead to the same place in the replay."""
    live, played = record(lambda: CLIENTS[name](f"{server.url}/moved", BODY))
    assert [each.exchange.response.status for each in played] == [302, 200]
    again, session = replay(played, lambda: CLIENTS[name](f"{server.url}/moved", BODY))
    assert again == live
    assert session.unplayed == ()
    assert server.count == 2


def test_a_body_read_in_pieces_is_the_same_body(server: Any) -> None:
    """requests' own streaming gives the same lines, live and replayed."""

    def work() -> list[bytes]:
        with requests.Session() as session, session.get(f"{server.url}/stream", stream=True) as response:
            return [line for line in response.iter_lines(chunk_size=1) if line]

    live, played = record(work)
    assert live[-1] == b"data: [DONE]"
    assert replay(played, work)[0] == live


def test_a_pool_that_blocks_gets_its_connections_back(server: Any) -> None:
    """Recorded or replayed, a connection returns to a pool of one."""

    def work() -> list[int]:
        with urllib3.HTTPConnectionPool("127.0.0.1", int(server.url.rpartition(":")[2]), maxsize=1, block=True) as pool:
            return [pool.request("GET", "/v1/x", pool_timeout=1, preload_content=False).data[0] for _ in range(3)]

    live, played = record(work)
    assert replay(played, work)[0] == live
    assert server.count == 3


@pytest.mark.parametrize("work", [by_requests, by_urllib3])
def test_reading_on_until_the_end_ends(work: Any, server: Any) -> None:
    """A body that came whole can be read by a loop over its pieces, live and replayed."""

    def pieces() -> list[bytes]:
        if work is by_urllib3:
            with urllib3.PoolManager() as pool:
                response = pool.request("GET", f"{server.url}/v1/any", preload_content=False)
                return list(response.stream(None, decode_content=True))
        with requests.Session() as session:
            return list(session.get(f"{server.url}/v1/any", stream=True).iter_content(None))

    live, played = record(pieces)
    assert replay(played, pieces)[0] == live
