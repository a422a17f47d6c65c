"""A client's own time limits end its waits in a replay as they do in life, at the same instant of the trial's time."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import aiohttp
import anthropic
import httpx
import httpx2
import openai
import pytest
import requests
import urllib3

from harness.cassettes import RecordSession, ReplaySession, assert_in_path, intercepted, routed
from harness.cassettes.failures import NO_RESPONSE, Failure, failed_response, read_limits
from harness.errors import CassetteMissError
from harness.records.exchange import Cassette, Ending, Exchange, HttpRequest, HttpResponse
from harness.seams import RecordedClock, SystemClock
from harness.virtual import NANOSECONDS, Steering, VirtualClock, VirtualLoop, steered, steering
from tests.cassettes.plain_doors import DOORS, Seen

LONG = 30.0
"""Seconds that no answer takes here."""


def record(work: Callable[[], Any]) -> tuple[Any, tuple[Exchange, ...]]:
    """What the work gives for real, and what was recorded."""
    session = RecordSession(clock=SystemClock(), journal=None)
    with intercepted(), routed(session):
        result = work()
    return result, tuple(each.exchange for each in session.played)


def replay(exchanges: tuple[Exchange, ...], work: Callable[[], Any], *, day: int = 0) -> tuple[Any, int, ReplaySession]:
    """What the work gives in a trial that begins on a day, when that was over in the trial's time, and the session."""

    async def main() -> tuple[Any, int, ReplaySession]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        clock = VirtualClock(loop)
        session = ReplaySession(Cassette(exchanges=exchanges), clock=clock)
        calendar = lambda: day * NANOSECONDS + clock.now()  # noqa: E731
        with steering(Steering(clock=clock, calendar=calendar)), routed(session):
            result = await (work() if inspect.iscoroutinefunction(work) else asyncio.to_thread(work))
        return result, clock.now(), session

    with intercepted(), steered():
        assert_in_path()  # it may ask clients that were just imported: not in the trial's time
        return VirtualLoop(patience=60).run(main())


def seconds(nanoseconds: int) -> float:
    """As clients take them."""
    return nanoseconds / NANOSECONDS


def waits(exchange: Exchange) -> list[int]:
    """How long each piece of a recorded body, and its end, was waited for."""
    instants = [exchange.head, *(chunk.at for chunk in exchange.response.chunks), exchange.duration]
    return [after - before for before, after in itertools.pairwise(instants)]


@pytest.mark.parametrize("name", DOORS)
def test_a_late_head_is_not_waited_for(name: str, server: Any) -> None:
    """Where its client's limit is shorter than the recorded wait, it raises what it raises in life, at the limit."""
    url = f"{server.url}/late"
    live: Seen = record(lambda: DOORS[name](url, b"{}", 0, 0.02))[0]
    _, (exchange,) = record(lambda: DOORS[name](url, b"{}", 0, LONG))
    limit = exchange.head // 2
    seen, ended, session = replay((exchange,), lambda: DOORS[name](url, b"{}", 0, seconds(limit)))
    assert seen.failure == live.failure != ""
    assert seen.status == 0
    assert ended == exchange.started + limit
    (played,) = session.played
    assert played.exchange.response == failed_response(Failure.READ_TIMEOUT)
    assert played.exchange.duration == limit
    assert session.unplayed == ()


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize("path", ["stream", "dribble"])
def test_the_limit_is_for_each_piece(name: str, path: str, server: Any) -> None:
    """A body that takes longer than the limit in all comes whole, as long as no single wait does."""
    url = f"{server.url}/{path}"
    live, (exchange,) = record(lambda: DOORS[name](url, b"{}", 0, LONG))
    longest = max(exchange.head, *waits(exchange))
    assert exchange.duration > 2 * longest
    seen, ended, _ = replay((exchange,), lambda: DOORS[name](url, b"{}", 0, seconds(longest + 1)))
    assert seen.whole == live.whole
    assert live.failure == ""
    assert ended == exchange.started + exchange.duration


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize("path", ["stream", "dribble"])
def test_a_piece_that_is_late_is_not_waited_for(name: str, path: str, server: Any) -> None:
    """The client has what came before, then raises what it raises in life, at the limit; that is also what is noted."""
    url = f"{server.url}/{path}"
    live: Seen = record(lambda: DOORS[name](url, b"{}", 0, 0.02))[0]
    _, (exchange,) = record(lambda: DOORS[name](url, b"{}", 0, LONG))
    limit = waits(exchange)[0] // 2
    recorded = exchange.model_copy(update={"head": min(exchange.head, limit)})
    seen, ended, session = replay((recorded,), lambda: DOORS[name](url, b"{}", 0, seconds(limit)))
    assert seen.failure == live.failure != ""
    assert (seen.status, seen.pieces) == (200, ())
    assert ended == recorded.started + recorded.head + limit
    response = session.played[0].exchange.response
    assert (response.body, response.chunks, response.ending) == (b"", (), Ending.STALLED)


