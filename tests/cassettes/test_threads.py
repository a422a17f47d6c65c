"""Threads and pools work for the trial that gave them the work; a thread that got it from none is refused."""

from __future__ import annotations

import asyncio
import functools
import pickle
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib import import_module
from multiprocessing.pool import ThreadPool
from random import Random
from types import ModuleType
from typing import Any

import httpx2
import pytest
import requests

from harness.cassettes import RecordSession, ReplaySession, Session, intercepted, routed
from harness.cassettes.interception import covered
from harness.errors import CassetteMissError
from harness.records.exchange import Cassette, Exchange, HttpRequest, HttpResponse
from harness.seams import RecordedClock, SystemClock
from harness.virtual import Steering, steered, steering

AT_IMPORT = ThreadPoolExecutor(2)
"""A pool that is older than any trial, as a module of an agent may make one."""


@contextmanager
def trials() -> Iterator[None]:
    """What is in force while trials run."""
    with intercepted(), steered():
        yield


def ask(url: str) -> str:
    """What one request is answered."""
    return requests.get(f"{url}/a", timeout=5).text


def session_of(url: str, *answers: str) -> ReplaySession:
    """Answers one and the same request with each of these in turn."""
    request = HttpRequest(method="GET", uri=f"{url}/a")
    exchanges = [Exchange(request=request, response=HttpResponse(status=200, body=each.encode())) for each in answers]
    return ReplaySession(Cassette(exchanges=tuple(exchanges)), clock=RecordedClock())


def by_thread(work: Callable[[], str]) -> str:
    """In a thread with a target."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def by_own_thread(work: Callable[[], str]) -> str:
    """In a thread with a method `run` of its own."""

    class Worker(threading.Thread):
        found = ""

        def run(self) -> None:
            self.found = work()

    worker = Worker()
    worker.start()
    worker.join()
    return worker.found


def by_timer(work: Callable[[], str]) -> str:
    """In a timer."""
    found: list[str] = []
    timer = threading.Timer(0, lambda: found.append(work()))
    timer.start()
    timer.join()
    return found[0]


def by_thread_in_thread(work: Callable[[], str]) -> str:
    """In a thread that a thread starts."""
    return by_thread(lambda: by_thread(work))


def by_new_pool(work: Callable[[], str]) -> str:
    """In a pool of the trial's own."""
    with ThreadPoolExecutor(2) as pool:
        return pool.submit(work).result()


def by_map(work: Callable[[], str]) -> str:
    """In a pool of the trial's own, through `map`."""
    with ThreadPoolExecutor(2) as pool:
        return next(pool.map(lambda _: work(), [1]))


def by_old_pool(work: Callable[[], str]) -> str:
    """In a pool that was made at import."""
    return AT_IMPORT.submit(work).result()


def by_multiprocessing(work: Callable[[], str]) -> str:
    """In the other pool of threads that Python has, as joblib uses it."""
    with ThreadPool(2) as pool:
        return str(pool.apply(work))


def by_executor(work: Callable[[], str]) -> str:
    """In the executor of an event loop, which, unlike `asyncio.to_thread`, copies no context."""

    async def main() -> str:
        return await asyncio.get_running_loop().run_in_executor(None, work)

    return asyncio.run(main())


def by_anyio(work: Callable[[], str]) -> str:
    """In a worker of anyio, which the SDKs bring along."""
    to_thread = import_module("anyio.to_thread")

    async def main() -> str:
        return str(await to_thread.run_sync(work))

    return asyncio.run(main())


def by_loop_in_thread(work: Callable[[], str]) -> str:
    """In an event loop that runs in a thread, started there and asked from outside."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def main() -> str:
        return work()

    try:
        return asyncio.run_coroutine_threadsafe(main(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


WAYS = [
    by_thread,
    by_own_thread,
    by_timer,
    by_thread_in_thread,
    by_new_pool,
    by_map,
    by_old_pool,
    by_multiprocessing,
    by_executor,
    by_anyio,
    by_loop_in_thread,
]


@pytest.mark.parametrize("way", WAYS)
def test_work_begun_in_a_trial_belongs_to_it(way: Any, server: Any) -> None:
    """Requests, chance and time of a thread are the trial's, however the thread came to its work."""
    session = session_of(server.url, "recorded")
    sources = Steering(Random(1), RecordedClock(), lambda: 1_700_000_000_000_000_000)
    with trials(), routed(session), steering(sources):
        assert way(functools.partial(ask, server.url)) == "recorded"
        assert way(lambda: str(time.time())) == "1700000000.0"
        assert way(lambda: str(uuid.uuid4())) == str(uuid.UUID(bytes=Random(1).randbytes(16), version=4))
    assert session.mismatch is None
    assert server.count == 0


def test_one_pool_serves_many_trials(server: Any) -> None:
    """A thread of a pool that worked for one trial works for the next as its own, and for nobody after that."""
    seen = set()

    def work() -> str:
        seen.add(threading.get_ident())
        return ask(server.url)

    with ThreadPoolExecutor(1) as pool, trials():
        for name in ("first", "second"):
            with routed(session_of(server.url, name)):
                assert pool.submit(work).result() == name
        assert server.count == 0
        pool.submit(work).result()
    assert server.count == 1
    assert len(seen) == 1


