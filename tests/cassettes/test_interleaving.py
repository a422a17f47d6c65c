"""Trials that run at the same time, recorded or replayed, never get or keep anything of each other's."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import httpx2
import pytest
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cassettes import RecordSession, ReplaySession, intercepted, routed
from harness.cassettes.sessions import Session
from harness.records.exchange import Cassette
from harness.seams import RecordedClock, SystemClock
from harness.virtual import steered
from tests.cassettes.scripted_wire import NUMBER, Wire, WireServer, running_wire

TRIALS, CALLS = 200, 5

Answers = list[list[bytes]]
"""What each trial was answered, call by call."""


@pytest.fixture(scope="module")
def wire() -> Iterator[WireServer]:
    """A server whose answers differ from call to call, while the requests of all trials are alike."""
    with running_wire() as server:
        yield server


def asked(base: str, trial: int, call: int) -> dict[str, Any]:
    """Equal requests in all trials; which answer comes is said in a header that no recording keeps."""
    number = {NUMBER: str(trial * CALLS + call), "content-type": "application/json"}
    return {"url": f"{base}/v1/messages", "headers": number, "content": b'{"call": %d}' % (call % 2)}


def in_one_loop(base: str, sessions: list[Session], seed: int) -> Answers:
    """All trials as tasks of one loop over one client, each giving way at random, its calls at times side by side."""
    random = Random(seed)

    async def call(client: httpx2.AsyncClient, trial: int, number: int) -> bytes:
        for _ in range(random.randrange(3)):
            await asyncio.sleep(0)
        return (await client.post(**asked(base, trial, number))).content

    async def run(client: httpx2.AsyncClient, trial: int) -> list[bytes]:
        with routed(sessions[trial]):
            first = [await call(client, trial, number) for number in range(CALLS - 2)]
            return [*first, *await asyncio.gather(*(call(client, trial, n) for n in range(CALLS - 2, CALLS)))]

    async def run_all() -> Answers:
        limits = httpx2.Limits(max_connections=20)
        async with httpx2.AsyncClient(trust_env=False, verify=False, limits=limits, timeout=60) as client:
            return await asyncio.gather(*(run(client, trial) for trial in range(len(sessions))))

    return asyncio.run(run_all())


def in_helper_threads(base: str, sessions: list[Session], seed: int) -> Answers:
    """All trials in one loop, each call in a thread that asyncio starts for it."""
    random = Random(seed)
    with urllib3.PoolManager(maxsize=20) as pool:

        def call(trial: int, number: int) -> bytes:
            parts = asked(base, trial, number)
            return pool.request("POST", parts["url"], headers=parts["headers"], body=parts["content"]).data

        async def run(trial: int) -> list[bytes]:
            with routed(sessions[trial]):
                answers = []
                for number in range(CALLS):
                    await asyncio.sleep(random.choice([0, 0.001]))
                    answers.append(await asyncio.to_thread(call, trial, number))
                return answers

        async def run_all() -> Answers:
            return await asyncio.gather(*(run(trial) for trial in range(len(sessions))))

        return asyncio.run(run_all())


def in_copied_contexts(base: str, sessions: list[Session], seed: int) -> Answers:
    """Each trial in a thread of its own, each of its calls in another thread, with a copy of the trial's context."""
    with ThreadPoolExecutor(8) as pool:
        return in_threads(base, sessions, seed, lambda work: pool.submit(contextvars.copy_context().run, work).result())


def in_a_shared_pool(base: str, sessions: list[Session], seed: int) -> Answers:
    """Each trial in a thread of its own, the calls of all in one pool that knows nothing of contexts."""
    with ThreadPoolExecutor(8) as pool:
        return in_threads(base, sessions, seed, lambda work: pool.submit(work).result())


def in_bare_threads(base: str, sessions: list[Session], seed: int) -> Answers:
    """Each trial in a thread of its own, each of its calls in a thread that knows nothing of contexts."""

    def run(work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    return in_threads(base, sessions, seed, run)


def in_threads(
    base: str, sessions: list[Session], seed: int, hand_over: Callable[[Callable[[], None]], None]
) -> Answers:
    """Each trial in a thread of its own, which hands each of its calls over to another thread."""
    numbers = list(range(len(sessions)))
    Random(seed).shuffle(numbers)
    answers: Answers = [[] for _ in sessions]
    with ThreadPoolExecutor(8) as trials, urllib3.PoolManager(maxsize=20) as pool:

        def call(trial: int, number: int) -> None:
            parts = asked(base, trial, number)
            answers[trial].append(
                pool.request("POST", parts["url"], headers=parts["headers"], body=parts["content"]).data
            )

        def run(trial: int) -> None:
            with routed(sessions[trial]):
                for number in range(CALLS):
                    hand_over(functools.partial(call, trial, number))

        for done in [trials.submit(run, trial) for trial in numbers]:
            done.result()
    return answers


WAYS = [in_one_loop, in_helper_threads, in_copied_contexts, in_a_shared_pool, in_bare_threads]


Way = Callable[[str, list[Session], int], Answers]


def check(way: Way, wire: WireServer, trials: int, seeds: tuple[int, int]) -> None:
    """Record all trials at once, and replay them at once in another order."""
    own = [[b'{"answer": "%d-%d"}' % (trial, call) for call in range(CALLS)] for trial in range(trials)]
    base = wire.serve(*(Wire((body,)) for bodies in own for body in bodies))
    recordings = [RecordSession(clock=SystemClock(), journal=None) for _ in range(trials)]
    with intercepted(), steered():
        assert way(base, [*recordings], seeds[0]) == own
    assert len(wire.noted(base)) == trials * CALLS
    kept = [[each.exchange for each in recording.played] for recording in recordings]
    assert [sorted(each.response.body for each in exchanges) for exchanges in kept] == own
    replays = [ReplaySession(Cassette(exchanges=tuple(each)), clock=RecordedClock()) for each in kept]
    with intercepted(), steered():
        assert [sorted(each) for each in way(base, [*replays], seeds[1])] == own
    assert all(session.mismatch is None and session.unplayed == () for session in replays)
    assert len(wire.noted(base)) == trials * CALLS


@pytest.mark.parametrize("way", WAYS)
def test_two_hundred_trials_never_mix(way: Any, wire: WireServer) -> None:
    """200 trials of 5 calls: 1,000 requests while recording, none in replay, and each trial has its own answers."""
    check(way, wire, TRIALS, (1, 2))


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=max(settings().max_examples // 12, 1))
@given(trials=st.integers(2, 8), seeds=st.tuples(st.integers(), st.integers()))
def test_no_interleaving_mixes_trials(way: Any, trials: int, seeds: tuple[int, int], wire: WireServer) -> None:
    """The same for other orders of the same events."""
    check(way, wire, trials, seeds)