def by_client(module: Any, url: str, limit: float) -> None:
    """Ask by a client that has a limit for all its requests."""
    with module.Client(trust_env=False, timeout=limit) as client:
        client.post(url)


WAYS: dict[str, Callable[[str, float], Any]] = {
    "httpx2, one request": lambda url, limit: httpx2.post(url, timeout=httpx2.Timeout(None, read=limit)),
    "httpx, the client": partial(by_client, httpx),
    "requests, one number": lambda url, limit: requests.post(url, timeout=limit),
    "requests, two": lambda url, limit: requests.post(url, timeout=(LONG, limit)),
    "urllib3, read": lambda url, limit: urllib3.request("POST", url, timeout=urllib3.Timeout(read=limit)),
    "urllib3, total": lambda url, limit: urllib3.request("POST", url, timeout=urllib3.Timeout(total=limit)),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_say_a_limit_counts(way: str, server: Any) -> None:
    """By request, by client, for all, for reads only, for the whole."""
    ask, url = WAYS[way], f"{server.url}/late"
    _, (exchange,) = record(lambda: ask(url, LONG))
    limit = exchange.head // 2
    errors = (httpx2.ReadTimeout, httpx.ReadTimeout, requests.ReadTimeout, urllib3.exceptions.HTTPError)

    def work() -> int:
        with pytest.raises(errors, match=r"(?i)timed out"):
            ask(url, seconds(limit))
        return time.monotonic_ns()

    assert replay((exchange,), work)[0] == exchange.started + limit


@pytest.mark.parametrize("part", ["head", "body"])
def test_aiohttps_limit_for_the_whole_counts(part: str, server: Any) -> None:
    """It ends the wait for a head as well as that for a body, and what had come by then is noted."""
    url = f"{server.url}/{'late' if part == 'head' else 'stream'}"

    async def ask(limit: float) -> bytes:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=limit)) as client,
            client.post(url) as response,
        ):
            return await response.read()

    _, (exchange,) = record(lambda: asyncio.run(ask(LONG)))
    limit = exchange.head // 2 if part == "head" else (exchange.head + exchange.duration) // 2
    recorded = exchange.model_copy(update={"started": 0})

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await ask(seconds(limit))

    _, ended, session = replay((recorded,), work)
    assert ended == limit
    noted = session.played[0].exchange
    assert noted.duration == limit
    assert noted.response.ending is Ending.STALLED
    assert noted.response.status == (NO_RESPONSE if part == "head" else 200)
    assert exchange.response.body.startswith(noted.response.body)


def openai_call(stream: bool, **options: Any) -> dict[str, Any]:
    """A call of Chat Completions."""
    return {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}], "stream": stream, **options}


def by_openai(url: str, limit: float, *, stream: bool) -> None:
    """Ask with a limit for this request."""
    with openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0) as client:
        answer: Any = client.chat.completions.create(**openai_call(stream, timeout=limit))
        list(answer)


def by_anthropic(url: str, limit: float, *, stream: bool) -> None:
    """Ask with a limit for all requests of the client."""
    with anthropic.Anthropic(api_key="k", base_url=url, max_retries=0, timeout=limit) as client:
        options: Any = {"stream": stream} if stream else {}
        answer: Any = client.messages.create(
            model="claude-any", max_tokens=9, messages=[{"role": "user", "content": "Hi"}], **options
        )
        list(answer)


