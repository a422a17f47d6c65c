"""Each request reaches the trial it belongs to; what belongs to none is never sent while a trial is under way."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
import requests
import vcr

from harness.cassettes import ReplaySession, assert_in_path, intercepted, routed
from harness.cassettes.probing import probe
from harness.errors import CassetteMissError, InterceptionError
from harness.records.exchange import Cassette, Exchange, HttpRequest, HttpResponse
from harness.seams import RecordedClock

TRIALS, CALLS = 200, 5


def session_of(*answers: tuple[str, str]) -> ReplaySession:
    """A session that answers GETs of these addresses with these texts."""
    exchanges = [
        Exchange(request=HttpRequest(method="GET", uri=uri), response=HttpResponse(status=200, body=text.encode()))
        for uri, text in answers
    ]
    return ReplaySession(Cassette(exchanges=tuple(exchanges)), clock=RecordedClock())


def same_calls(trial: int) -> ReplaySession:
    """A session whose requests are those of every other trial, and whose answers are its own."""
    return session_of(*((f"http://x.invalid/{call % 2}", f"{trial}-{call}") for call in range(CALLS)))


def expected(trial: int) -> list[str]:
    """What a trial must be answered: equal requests in the order of its own recording."""
    return [f"{trial}-{call}" for call in range(CALLS)]


async def test_concurrent_trials_never_mix() -> None:
    """200 trials of 5 equal calls on one loop, over one client: each gets its own answers."""

    async def run(trial: int, client: httpx2.AsyncClient) -> list[str]:
        with routed(same_calls(trial)):
            answers = []
            for call in range(CALLS):
                answers.append((await client.get(f"http://x.invalid/{call % 2}")).text)
                await asyncio.sleep(0)
            return answers

    with intercepted():
        async with httpx2.AsyncClient(trust_env=False) as client:
            found = await asyncio.gather(*(run(trial, client) for trial in range(TRIALS)))
    assert found == [expected(trial) for trial in range(TRIALS)]


@pytest.mark.parametrize("library", [httpx2, requests])
def test_trials_in_threads_never_mix(library: Any) -> None:
    """The same in 16 threads."""

    def run(trial: int) -> list[str]:
        with routed(same_calls(trial)):
            return [library.get(f"http://x.invalid/{call % 2}").text for call in range(CALLS)]

    trials = TRIALS if library is requests else 20  # a new TLS context per call is slow
    with intercepted(), ThreadPoolExecutor(16) as pool:
        found = list(pool.map(run, range(trials)))
    assert found == [expected(trial) for trial in range(trials)]


async def test_a_thread_with_its_context_belongs_to_the_trial(server: Any) -> None:
    """asyncio.to_thread carries the trial along."""
    session = session_of((f"{server.url}/a", "recorded"))
    with intercepted(), routed(session):
        response = await asyncio.to_thread(requests.get, f"{server.url}/a", timeout=1)
    assert response.text == "recorded"
    assert server.count == 0


async def test_a_task_that_outlives_its_trial_is_refused(server: Any) -> None:
    """What a trial left running is not let through later."""
    late: list[asyncio.Task[Any]] = []

    async def linger() -> None:
        await asyncio.sleep(0)
        async with httpx2.AsyncClient(trust_env=False) as client:
            await client.get(f"{server.url}/a")

    with intercepted():
        with routed(session_of()):
            late.append(asyncio.create_task(linger()))
        with pytest.raises(CassetteMissError, match="after its trial had ended"):
            await late[0]
    assert server.count == 0


async def test_a_swallowed_miss_stays_on_the_session(server: Any) -> None:
    """gather, suppress and TaskGroup hide the error from the trial, not from the session."""

    async def ask() -> None:
        async with httpx2.AsyncClient(trust_env=False) as client:
            await client.get(f"{server.url}/a")

    async def by_gather() -> None:
        results = await asyncio.gather(ask(), return_exceptions=True)
        assert isinstance(results[0], CassetteMissError)

    async def by_suppress() -> None:
        with suppress(BaseException):
            await ask()

    async def by_group() -> None:
        with suppress(BaseExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(ask())

    with intercepted():
        for swallow in (by_gather, by_suppress, by_group):
            session = session_of()
            with routed(session):
                await swallow()
            assert session.mismatch is not None
            assert session.mismatch.turn == 1
    assert server.count == 0


async def test_no_broad_except_stops_a_miss(server: Any) -> None:
    """An agent's ``except Exception`` lets the miss through."""

    async def agent() -> str:
        try:
            async with httpx2.AsyncClient(trust_env=False) as client:
                return (await client.get(f"{server.url}/a")).text
        except Exception:  # noqa: BLE001 - what agents do
            return "sorry"

    with intercepted(), routed(session_of()), pytest.raises(CassetteMissError):
        await agent()


