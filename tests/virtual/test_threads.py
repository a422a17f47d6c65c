"""Each thread of a trial has its own line of time, so that it does not matter which comes first."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.virtual import NANOSECONDS, Steering, VirtualClock, VirtualLoop, steered, steering

Agent = Callable[[], Any]
WALL = time.monotonic


def run(agent: Agent, *, patience: float = 60, in_real_time: bool = False) -> Any:
    """What a synchronous agent comes to in a trial."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        with steering(Steering(clock=VirtualClock(loop))):
            return await asyncio.to_thread(agent)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with steered():
            return VirtualLoop(patience=patience, in_real_time=in_real_time).run(main())
    finally:
        sys.setswitchinterval(before)


def in_context(function: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    """What a framework hands to a pool so that its job belongs to the caller."""
    return partial(contextvars.copy_context().run, function, *args)


def pause(seconds: float) -> float:
    """Wait; when that was over."""
    time.sleep(seconds)
    return time.monotonic()


def test_a_pool_takes_as_long_as_its_longest_job() -> None:
    """Jobs begin when they are handed in, and their results are there when the job has ended."""

    def agent() -> Any:
        time.sleep(1)
        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(in_context(pause, seconds)) for seconds in (5, 2, 3)]
            seen = [job.result() for job in (jobs[1], jobs[2], jobs[0])]
        return seen, time.monotonic()

    assert run(agent) == ([3.0, 4.0, 6.0], 6.0)


def test_results_come_in_the_order_of_the_trials_time() -> None:
    """Whichever thread is first on the wall, ``as_completed`` and ``wait`` go by the trial's clock."""

    def agent() -> Any:
        with ThreadPoolExecutor(8) as pool:
            jobs = {pool.submit(in_context(pause, seconds)): seconds for seconds in (5, 2, 8, 3)}
            first = futures.wait(jobs, return_when=futures.FIRST_COMPLETED)
            seen = [(jobs[job], time.monotonic()) for job in futures.as_completed(jobs)]
        return [jobs[job] for job in first.done], seen

    assert run(agent) == ([2], [(2, 2.0), (3, 3.0), (5, 5.0), (8, 8.0)])


def test_a_time_limit_on_a_result_passes_in_the_trials_time() -> None:
    """What ends too late is not waited for, and the wait took as long as it was allowed to."""

    def agent() -> Any:
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(in_context(pause, 40))
            with pytest.raises(TimeoutError):
                job.result(timeout=15)
            given_up = time.monotonic()
            with pytest.raises(TimeoutError):
                list(futures.as_completed([job], timeout=5))
            return given_up, time.monotonic(), job.result(timeout=20)

    assert run(agent) == (15.0, 20.0, 40.0)


def test_what_is_handed_over_brings_its_time_along() -> None:
    """A thread that ends, an item of a queue and an event that is set move on whoever waited for them."""
    items: queue.Queue[str] = queue.Queue()
    done = threading.Event()

    def produce() -> None:
        for word in ("one", "two"):
            time.sleep(2)
            items.put(word)
        time.sleep(1)
        done.set()
        time.sleep(4)

    def agent() -> Any:
        thread = threading.Thread(target=in_context(produce))
        thread.start()
        seen = [(items.get(), time.monotonic()), (items.get(), time.monotonic())]
        done.wait()
        seen.append(("done", time.monotonic()))
        thread.join()
        return [*seen, ("joined", time.monotonic())]

    assert run(agent) == [("one", 2.0), ("two", 4.0), ("done", 5.0), ("joined", 9.0)]