def by_async_openai(url: str, limit: float, *, stream: bool) -> None:
    """The same by the async client."""

    async def ask() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0) as client:
            answer: Any = await client.chat.completions.create(**openai_call(stream, timeout=limit))
            if stream:
                async for _ in answer:
                    pass

    asyncio.run(ask())


def by_async_anthropic(url: str, limit: float, *, stream: bool) -> None:
    """The same by the async client, with a limit for this request."""

    async def ask() -> None:
        async with anthropic.AsyncAnthropic(api_key="k", base_url=url, max_retries=0) as client:
            options: Any = {"stream": stream} if stream else {}
            messages: Any = [{"role": "user", "content": "Hi"}]
            answer: Any = await client.messages.create(
                model="claude-any", max_tokens=9, messages=messages, timeout=limit, **options
            )
            if stream:
                async for _ in answer:
                    pass

    asyncio.run(ask())


@pytest.mark.parametrize("ask", [by_openai, by_async_openai, by_anthropic, by_async_anthropic])
@pytest.mark.parametrize("stream", [False, True])
def test_the_sdks_limits_count(ask: Callable[..., None], stream: bool, server: Any) -> None:
    """The official SDKs raise their own timeout at their limit, plain and streamed, sync and async."""
    _, (exchange,) = record(lambda: ask(server.url, LONG, stream=stream))
    limit = exchange.head // 2

    def work() -> None:
        with pytest.raises((openai.APITimeoutError, anthropic.APITimeoutError)):
            ask(server.url, seconds(limit), stream=stream)

    assert replay((exchange,), work)[1] == exchange.started + limit


def test_a_retry_after_a_limit_that_nothing_answers_says_why(server: Any) -> None:
    """The request was answered once, so the retry is a miss, whose cause names the limit and the recorded wait."""

    def ask(limit: float) -> None:
        with openai.OpenAI(api_key="k", base_url=f"{server.url}/v1", max_retries=2, timeout=limit) as client:
            client.chat.completions.create(**openai_call(stream=False))

    _, (exchange,) = record(lambda: ask(LONG))
    session = ReplaySession(Cassette(exchanges=(exchange,)), clock=RecordedClock())
    limit = exchange.head // 2
    with intercepted(), routed(session), pytest.raises(CassetteMissError):
        ask(seconds(limit))
    assert session.mismatch is not None
    said = f"call 1 came to the client's own time limit, {seconds(limit):g} s, where {seconds(exchange.head):g} s were"
    assert said in session.mismatch.cause


def failing(failure: Failure, duration: float) -> Exchange:
    """An exchange without a response."""
    request = HttpRequest(method="GET", uri="http://127.0.0.1:9/")
    return Exchange(request=request, response=failed_response(failure), duration=round(duration * NANOSECONDS))


@pytest.mark.parametrize("module", [httpx, httpx2])
@pytest.mark.parametrize(
    ("failure", "limit", "raised", "at"),
    [
        (Failure.CONNECT_TIMEOUT, 2, "ConnectTimeout", 2),
        (Failure.CONNECT_TIMEOUT, 9, "ConnectTimeout", 5),
        (Failure.CONNECT_ERROR, 2, "ConnectTimeout", 2),
        (Failure.CONNECT_ERROR, 9, "ConnectError", 5),
        (Failure.POOL_TIMEOUT, 2, "PoolTimeout", 2),
        (Failure.WRITE_ERROR, 2, "WriteTimeout", 2),
        (Failure.READ_TIMEOUT, 2, "ReadTimeout", 2),
        (Failure.READ_TIMEOUT, 9, "ReadTimeout", 5),
        (Failure.REMOTE_PROTOCOL_ERROR, 2, "ReadTimeout", 2),
    ],
)
def test_a_failure_comes_no_later_than_the_limit_for_its_kind(
    module: Any, failure: Failure, limit: float, raised: str, at: float
) -> None:
    """What was waited for in vain for 5 s is waited for as long as today's limit of that kind allows."""
    of_kind = {"ConnectTimeout": "connect", "ConnectError": "connect", "PoolTimeout": "pool", "WriteTimeout": "write"}
    limits = dict.fromkeys(("connect", "read", "write", "pool"), 1.0) | {of_kind.get(raised, "read"): limit}

    def work() -> None:
        with (
            module.Client(trust_env=False, timeout=module.Timeout(**limits)) as client,
            pytest.raises(getattr(module, raised)),
        ):
            client.get("http://127.0.0.1:9/")

    assert replay((failing(failure, 5),), work)[1] == at * NANOSECONDS


