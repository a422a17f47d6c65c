"""The time of day, chance and new ids are a trial's own inside it, and the process's outside."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import random
import secrets
import threading
import time
import uuid
from random import Random

import pytest
import time_machine

from harness.seams import RecordedClock
from harness.virtual import NANOSECONDS, Steering, steered, steering

START = 1_700_000_000 * NANOSECONDS


def sources(seed: int = 1) -> Steering:
    """A trial's."""
    clock = RecordedClock()
    return Steering(Random(seed), clock, lambda: START + clock.now())


def look() -> tuple[object, ...]:
    """Everything that is steered."""
    return (
        time.time(),
        time.time_ns(),
        time.monotonic(),
        time.monotonic_ns(),
        time.perf_counter(),
        time.perf_counter_ns(),
        dt.datetime.now(dt.UTC),
        dt.date.today(),  # noqa: DTZ011 - it is what agents call
        time.strftime("%Y"),
        random.random(),
        random.randint(1, 10**9),
        random.choice(range(10**9)),
        random.sample(range(10**9), 3),
        random.gauss(0, 1),
        uuid.uuid4(),
        os.urandom(8),
    )


def test_two_trials_see_the_same() -> None:
    """The same sources give the same time, chance and ids, whatever the process drew in between."""
    with steered():
        with steering(sources()):
            first = look()
        random.random()
        with steering(sources()):
            second = look()
        with steering(sources(seed=2)):
            third = look()
    assert first == second
    assert first[0] == 1_700_000_000
    assert first[9:15] != third[9:15]


def test_outside_everything_is_as_it_was() -> None:
    """Before, beside and after a trial the process has its own clock, calendar and chance."""
    before = time.time, time.monotonic, time.sleep, random.random, random.choice, os.urandom
    with steered():
        assert abs(time.time() - dt.datetime.now(dt.UTC).timestamp()) < 60
        assert time.time() > 1_780_000_000
        assert uuid.uuid4() != uuid.uuid4()
        began = time.monotonic()
        time.sleep(0.001)
        assert time.monotonic() > began
    assert before == (time.time, time.monotonic, time.sleep, random.random, random.choice, os.urandom)


def test_clock_and_waiting_agree() -> None:
    """`time.sleep` lets the trial's own time pass, and all its clocks agree on how much."""
    with steered(), steering(sources()):
        began = time.monotonic(), time.perf_counter_ns(), dt.datetime.now(dt.UTC)
        time.sleep(3600.5)
        assert time.monotonic() - began[0] == 3600.5
        assert time.perf_counter_ns() - began[1] == 3600 * NANOSECONDS + NANOSECONDS // 2
        assert dt.datetime.now(dt.UTC) - began[2] == dt.timedelta(seconds=3600, milliseconds=500)
        with pytest.raises(ValueError, match="non-negative"):
            time.sleep(-1)


def test_threads_and_tasks_of_a_trial_belong_to_it() -> None:
    """A thread that the trial starts sees its time, with its context or without; one that is older does not."""
    seen: list[float] = []

    async def main() -> None:
        seen.append(await asyncio.to_thread(time.time))
        bare = threading.Thread(target=lambda: seen.append(time.time()))
        bare.start()
        bare.join()
        asked.set()
        older.join()

    asked = threading.Event()
    older = threading.Thread(target=lambda: (asked.wait(), seen.append(time.time())))
    older.start()
    with steered(), steering(sources()):
        asyncio.run(main())
    assert seen[:2] == [1_700_000_000, 1_700_000_000]
    assert seen[2] > 1_780_000_000


def test_a_user_who_travels_around_us() -> None:
    """Outside a trial the calendar is that of a time-machine around us; inside it is the trial's."""
    with time_machine.travel(dt.datetime(2030, 1, 1, tzinfo=dt.UTC), tick=False), steered():
        assert dt.datetime.now(dt.UTC).year == 2030
        with steering(sources()):
            assert dt.datetime.now(dt.UTC).year == 2023
        assert dt.datetime.now(dt.UTC).year == 2030
    assert dt.datetime.now(dt.UTC).year > 2025


def test_what_somebody_put_over_ours_stays() -> None:
    """A function that was replaced after us is left to whoever replaced it."""

    def theirs(_seconds: float) -> None:
        pass

    real = time.sleep
    try:
        with steered():
            time.sleep = theirs
        assert time.sleep is theirs
    finally:
        time.sleep = real


def test_what_the_page_says_is_not_steered() -> None:
    """A clock imported by name, processor time and `secrets` are the machine's, as docs/time.md says."""
    by_name = time.monotonic
    with steered(), steering(sources()):
        began = by_name(), time.process_time(), time.thread_time()
        time.sleep(5000)
        assert by_name() - began[0] < 5000
        assert time.process_time() - began[1] < 5000
        assert time.thread_time() - began[2] < 5000
    drawn = []
    for _ in range(2):
        with steered(), steering(sources()):
            drawn.append((secrets.token_hex(16), random.SystemRandom().random()))
    assert all(first != second for first, second in zip(*drawn, strict=True))