def test_a_trial_needs_interception() -> None:
    """Without interception no trial starts."""
    with pytest.raises(InterceptionError, match=r"enter intercepted\(\) first"), routed(session_of()):
        pass


def test_a_client_that_does_not_come_by_is_noticed() -> None:
    """The proof fails where a client's requests do not reach us, here because nothing is intercepted."""
    for library in ("httpx2", "httpx", "requests", "urllib3", "aiohttp"):
        with pytest.raises(InterceptionError, match=f"requests of {library} do not reach the harness"):
            probe([library])


def test_the_proof_is_asked_of_each_client_before_the_first_trial() -> None:
    """In a new process every client that was imported is proved once, by a request that is never sent."""
    code = (
        "import aiohttp, httpx, httpx2, requests, urllib3, harness.cassettes.interception as room\n"
        "asked = []\n"
        "room.probe = lambda names: asked.append(sorted(names))\n"
        "with room.intercepted(): room.assert_in_path(); room.assert_in_path()\n"
        "print(*asked[0], len(asked))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *names, times = done.stdout.split()
    assert {"aiohttp", "http.client", "httpx", "httpx2", "requests", "urllib3"} <= set(names)
    assert times == "1"


def test_interception_counts_its_nesting(server: Any) -> None:
    """Only the last to leave restores the clients."""
    original = httpx2.HTTPTransport.handle_request
    with intercepted():
        with intercepted():
            assert httpx2.HTTPTransport.handle_request is not original
        with routed(session_of((f"{server.url}/a", "recorded"))):
            assert httpx2.get(f"{server.url}/a").text == "recorded"
    assert httpx2.HTTPTransport.handle_request is original


def test_a_lost_place_is_taken_back_before_the_next_trial(server: Any) -> None:
    """Somebody restores the original: the next trial is intercepted all the same."""
    original = httpx2.HTTPTransport.handle_request
    with intercepted():
        httpx2.HTTPTransport.handle_request = original  # type: ignore[method-assign]
        with routed(session_of((f"{server.url}/a", "recorded"))):
            assert httpx2.get(f"{server.url}/a").text == "recorded"
    assert server.count == 0
    assert httpx2.HTTPTransport.handle_request is original


LATE = """
import asyncio
import sys
from harness.cassettes import ReplaySession, intercepted, routed
from harness.errors import CassetteMissError
from harness.records.exchange import Cassette
from harness.seams import RecordedClock
def ask_aiohttp(aiohttp, url):
    async def ask():
        async with aiohttp.ClientSession() as client:
            await client.get(url)
    asyncio.run(ask())
with intercepted(), routed(ReplaySession(Cassette(exchanges=()), clock=RecordedClock())):
    assert "{library}" not in sys.modules
    import {library}
    try:
        {call}
    except CassetteMissError:
        print("refused")
print({library}.__spec__.loader.__class__.__name__)
"""


@pytest.mark.parametrize(
    ("library", "call"),
    [
        ("httpx2", "httpx2.get('URL')"),
        ("httpx", "httpx.get('URL')"),
        ("requests", "requests.get('URL')"),
        ("urllib3", "urllib3.PoolManager().request('GET', 'URL')"),
        ("aiohttp", "ask_aiohttp(aiohttp, 'URL')"),
    ],
)
def test_a_client_imported_inside_a_trial_is_intercepted(library: str, call: str, server: Any) -> None:
    """A lazy import is no way out, and leaves the module's own loader in its place."""
    code = LATE.format(library=library, call=call.replace("URL", server.url))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["refused", "SourceFileLoader"], done.stderr
    assert server.count == 0


# A user's own vcr cassettes. Their recordings go to a server that would answer.


def ask_all(url: str) -> None:
    """One request through each way out, whatever becomes of it."""
    for library in (httpx2, requests):
        with suppress(CassetteMissError):
            library.get(url, timeout=1)


def test_inside_a_trial_a_vcr_cassette_is_refused_by_name(server: Any, tmp_path: Path) -> None:
    """use_cassette inside a trial is an error with its path, and nothing goes live."""
    with intercepted(), routed(session_of()):
        with pytest.raises(InterceptionError, match=r"mine\.yaml is opened inside a trial"):
            vcr.use_cassette(str(tmp_path / "mine.yaml")).__enter__()
        ask_all(f"{server.url}/a")
    assert server.count == 0


@pytest.mark.parametrize("left_alone", [(), ("httplib",), ("httpx", "httpx2", "aiohttp")])
def test_around_a_trial_a_vcr_cassette_is_refused(left_alone: tuple[str, ...], server: Any, tmp_path: Path) -> None:
    """A cassette opened within our interception, around a trial, whatever it patches: the trial does not start."""
    with (
        intercepted(),
        vcr.use_cassette(str(tmp_path / "mine.yaml"), skip_patchers=left_alone),
        pytest.raises(InterceptionError, match="a vcr cassette is open around this trial"),
        routed(session_of()),
    ):
        pass
    assert server.count == 0


@pytest.mark.parametrize("left_alone", [(), ("httplib",), ("httpx", "httpx2", "aiohttp")])
def test_around_our_interception_a_vcr_cassette_is_refused(
    left_alone: tuple[str, ...], server: Any, tmp_path: Path
) -> None:
    """A cassette opened before our interception: no trial starts until it is left, then all is well."""
    theirs = vcr.use_cassette(str(tmp_path / "mine.yaml"), skip_patchers=left_alone)
    with ExitStack() as outer:
        theirs.__enter__()
        outer.enter_context(intercepted())
        with pytest.raises(InterceptionError, match="a vcr cassette"), routed(session_of()):
            pass
        theirs.__exit__(None, None, None)
        with routed(session_of((f"{server.url}/a", "recorded"))):
            assert httpx2.get(f"{server.url}/a").text == "recorded"
            ask_all(f"{server.url}/b")
    assert server.count == 0
    assert httpx2.get(f"{server.url}/free").status_code == 200


ORDERS = [
    "enter-theirs enter-ours leave-theirs trial leave-ours",
    "enter-theirs enter-ours trial leave-theirs leave-ours",
    "enter-theirs enter-ours trial leave-ours leave-theirs",
    "enter-ours enter-theirs trial leave-theirs leave-ours",
    "enter-ours enter-theirs trial leave-ours leave-theirs",
    "enter-ours enter-theirs leave-theirs trial leave-ours",
    "enter-theirs enter-ours leave-theirs enter-ours leave-ours trial leave-ours",
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", ["once", "all", "none"])
def test_in_no_order_does_a_trial_go_live(order: str, mode: str, server: Any, tmp_path: Path) -> None:
    """However a cassette and our interception overlap, the trial is refused or replayed, never live."""
    theirs = vcr.use_cassette(str(tmp_path / "mine.yaml"), record_mode=mode)
    ours: list[Any] = []
    for step in order.split():
        if step == "enter-theirs":
            theirs.__enter__()
        elif step == "leave-theirs":
            theirs.__exit__(None, None, None)
        elif step == "enter-ours":
            ours.append(intercepted())
            ours[-1].__enter__()
        elif step == "leave-ours":
            ours.pop().__exit__(None, None, None)
        else:
            with suppress(InterceptionError), routed(session_of()):
                ask_all(f"{server.url}/a")
    assert server.count == 0


@pytest.mark.parametrize("library", [httpx2, requests])
def test_outside_trials_a_vcr_cassette_works_as_ever(library: Any, server: Any, tmp_path: Path) -> None:
    """Within our interception a user's own test records and replays with their cassette."""
    path = str(tmp_path / "mine.yaml")
    with intercepted():
        with vcr.use_cassette(path):
            live = library.get(f"{server.url}/a").text
        with vcr.use_cassette(path, record_mode="none"):
            assert library.get(f"{server.url}/a").text == live
        assert_in_path()
    assert server.count == 1
