"""A loop that an agent makes in a thread of a trial waits in the trial's time."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from harness.virtual.nested import NestedLoop
from tests.virtual.test_threads import run


def test_a_loop_of_its_own() -> None:
    """`asyncio.run` in a synchronous agent: sleeps, timeouts and their order are virtual; the thread comes along."""
    order: list[tuple[str, float]] = []

    async def wait(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        order.append((name, time.monotonic()))

    async def work() -> None:
        await asyncio.gather(wait("late", 30), wait("early", 10))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(60)

    def agent() -> float:
        time.sleep(1)
        asyncio.run(work())
        time.sleep(2)
        return time.monotonic()

    began = time.perf_counter()
    assert run(agent) == 38
    assert order == [("early", 11), ("late", 31)]
    assert time.perf_counter() - began < 20


def test_one_after_the_other() -> None:
    """A loop that is kept, as `run_sync` does, goes on where its thread has come to in the meantime."""

    kept: list[asyncio.AbstractEventLoop] = []

    def agent() -> list[float]:
        loop, seen = asyncio.new_event_loop(), []
        kept.append(loop)
        assert isinstance(loop, NestedLoop)
        for _ in range(3):
            loop.run_until_complete(asyncio.sleep(10))
            seen.append(time.monotonic())
            time.sleep(1)
        return seen

    assert run(agent) == [10, 21, 32]
    assert kept[0].is_closed()  # by nobody but us; else it would warn when it is collected


def test_jobs_of_its_executor() -> None:
    """A job that is handed out from such a loop takes its time there, and the loop has it too."""

    async def work() -> float:
        await asyncio.sleep(3)
        await asyncio.to_thread(time.sleep, 4)
        return time.monotonic()

    assert run(lambda: asyncio.run(work())) == 7


def test_a_loop_in_the_background() -> None:
    """Work put to a loop that runs in another thread begins when it is put there, and comes back when it is done."""

    def agent() -> Any:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        time.sleep(5)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(2), loop).result()
        ended = time.monotonic()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        return ended

    assert run(agent) == 7


def test_outside_any_trial() -> None:
    """Nothing changes where no trial runs."""
    loop = asyncio.new_event_loop()
    assert not isinstance(loop, NestedLoop)
    loop.close()
