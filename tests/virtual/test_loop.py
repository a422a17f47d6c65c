"""A loop whose time jumps: exact, and in the same order as a loop that waits."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from harness.errors import StalledError
from harness.virtual import VirtualLoop


def run(main: Coroutine[Any, Any, Any], patience: float = 60) -> tuple[Any, VirtualLoop]:
    """What a coroutine comes to on a loop of its own."""
    loop = VirtualLoop(patience=patience)
    return loop.run(main), loop


def test_a_wait_is_exact_and_takes_no_time() -> None:
    """Forty seconds in three kinds of waiting, to the nanosecond; real ones would outlast the loop's patience."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        await asyncio.sleep(0.1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(9.9):
                await asyncio.Event().wait()
        await loop.wait_until(40_000_000_001)

    _, loop = run(main(), patience=10)
    assert loop.now == 40_000_000_001
    assert loop.exact


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=8))
def test_instants_are_whole_nanoseconds(instants: list[int]) -> None:
    """Whoever waits for an instant wakes at it, not a nanosecond off."""
    seen: list[int] = []

    async def wait(instant: int) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        await loop.wait_until(instant)
        seen.append(loop.now)

    async def main() -> None:
        await asyncio.gather(*map(wait, instants))

    run(main())
    assert seen == sorted(instants)


def test_a_wait_alone_takes_no_turn() -> None:
    """Where nothing else can happen, time passes at once; else whatever is due first comes first."""
    seen: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        task = asyncio.current_task()
        assert task is not None
        await loop.wait_until(1_000_000_000)
        loop.call_later(1, seen.append, "before")
        loop.call_later(2, seen.append, "at that time")
        loop.call_later(3, seen.append, "after")
        await loop.wait_until(3_000_000_000)
        seen.append("waited")
        loop.call_soon(seen.append, "soon")
        await loop.wait_until(3_500_000_000)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loop.wait_until(3_600_000_000)
        assert loop.now == 3_500_000_000

    _, loop = run(main())
    assert seen == ["before", "at that time", "waited", "soon"]
    assert loop.now == 3_500_000_000


def test_what_is_left_behind_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    """Tasks are cancelled, generators closed, and what they raise then is told; the loop is closed in any case."""
    ended: list[str] = []

    async def left() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("task")
            raise ValueError("as it was cancelled")

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(1)
            ended.append("generator")

    async def main() -> None:
        kept.append(asyncio.create_task(left()))
        kept.append(numbers())
        await anext(kept[-1])
        raise RuntimeError("the trial")

    kept: list[Any] = []
    loop = VirtualLoop(patience=60)
    with pytest.raises(RuntimeError, match="the trial"):
        loop.run(main())
    assert ended == ["task", "generator"]
    assert "as it was cancelled" in caplog.text
    assert loop.is_closed()


def test_in_real_time_a_wait_is_one() -> None:
    """Where somebody watches, time passes on the wall: to the nanosecond as ever, and past the loop's patience."""

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        seen = []
        for instant in (300_000_001, 400_000_007, 1_000_000_000):
            await loop.wait_until(instant)
            seen.append(loop.now)
        return seen

    began = time.monotonic()
    assert VirtualLoop(patience=0.5, in_real_time=True).run(main()) == [300_000_001, 400_000_007, 1_000_000_000]
    assert time.monotonic() - began >= 1


def test_time_stands_still_for_a_thread() -> None:
    """A timer does not fire while a job in a thread is at work, however long that takes."""
    order: list[str] = []

    async def timer() -> None:
        await asyncio.sleep(0.001)
        order.append("timer")

    async def job() -> None:
        await asyncio.to_thread(time.sleep, 0.05)
        order.append("job")

    async def main() -> None:
        await asyncio.gather(timer(), job())

    _, loop = run(main())
    assert order == ["job", "timer"]
    assert loop.now == 1_000_000


def test_time_stands_still_for_a_child_process() -> None:
    """Nor while a child process runs; what it says arrives."""

    async def main() -> bytes:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print('done')", stdout=asyncio.subprocess.PIPE
        )
        alarm = asyncio.get_running_loop().call_later(5, child.kill)
        out, _ = await child.communicate()
        alarm.cancel()
        return out

    out, loop = run(main())
    assert out.strip() == b"done"
    assert loop.now == 0


def test_time_follows_the_wall_while_a_socket_is_open() -> None:
    """Where another process may answer, waiting is real, and the loop says that it is not exact."""

    async def main() -> bytes:
        server = socket.create_server(("127.0.0.1", 0))

        def answer() -> None:
            connection, _ = server.accept()
            time.sleep(0.02)
            connection.sendall(b"hello")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        reader, writer = await asyncio.open_connection(*server.getsockname())
        async with asyncio.timeout(30):
            heard = await reader.read()
        writer.close()
        await asyncio.to_thread(thread.join)
        server.close()
        return heard

    heard, loop = run(main())
    assert heard == b"hello"
    assert 0 < loop.now < 30_000_000_000
    assert not loop.exact


async def _spin() -> None:
    while True:  # noqa: ASYNC110 - an agent that polls for ever
        await asyncio.sleep(3600)


async def _wait_for_nothing() -> None:
    await asyncio.Event().wait()