def test_the_loop_waits_for_the_end_of_a_thread() -> None:
    """Threads and timers of a loop go on in the order of the trial's time, and cancelled waiting leaves them."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        seen: list[tuple[str, float]] = []

        async def thread(seconds: float) -> None:
            seen.append((f"thread {await asyncio.to_thread(pause, seconds):g}", loop.time()))

        async def timer() -> None:
            await asyncio.sleep(2)
            seen.append(("timer", loop.time()))

        with steering(Steering(clock=VirtualClock(loop))):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(thread(50), 1.5)
            seen.append(("given up", loop.time()))
            await asyncio.gather(thread(5), thread(1), timer())
        return seen

    with steered():
        seen = VirtualLoop(patience=60).run(main())
    assert seen == [("given up", 1.5), ("thread 2.5", 2.5), ("timer", 3.5), ("thread 6.5", 6.5)]


def test_outside_a_trial_nothing_changes() -> None:
    """The process's own threads and pools work as ever while trials may run, and after."""
    with steered(), ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(pow, 2, number) for number in range(4)]
        assert sorted(job.result() for job in futures.as_completed(jobs)) == [1, 2, 4, 8]
        assert futures.wait(jobs).done == set(jobs)
        assert not hasattr(jobs[0], "harness_line")
    assert futures.as_completed.__module__ == "concurrent.futures._base"
    assert futures.as_completed.__code__.co_filename.endswith("_base.py")


def test_in_real_time_a_thread_waits() -> None:
    """Where somebody watches, threads wait on the wall; that is not held against them, and they see the same times."""

    def agent() -> Any:
        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(in_context(pause, seconds)) for seconds in (1.25, 0.5)]
            return [job.result() for job in jobs]

    began = WALL()
    assert run(agent, patience=0.75, in_real_time=True) == run(agent) == [1.25, 0.5]
    assert WALL() - began >= 1.25


Plan = tuple[int, list[Any]]
"""A pause in seconds, and then plans that threads carry out at once."""

plans = st.recursive(
    st.tuples(st.integers(0, 10**11), st.just([])),
    lambda inner: st.tuples(st.integers(0, 10**11), st.lists(inner, max_size=3)),
    max_leaves=8,
)


def expected(plan: Any, begun: int = 0) -> tuple[int, list[Any]]:
    """When a plan ends, and the instants that its threads see, by arithmetic."""
    own = begun + plan[0]
    parts = [expected(part, own) for part in plan[1]]
    return max([own, *(end for end, _ in parts)]), [own, *(seen for _, seen in parts)]


@settings(max_examples=60, deadline=None)
@given(plans, st.integers())
def test_threads_within_threads_agree_with_arithmetic(plan: Plan, seed: int) -> None:
    """However threads nest, in pools or alone, and whichever is first: each sees its own time, to the nanosecond."""
    chance = random.Random(seed)

    def carry_out(part: Any) -> tuple[int, list[Any]]:
        clock_pause(part[0])
        own, ends = time.monotonic_ns(), []
        if chance.random() < 0.5:
            with ThreadPoolExecutor(2) as pool:
                ends = [job.result() for job in [pool.submit(in_context(carry_out, each)) for each in part[1]]]
        else:
            boxes: list[list[Any]] = [[] for _ in part[1]]
            threads = [
                threading.Thread(target=in_context(lambda each, box: box.append(carry_out(each)), each, box))
                for each, box in zip(part[1], boxes, strict=True)
            ]
            for thread in threads:
                thread.start()
            for thread in chance.sample(threads, len(threads)):
                thread.join()
            ends = [box[0] for box in boxes]
        return time.monotonic_ns(), [own, *(seen for _, seen in ends)]

    assert run(partial(carry_out, plan)) == expected(plan)


def clock_pause(nanoseconds: int) -> None:
    """A pause that no float rounds."""
    whole, rest = divmod(nanoseconds, NANOSECONDS)
    time.sleep(whole)
    time.sleep(rest / NANOSECONDS)


def test_what_an_earlier_trial_put_into_a_queue_takes_no_time() -> None:
    """A pool of connections, which is a queue, may outlive its trial; its instants are none of the next one's."""
    items: queue.Queue[str] = queue.LifoQueue()

    def put() -> None:
        time.sleep(100)
        items.put("connection")

    def get() -> tuple[str, float]:
        return items.get(), time.monotonic()

    run(put)
    assert run(get) == ("connection", 0.0)