async def by_aiohttp(limit: float) -> None:
    """Ask with a limit for each attempt to connect."""
    limits = aiohttp.ClientTimeout(sock_connect=limit)
    async with aiohttp.ClientSession(timeout=limits) as client, client.get("http://127.0.0.1:9/"):
        pass


CONNECTING: dict[str, tuple[Callable[[float], Any], type[Exception]]] = {
    "requests": (lambda limit: requests.get("http://127.0.0.1:9/", timeout=(limit, 1)), requests.ConnectTimeout),
    "urllib3": (
        lambda limit: urllib3.request(
            "GET", "http://127.0.0.1:9/", timeout=urllib3.Timeout(connect=limit, read=1), retries=False
        ),
        urllib3.exceptions.ConnectTimeoutError,
    ),
    "aiohttp": (lambda limit: asyncio.run(by_aiohttp(limit)), aiohttp.ConnectionTimeoutError),
}


@pytest.mark.parametrize("name", CONNECTING)
@pytest.mark.parametrize(("limit", "at"), [(2, 2), (9, 5)])
def test_each_client_gives_up_connecting(name: str, limit: float, at: float) -> None:
    """A server that could not be reached within 5 s is given up sooner with a shorter limit, and never later."""
    ask, raised = CONNECTING[name]

    def work() -> None:
        with pytest.raises(raised):
            ask(limit)

    assert replay((failing(Failure.CONNECT_TIMEOUT, 5),), work)[1] == at * NANOSECONDS


class Hand:
    """A clock that is moved by hand."""

    def __init__(self, *instants: float) -> None:
        self._instants: Iterator[int] = iter([round(each * NANOSECONDS) for each in instants])

    def now(self) -> int:
        """The next instant."""
        return next(self._instants)

    async def sleep(self, seconds: float) -> None:
        """Not needed."""


def test_what_came_in_time_while_recorded_comes_in_time_in_each_replay() -> None:
    """Time to connect, and time in which the agent was busy, count against no limit: the client waited for neither."""
    request = HttpRequest(method="GET", uri="http://127.0.0.1:9/")
    # connecting took 3 s, the head 2 s; the agent was busy for 6 s before it read on
    session = RecordSession(clock=Hand(0, 5, 7, 13, 13.5), journal=None)
    recording = session.meet(request)
    recording.limits = read_limits({Failure.READ_TIMEOUT: 2})
    recording.answer(HttpResponse(status=200, headers=(("content-type", "text/event-stream"),)))
    recording.add(b"one")
    recording.add(b"two")
    recording.end()
    exchange = session.played[0].exchange
    assert (exchange.started, exchange.head) == (3 * NANOSECONDS, 2 * NANOSECONDS)
    assert [chunk.at for chunk in exchange.response.chunks] == [4 * NANOSECONDS, 6 * NANOSECONDS]
    assert max(waits(exchange)) == 2 * NANOSECONDS


def test_a_limit_that_passed_while_recording_passes_at_the_same_instant(server: Any) -> None:
    """The recording ends at the limit exactly, and so does each replay with the same one."""

    def work() -> None:
        with httpx2.Client(trust_env=False, timeout=0.05) as client, pytest.raises(httpx2.ReadTimeout):
            client.get(f"{server.url}/late")

    _, (exchange,) = record(work)
    assert exchange.duration == 0.05 * NANOSECONDS
    _, ended, session = replay((exchange,), work)
    assert ended == exchange.started + exchange.duration
    assert session.played[0].exchange == exchange