def test_what_the_agent_keeps_in_its_context_is_lost_as_ever(server: Any) -> None:
    """Only the trial is handed on: an agent that relies on its own context in threads breaks here as in production."""
    own: ContextVar[str] = ContextVar("own", default="lost")
    with trials(), routed(session_of(server.url)):
        own.set("kept")
        assert by_thread(own.get) == "lost"
        assert by_new_pool(own.get) == "lost"


def test_an_error_is_the_works_own() -> None:
    """What the work raises, returns and is called with is what it would be without us."""

    def fail(*args: int, **options: int) -> None:
        raise KeyError((args, options))

    with trials(), routed(session_of("http://x.invalid")), ThreadPoolExecutor(1) as pool:
        future: Future[None] = pool.submit(fail, 1, a=2)
        assert isinstance(future.exception(), KeyError)
        assert str(future.exception()) == "((1,), {'a': 2})"
        thread = threading.Thread(target=print)
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError, match="can only be started once"):
            thread.start()


def test_outside_interception_threads_are_pythons_own() -> None:
    """Once the last trial has run nothing of ours is left in the way."""
    before = threading.Thread.start, ThreadPoolExecutor.submit
    with trials():
        assert threading.Thread.start is not before[0]
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == before


def test_work_for_another_process_is_left_alone() -> None:
    """A pool of processes gets the work as it is: what we wrap can't be pickled."""
    with trials(), routed(session_of("http://x.invalid")):
        assert ProcessPoolExecutor.submit is not ThreadPoolExecutor.submit
        assert pickle.loads(pickle.dumps(ProcessPoolExecutor.submit)) is ProcessPoolExecutor.submit


@contextmanager
def old_worker(library: ModuleType, url: str) -> Iterator[tuple[Callable[[], None], list[BaseException]]]:
    """A thread that is older than any trial, and sends a request whenever it is told to; and what became of them."""
    orders: queue.SimpleQueue[bool] = queue.SimpleQueue()
    done: queue.SimpleQueue[None] = queue.SimpleQueue()
    caught: list[BaseException] = []

    def work() -> None:
        while orders.get():
            try:
                library.get(f"{url}/a", timeout=5)
            except BaseException as error:  # noqa: BLE001 - that it is no Exception is the point
                caught.append(error)
            done.put(None)

    def order() -> None:
        orders.put(True)
        done.get()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield order, caught
    finally:
        orders.put(False)
        thread.join()


@pytest.mark.parametrize("library", [httpx2, requests])
def test_a_thread_that_is_older_than_the_trial_is_refused(library: Any, server: Any) -> None:
    """It sends nothing, its error passes `except Exception`, and every trial under way fails with it."""
    with old_worker(library, server.url) as (order, caught), trials():
        first, second = session_of(server.url), session_of(server.url)
        with routed(first), routed(second):
            order()
        assert server.count == 0
        order()
    assert server.count == 1
    assert len(caught) == 1
    assert isinstance(caught[0], CassetteMissError)
    assert not isinstance(caught[0], Exception)
    for session in (first, second):
        assert session.mismatch is not None
        assert "belongs to no trial" in session.mismatch.cause


def test_a_worker_that_one_trial_started_does_not_serve_the_next(server: Any) -> None:
    """A hand-made worker thread that outlives its trial is refused, and the trial that gave it work fails by name."""
    orders: queue.SimpleQueue[bool] = queue.SimpleQueue()
    done: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def work() -> None:
        while orders.get():
            with suppress(BaseException):
                done.put(ask(server.url))
                continue
            done.put(None)

    first, second = session_of(server.url, "first"), session_of(server.url, "second")
    worker = threading.Thread(target=work)
    with trials():
        try:
            with routed(first):
                worker.start()
                orders.put(True)
                assert done.get() == "first"
            with routed(second):
                orders.put(True)
                assert done.get() is None
        finally:
            orders.put(False)
            worker.join()
    assert server.count == 0
    assert first.mismatch is None
    assert second.mismatch is not None
    assert "after its trial had ended" in second.mismatch.cause
    assert "start one in each, or use a ThreadPoolExecutor" in second.mismatch.cause


def test_work_that_outlives_its_trial_fails_no_other(server: Any) -> None:
    """Work in a pool is known to be of its trial: once that has ended it is refused, and no other trial suffers."""
    goes_on = threading.Event()

    def work() -> str:
        goes_on.wait()
        return ask(server.url)

    other = session_of(server.url)
    with ThreadPoolExecutor(1) as pool, trials():
        with routed(session_of(server.url)):
            late = pool.submit(work)
        with routed(other):
            goes_on.set()
            assert isinstance(late.exception(), CassetteMissError)
    assert other.mismatch is None
    assert server.count == 0


def test_a_user_tests_own_session_takes_in_all_threads_as_ever(server: Any) -> None:
    """Under the marker `vcr` a thread, old or new, is that test's."""
    session: Session = session_of(server.url, "one", "two")
    with old_worker(requests, server.url) as (order, caught), covered(session):
        order()
        assert by_thread(functools.partial(ask, server.url)) == "two"
    assert caught == []
    assert server.count == 0


def test_a_recording_keeps_what_its_threads_sent(server: Any) -> None:
    """While recording, too, each thread's traffic is that of the trial that started it."""
    sessions = [RecordSession(clock=SystemClock(), journal=None) for _ in range(2)]
    with trials():
        for session in sessions:
            with routed(session):
                for way in WAYS:
                    way(functools.partial(ask, server.url))
    assert [len(session.played) for session in sessions] == [len(WAYS), len(WAYS)]
    assert server.count == 2 * len(WAYS)