async def _block_on_a_timer() -> None:
    loop = asyncio.get_running_loop()

    def block_here() -> None:
        future = asyncio.run_coroutine_threadsafe(asyncio.sleep(1), loop)
        try:
            future.result(timeout=5)
        finally:
            future.cancel()

    await asyncio.to_thread(block_here)


@pytest.mark.parametrize(
    ("agent", "said"),
    [(_spin, "_spin"), (_wait_for_nothing, "never happens"), (_block_on_a_timer, "block_here")],
)
def test_an_endless_trial_is_ended(agent: Callable[[], Coroutine[Any, Any, None]], said: str) -> None:
    """A circle of waits, a wait for nothing, and a thread that waits for time that stands still: each is named."""
    with pytest.raises(StalledError, match=f"did not end within 0.2 seconds(?s:.*){said}"):
        run(agent(), patience=0.2)


@dataclass(frozen=True)
class Step:
    """A program: what to do, for how long, and with what inside."""

    kind: str
    duration: float
    parts: tuple[Step, ...]
    name: int


@st.composite
def programs(draw: st.DrawFn) -> Step:
    """A tree of sleeps, timeouts, cancellations, streams and things at once, no two durations alike."""
    durations = iter(draw(st.lists(st.integers(1, 400), min_size=24, max_size=24, unique=True)))
    count = 0

    def make(depth: int) -> Step:
        nonlocal count
        count += 1
        name = count
        kinds = (
            ["sleep", "stream", "fail"]
            if depth == 0 or count > 12
            else ["sleep", "timeout", "cancel", "all", "race", "chain"]
        )
        kind = draw(st.sampled_from(kinds))
        parts = (
            0
            if kind in ("sleep", "stream", "fail")
            else 1
            if kind in ("timeout", "cancel")
            else draw(st.integers(2, 3))
        )
        return Step(kind, next(durations, 7) / 4 + count / 97, tuple(make(depth - 1) for _ in range(parts)), name)

    return make(3)


class Player:
    """Plays a program on the running loop, and notes what happens."""

    def __init__(self, unit: float) -> None:
        self.unit = unit
        self.notes: list[tuple[str, float]] = []

    def note(self, text: str) -> None:
        """Remember what happens, and when."""
        self.notes.append((text, asyncio.get_running_loop().time()))

    async def play(self, step: Step) -> None:
        """Carry a step out, and note how it ends."""
        try:
            await getattr(self, f"_{step.kind}")(step)
        except asyncio.CancelledError:
            self.note(f"{step.name} cancelled")
            raise
        except (TimeoutError, ValueError) as error:
            self.note(f"{step.name} {type(error).__name__}")
        else:
            self.note(f"{step.name} done")

    async def _sleep(self, step: Step) -> None:
        await asyncio.sleep(step.duration * self.unit)

    async def _fail(self, step: Step) -> None:
        await asyncio.sleep(step.duration * self.unit)
        raise ValueError

    async def _stream(self, step: Step) -> None:
        async def pieces() -> Any:
            for share in (0.2, 0.3, 0.5):
                await asyncio.sleep(step.duration * self.unit * share)
                yield share

        async for piece in pieces():
            self.note(f"{step.name} piece {piece}")

    async def _timeout(self, step: Step) -> None:
        async with asyncio.timeout(step.duration * self.unit):
            await self.play(step.parts[0])

    async def _cancel(self, step: Step) -> None:
        task = asyncio.create_task(self.play(step.parts[0]))
        try:
            await asyncio.sleep(step.duration * self.unit)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _all(self, step: Step) -> None:
        await asyncio.gather(*map(self.play, step.parts))

    async def _race(self, step: Step) -> None:
        tasks = [asyncio.create_task(self.play(part)) for part in step.parts]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _chain(self, step: Step) -> None:
        for part in step.parts:
            await self.play(part)


def play(step: Step, unit: float, runner: Callable[[Coroutine[Any, Any, None]], object]) -> list[tuple[str, float]]:
    """The notes of a program, with the times in units."""
    player = Player(unit)
    runner(player.play(step))
    return [(text, at / unit) for text, at in player.notes]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(programs())
def test_the_order_is_that_of_a_loop_that_waits(step: Step) -> None:
    """Sleeps, timeouts, cancellations and streams happen in the same order and come to the same on a real loop."""
    virtual = play(step, 1.0, run)
    instants = sorted({at for _, at in virtual})
    assume(all(later - earlier > 0.2 for earlier, later in itertools.pairwise(instants)))
    assume(instants[-1] < 80)
    for unit in (0.002, 0.02, 0.2):  # a busy machine is late by some milliseconds: then once more, slower
        real = play(step, unit, asyncio.run)
        if [text for text, _ in real] == [text for text, _ in virtual]:
            return
    assert [text for text, _ in real] == [text for text, _ in virtual]


def test_the_comparison_can_fail() -> None:
    """A loop that fires its timers in another order is told apart."""

    class Reversed(VirtualLoop):
        def call_later(self, delay: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
            return super().call_later(100 - delay, *args, **options)

    step = Step("all", 1, (Step("sleep", 2, (), 2), Step("sleep", 3, (), 3)), 1)

    def backwards(main: Awaitable[None]) -> None:
        Reversed(patience=60).run(main)  # type: ignore[arg-type]

    assert [text for text, _ in play(step, 1, run)] != [text for text, _ in play(step, 1, backwards)]
