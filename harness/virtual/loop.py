"""An event loop whose time jumps to the next timer, so that a wait of any length takes no wall time.

Time is counted in whole nanoseconds from 0. It stands still while a job in an executor or a child process is at work,
since neither can be told how long it took in virtual time, and it follows the wall while a socket that leads elsewhere
is open; the run is then not exact, and the loop says so.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import sysconfig
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import thread as futures_of_threads
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar
from weakref import WeakSet

from harness.errors import StalledError
from harness.virtual.lines import Line, current_line, run_job
from harness.virtual.selector import JumpingSelector
from harness.virtual.watchdog import EndlessTrial, interrupt

__all__ = ["NANOSECONDS", "VirtualLoop", "place_of"]

T = TypeVar("T")

NANOSECONDS = 1_000_000_000
_FAREWELL = 10.0
"""Seconds of wall time that threads have at least to end in, once their trial has."""
_LAST_WORD = 1.0
"""Seconds in which a thread that was interrupted has to end."""
_TICK = 0.002
_SHOWN = 8
"""The innermost frames of a stack that are told."""
_NOT_THEIRS = (*(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")), str(Path(__file__).parents[1]))
_wall = time.monotonic
_sleep = time.sleep
_wait_for_event = threading.Event.wait
"""Bound here, before anybody can put virtual time in their place."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """One trial's loop. ``patience`` is how many wall seconds it may take before :class:`StalledError` ends it.

    ``in_real_time`` has its time elapse on the wall, for those who watch: nothing else changes, and waiting so does not
    count against the patience.
    """

    shares_clients = True
    """Whether a client that was used here may go on in another such loop: none opens a connection."""

    # asyncio's own, which tell what else can happen: the same from Python 3.11 to 3.14
    _asyncgens: WeakSet[Any]
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _selector: JumpingSelector

    def __init__(self, *, patience: float, in_real_time: bool = False) -> None:
        self._trial: VirtualLoop = self
        """The trial's own loop: another one where this is a further loop of the same trial."""
        self._left: list[Callable[[], None]] = []
        self._now = 0
        self.origin = _wall() if in_real_time else None
        """The instant on the wall at which time began, where it is real."""
        self.hurry = threading.Event()
        """Set once nobody watches any more."""
        self._lock = threading.Lock()
        self._deadline = _wall() + patience
        self._patience = patience
        self._jobs = 0
        self._children: set[asyncio.SubprocessTransport] = set()
        self._stalled = False
        self._pool: ThreadPoolExecutor | None = None
        self.threads: set[threading.Thread] = set()
        """Those that the trial started, and those of pools that are at work for it."""
        self._own: set[threading.Thread] = set()
        """Those at work that an executor of this loop runs."""
        self.exact = True
        """Whether no wall time has flowed into this loop's time."""
        super().__init__(JumpingSelector(self._wait))
        self._clock_resolution = 1 / NANOSECONDS  # asyncio takes the wall's, which is 16 ms on Windows

    def time(self) -> float:
        """Seconds since the loop was made, in its own time."""
        return self._now / NANOSECONDS

    @property
    def now(self) -> int:
        """Nanoseconds since the loop was made, in its own time."""
        return self._now

    @property
    def deadline(self) -> float:
        """The instant on the wall at which the trial is ended."""
        return self._deadline

    def postpone(self, seconds: float) -> None:
        """Give the trial so many seconds from now to end in, or its patience where that is shorter."""
        self._deadline = _wall() + min(seconds, self._patience)

    def advance_to(self, instant: int) -> None:
        """Let time pass up to an instant, in nanoseconds; one that has passed changes nothing. For code in a thread."""
        self.let_pass(instant)
        self._now = max(self._now, instant)

    def let_pass(self, instant: int) -> None:
        """Where time is real: block until the wall has come to an instant. For code that can't wait otherwise."""
        left = self._left_until(instant)
        if left > 0:
            self._trial.extend(left)
            _wait_for_event(self._trial.hurry, left)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, then end whatever it left behind, and close.

        As :class:`asyncio.Runner` does, without a handler for SIGINT: Python's own ends a trial as well.
        """
        try:
            return self.run_until_complete(main)
        finally:
            try:
                self._end_rest()
            finally:
                self.close()

    def _end_rest(self) -> None:
        left = asyncio.all_tasks(self)
        for task in left:
            task.cancel()
        if left:
            self.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        for task in left:
            if not task.cancelled() and (error := task.exception()) is not None:
                message = "a task that was left behind raised an error as it was cancelled"
                self.call_exception_handler({"message": message, "exception": error, "task": task})
        if self._asyncgens:
            self.run_until_complete(self.shutdown_asyncgens())
        if self._pool is not None or self._own or self._stalled:
            self.run_until_complete(self.shutdown_default_executor())

    def _may_jump(self, instant: int) -> bool:
        """Whether nothing else can happen before an instant, so that time may pass without a turn of the loop.

        A task that is to be cancelled takes the turn, since it hears of that where it waits.
        """
        if self._ready or self._is_frozen() or self._trial.origin is not None or self._selector.others:
            return False
        if self._scheduled and round(self._scheduled[0].when() * NANOSECONDS) <= instant:
            return False
        task = asyncio.current_task(self)
        return task is not None and not task.cancelling()

    async def wait_until(self, instant: int) -> None:
        """Wait for an instant, in nanoseconds."""
        if self._may_jump(instant):
            self._now = max(self._now, instant)
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
        if executor is None:
            executor = self._pool = self._pool or ThreadPoolExecutor()
        if isinstance(executor, ThreadPoolExecutor):  # others want what they can send elsewhere
            func, args = self._run_own, (line, func, *args)
        done = super().run_in_executor(executor, func, *args)
        handed = self.create_future()
        done.add_done_callback(partial(self._end_job, line, handed))
        handed.add_done_callback(partial(_pass_on_cancel, done))
        return handed

    def owns_this_thread(self) -> bool:
        """Whether the running thread is one of this loop's own, which nobody has work for once the trial is over."""
        return threading.current_thread() in self._own

    def when_closed(self, callback: Callable[[], None]) -> None:
        """Have something called when the trial is over and its threads have ended."""
        self._left.append(callback)

    def close(self) -> None:
        """As any loop; what was to be done then is done."""
        while self._left:
            self._left.pop()()
        super().close()

    async def shutdown_default_executor(self, *_args: Any, **_options: Any) -> None:
        """Wait for what still runs in threads of this loop, in wall time; in a trial that was ended, have it end.

        Raises :class:`StalledError` where it does not end.
        """
        self.hurry.set()
        if self._pool is not None:
            self._pool.shutdown(wait=False)
        if not self._own and not self._stalled:
            return
        limit = 0.0 if self._stalled else max(self._patience, _FAREWELL)
        self._deadline = _wall() + limit + 2 * _FAREWELL
        self._jobs += 1  # what threads are allowed to end in is wall time, so the loop's own stands still
        ended = self.create_future()
        threading.Thread(target=self._end_threads, args=(limit, ended), daemon=True).start()
        stuck = await ended
        self._jobs -= 1
        if stuck and not self._stalled:
            raise StalledError(stuck)

    def _end_threads(self, limit: float, ended: asyncio.Future[str]) -> None:
        until = _wall() + limit
        while self._own and _wall() < until:
            _sleep(_TICK)
        stuck = [thread for thread in list(self.threads if self._stalled else self._own) if thread.is_alive()]
        says = self.explain("it waits for a thread that does not end", *_idents(stuck)) if stuck else ""
        interrupt(_idents(stuck))
        until = _wall() + _LAST_WORD
        while any(thread.is_alive() and thread in self.threads for thread in stuck) and _wall() < until:
            _sleep(_TICK)
        for thread in stuck:  # the process shall be able to end: nothing waits for them then
            getattr(futures_of_threads, "_threads_queues", {}).pop(thread, None)
        self.call_soon_threadsafe(ended.set_result, says)

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

    def _run_own(self, line: Line, function: Callable[..., Any], *args: Any) -> Any:
        thread = threading.current_thread()
        self._own.add(thread)
        try:
            return run_job(line, function, *args)
        finally:
            self._own.discard(thread)

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

    def _wait(self, selector: JumpingSelector, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """What the loop asks of its selector: the events of at most ``timeout`` seconds."""
        events = selector.poll(0)
        if events or timeout == 0:
            self._check_patience()
            return events
        if any(selector.others.values()):
            self._trial.exact = False
            began = _wall()
            events = selector.poll(self._bounded(timeout))
            self._now += round((_wall() - began) * NANOSECONDS)
        elif timeout is None or self._is_frozen():
            events = selector.poll(self._bounded(None))
        else:
            target = max(self._now, round((self.time() + timeout) * NANOSECONDS))
            events = self._watch_pass(selector, target)
            self._now = self._now if events else target
        self._check_patience()
        return events

    def _watch_pass(self, selector: JumpingSelector, target: int) -> list[tuple[selectors.SelectorKey, int]]:
        """Where time is real: wait for an instant, or for what happens before it."""
        left = self._left_until(target)
        if left <= 0:
            return []
        self._trial.extend(left)
        events = selector.poll(left)
        self._trial.extend(-max(0.0, self._left_until(target)))
        return events

    def _left_until(self, instant: int) -> float:
        """Seconds until the wall has come to an instant; 0 where nobody watches."""
        origin = self._trial.origin
        return 0.0 if origin is None else origin + instant / NANOSECONDS - _wall()

    def extend(self, seconds: float) -> None:
        """Let the trial have more time on the wall."""
        with self._lock:
            self._deadline += seconds

    def _is_frozen(self) -> bool:
        self._children = {child for child in self._children if child.get_returncode() is None}
        return bool(self._jobs or self._children)

    def _bounded(self, timeout: float | None) -> float:
        left = max(0.0, self._deadline - _wall())
        return left if timeout is None else min(timeout, left)

    def _check_patience(self) -> None:
        if _wall() >= self._deadline:
            self._deadline = _wall() + self._patience  # for what its tasks do when they are cancelled
            self._stalled = True
            what = "a job in a thread or a child process" if self._is_frozen() else "something that never happens"
            raise StalledError(self.explain(f"it waits for {what}", *_idents(self.threads)))

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """As in any loop, but for what we raised ourselves to end the trial."""
        if not isinstance(context.get("exception"), EndlessTrial):
            super().call_exception_handler(context)

    def explain(self, why: str, *idents: int) -> str:
        """Why the trial is ended: what it waits for, where its threads hang, and what its tasks wait for."""
        frames = sys._current_frames()  # noqa: SLF001 - the documented way to see them
        hung = [frames[ident] for ident in idents if ident in frames]
        places = [place for frame in hung if (place := place_of(frame))]
        tasks = "\n".join(f"  {task!r:.200}" for task in asyncio.all_tasks(self))
        stacks = "\n".join("".join(traceback.format_stack(frame)[-_SHOWN:]) for frame in hung)
        return (
            f"the trial did not end within {self._patience:g} seconds of wall time, at {self.time():g} seconds of its "
            f"own; {why}{': ' if places else ''}{' and '.join(places)}\n{tasks}\n{stacks}"
        ).rstrip()


def _idents(threads: Iterable[threading.Thread]) -> list[int]:
    return [thread.ident for thread in list(threads) if thread.ident is not None and thread.is_alive()]


def _pass_on_cancel(done: asyncio.Future[Any], handed: asyncio.Future[Any]) -> None:
    if handed.cancelled():
        done.cancel()


def place_of(frame: FrameType | None) -> str:
    """The innermost frame that is the user's own code, as ``file:line in function``; empty where there is none."""
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith(("<", *_NOT_THEIRS)):
            file = Path(code.co_filename)
            shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
            return f"{shown.as_posix()}:{frame.f_lineno} in {code.co_name}"
        frame = frame.f_back
    return ""


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
