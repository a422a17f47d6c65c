"""An event loop whose time jumps to the next timer, so that a wait of any length takes no wall time.

Time is counted in whole nanoseconds from 0. It stands still while a job in an executor or a child process is at work,
since neither can be told how long it took in virtual time, and it follows the wall while a socket that leads elsewhere
is open; the run is then not exact, and the loop says so.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
import stat
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from harness.errors import StalledError
from harness.virtual.lines import Line, current_line, run_job

__all__ = ["NANOSECONDS", "VirtualLoop"]

NANOSECONDS = 1_000_000_000
_FAREWELL = 10.0
"""Seconds of wall time that threads have at least to end in, once their trial has."""
_wall = time.monotonic
"""Bound here, before anybody can put virtual time in its place."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """One trial's loop. ``patience`` is how many wall seconds it may take before :class:`StalledError` ends it."""

    def __init__(self, *, patience: float) -> None:
        self._trial: VirtualLoop = self
        """The trial's own loop: another one where this is a further loop of the same trial."""
        self._left: list[Callable[[], None]] = []
        self._now = 0
        self._deadline = _wall() + patience
        self._patience = patience
        self._jobs = 0
        self._children: set[asyncio.SubprocessTransport] = set()
        self.exact = True
        """Whether no wall time has flowed into this loop's time."""
        super().__init__(_JumpingSelector(self._wait))
        self._clock_resolution = 1 / NANOSECONDS  # asyncio takes the wall's, which is 16 ms on Windows

    def time(self) -> float:
        """Seconds since the loop was made, in its own time."""
        return self._now / NANOSECONDS

    @property
    def now(self) -> int:
        """Nanoseconds since the loop was made, in its own time."""
        return self._now

    def advance_to(self, instant: int) -> None:
        """Let time pass up to an instant, in nanoseconds; one that has passed changes nothing. For code in a thread."""
        self._now = max(self._now, instant)

    async def wait_until(self, instant: int) -> None:
        """Wait for an instant, in nanoseconds."""
        while self._now < instant:  # a float may fall short of it by less than a nanosecond
            reached = self.create_future()
            handle = self.call_at(instant / NANOSECONDS, _settle, reached)
            try:
                await reached
            finally:
                handle.cancel()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]  # typeshed wants its own type variables
        """As in any loop; time stands still until the job is done, then goes on to where the job's own has come."""
        self._jobs += 1
        line = Line(self._trial, self._now)
        if executor is None or isinstance(executor, ThreadPoolExecutor):  # others want what they can send elsewhere
            func, args = run_job, (line, func, *args)
        done = super().run_in_executor(executor, func, *args)
        handed = self.create_future()
        done.add_done_callback(partial(self._end_job, line, handed))
        handed.add_done_callback(partial(_pass_on_cancel, done))
        return handed

    def when_closed(self, callback: Callable[[], None]) -> None:
        """Have something called when the trial is over and its threads have ended."""
        self._left.append(callback)

    def close(self) -> None:
        """As any loop; what was to be done then is done."""
        while self._left:
            self._left.pop()()
        super().close()

    async def shutdown_default_executor(self, *args: Any, **options: Any) -> None:
        """As in any loop; what it allows the threads to end in is wall time, so the loop's own stands still."""
        self._deadline = _wall() + max(self._patience, _FAREWELL)
        self._jobs += 1
        try:
            await super().shutdown_default_executor(*args, **options)
        finally:
            self._jobs -= 1

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any, **options: Any) -> asyncio.Handle:  # type: ignore[override]  # typeshed wants its own type variables
        """As in any loop; it happens no earlier than in the thread that asks for it."""
        line = current_line(self._trial)
        if line is not None and line.now > self._now:
            return super().call_soon_threadsafe(self._call_no_earlier, line.now, callback, args, **options)
        return super().call_soon_threadsafe(callback, *args, **options)

    def _call_no_earlier(self, instant: int, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.advance_to(instant)
        callback(*args)

    async def subprocess_exec(self, *args: Any, **options: Any) -> Any:
        """As in any loop; time stands still until the child has ended."""
        return self._adopt(await super().subprocess_exec(*args, **options))

    async def subprocess_shell(self, *args: Any, **options: Any) -> Any:
        """As in any loop; time stands still until the child has ended."""
        return self._adopt(await super().subprocess_shell(*args, **options))

    def _adopt(self, made: tuple[asyncio.SubprocessTransport, Any]) -> tuple[asyncio.SubprocessTransport, Any]:
        self._children.add(made[0])
        return made

    def _end_job(self, line: Line, handed: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        self._jobs -= 1
        if line.now > self._now and not handed.done():
            self.call_at(line.now / NANOSECONDS, self._hand_over, line, handed, done)
        else:
            self._hand_over(line, handed, done)

    def _hand_over(self, line: Line, handed: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        if handed.done():
            if not done.cancelled():
                done.exception()  # nobody is left to hear of it
            return
        self.advance_to(line.now)
        if done.cancelled():
            handed.cancel()
        elif error := done.exception():
            handed.set_exception(error)
        else:
            handed.set_result(done.result())

    def _wait(self, selector: _JumpingSelector, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """What the loop asks of its selector: the events of at most ``timeout`` seconds."""
        events = selector.poll(0)
        if events or timeout == 0:
            self._check_patience()
            return events
        if selector.leads_elsewhere:
            self._trial.exact = False
            began = _wall()
            events = selector.poll(self._bounded(timeout))
            self._now += round((_wall() - began) * NANOSECONDS)
        elif timeout is None or self._is_frozen():
            events = selector.poll(self._bounded(None))
        else:
            self._now = max(self._now, round((self.time() + timeout) * NANOSECONDS))
        self._check_patience()
        return events

    def _is_frozen(self) -> bool:
        self._children = {child for child in self._children if child.get_returncode() is None}
        return bool(self._jobs or self._children)

    def _bounded(self, timeout: float | None) -> float:
        left = max(0.0, self._deadline - _wall())
        return left if timeout is None else min(timeout, left)

    def _check_patience(self) -> None:
        if _wall() >= self._deadline:
            self._deadline = _wall() + self._patience  # for what its tasks do when they are cancelled
            raise StalledError(self._explain())

    def _explain(self) -> str:
        waits = "a job in a thread or a child process" if self._is_frozen() else "something that never happens"
        tasks = "\n".join(f"  {task!r:.200}" for task in asyncio.all_tasks(self))
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        stacks = "\n".join(
            f"  thread {names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame)[-3:])}"
            for ident, frame in sys._current_frames().items()  # noqa: SLF001 - the documented way to see them
            if ident != threading.get_ident()
        )
        return (
            f"the trial did not end within {self._patience:g} seconds of wall time, at {self.time():g} seconds of its "
            f"own; it waits for {waits}\n{tasks}\n{stacks}"
        ).rstrip()


class _JumpingSelector(selectors.DefaultSelector):
    """Has the loop decide how to wait, and knows which of its files lead out of the process."""

    def __init__(
        self, wait: Callable[[_JumpingSelector, float | None], list[tuple[selectors.SelectorKey, int]]]
    ) -> None:
        super().__init__()
        self._wait = wait
        self._elsewhere: set[int] = set()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        if _leads_elsewhere(key.fd):
            self._elsewhere.add(key.fd)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = super().unregister(fileobj)
        self._elsewhere.discard(key.fd)
        return key

    @property
    def leads_elsewhere(self) -> bool:
        """Whether a socket that leads to another process is open."""
        return bool(self._elsewhere)

    def poll(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """What a selector does."""
        return super().select(timeout)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self._wait(self, timeout)


def _leads_elsewhere(fd: int) -> bool:
    """Whether a file is a socket with an address: a pair of sockets, such as the loop's own, has none."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return False
    with socket.socket(fileno=os.dup(fd)) as twin:
        if twin.family != getattr(socket, "AF_UNIX", None):
            return True
        return bool(twin.getsockname())


def _pass_on_cancel(done: asyncio.Future[Any], handed: asyncio.Future[Any]) -> None:
    if handed.cancelled():
        done.cancel()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
