"""What threads do with each other in a trial: start, join, hand over. Time goes along.

Only what says itself when it can happen at the earliest passes time on: a thread's end, a job's result, an item of a
queue, an event that is set. A lock does not, since which thread has it first is chance.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextvars import ContextVar
from types import CodeType, FunctionType
from typing import Any

from harness.virtual.clock import VirtualClock
from harness.virtual.handing import hand_on_at_start, hand_on_at_submit
from harness.virtual.lines import Line, run_job
from harness.virtual.loop import NANOSECONDS
from harness.virtual.nested import POLICY, make_loop
from harness.virtual.sources import current_clock

__all__ = ["HANDOVERS", "in_order", "wait_in_order"]


_FOR_TRIAL: ContextVar[bool] = ContextVar("harness_for_trial", default=False)
"""Whether a pool may start a thread here for a trial's job: the thread itself belongs to nobody."""


def _trial_clock() -> VirtualClock | None:
    clock = current_clock()
    return clock if isinstance(clock, VirtualClock) else None


def _submit(real: Any) -> Any:
    def submit(pool: Any, function: Any, /, *args: Any, **options: Any) -> Any:
        clock = _trial_clock()
        if clock is None:
            return real(pool, function, *args, **options)
        line = clock.fork()
        token = _FOR_TRIAL.set(True)
        try:
            future = real(pool, run_job, line, function, *args, **options)
        finally:
            _FOR_TRIAL.reset(token)
        future.harness_line = line
        return future

    return submit


def _result(real: Any) -> Any:
    def result(future: Any, timeout: float | None = None) -> Any:
        clock = _trial_clock()
        if clock is None:
            return real(future, timeout)
        try:
            return real(future, timeout)
        finally:
            line = _line_of(future)  # only now: who answers may give it one
            if line is not None and future.done():
                _join_within(clock, line.now, timeout)

    return result


def _settle(real: Any) -> Any:
    def settle(future: Any, value: Any) -> None:
        clock = _trial_clock()
        if clock is not None and _line_of(future) is None:  # of no pool: a loop in another thread answers with it
            future.harness_line = clock.fork()
        real(future, value)

    return settle


def _join_within(clock: VirtualClock, instant: int, timeout: float | None) -> None:
    """Wait for what happens at an instant. Raises :class:`TimeoutError` where that is later than may be waited."""
    if timeout is not None and instant > (limit := clock.now() + round(timeout * NANOSECONDS)):
        clock.advance_to(limit)
        raise TimeoutError
    clock.advance_to(instant)


def _start(real: Any) -> Any:
    def start(thread: Any) -> None:
        clock = _trial_clock()
        if clock is not None:
            thread.harness_line = clock.fork()
            if not thread.daemon:
                clock.note(thread)
        if clock is not None or _FOR_TRIAL.get():
            thread.daemon = True  # whatever it does, it does not keep the process
        real(thread)

    return start


def _join(real: Any) -> Any:
    def join(thread: Any, timeout: float | None = None) -> None:
        real(thread, timeout)
        clock, line = _trial_clock(), _line_of(thread)
        if clock is not None and line is not None and not thread.is_alive():
            clock.advance_to(line.now)

    return join


def _set(real: Any) -> Any:
    def set_(event: Any) -> None:
        clock = _trial_clock()
        if clock is not None and not event.is_set():
            event.harness_line = clock.fork()
        real(event)

    return set_


def _wait(real: Any) -> Any:
    def wait(event: Any, timeout: float | None = None) -> bool:
        is_set: bool = real(event, timeout)
        clock, line = _trial_clock(), _line_of(event)
        if is_set and clock is not None and line is not None:
            clock.advance_to(line.now)
        return is_set

    return wait


def _put(real: Any) -> Any:
    def put(items: Any, item: Any, *args: Any, **options: Any) -> None:
        clock = _trial_clock()
        if clock is not None:
            lines = items.__dict__.setdefault("harness_lines", {})
            lines.setdefault(id(item), deque()).append(clock.fork())
        real(items, item, *args, **options)

    return put


def _get(real: Any) -> Any:
    def get(items: Any, *args: Any, **options: Any) -> Any:
        item = real(items, *args, **options)
        lines = items.__dict__.get("harness_lines", {}).get(id(item))
        line, clock = lines.popleft() if lines else None, _trial_clock()
        if line is not None and clock is not None and clock.owns(line):  # a pool of connections outlives its trial
            clock.advance_to(line.now)
        return item

    return get


def _line_of(thing: Any) -> Line | None:
    """The line of a job, a thread or an event of the running trial."""
    line, clock = getattr(thing, "harness_line", None), _trial_clock()
    return line if line is not None and clock is not None and clock.owns(line) else None


def _copy(function: Any) -> Any:
    return FunctionType(function.__code__, function.__globals__, argdefs=function.__defaults__)


_as_completed = _copy(futures.as_completed)
_wait_for = _copy(futures.wait)
_exception = futures.Future.exception


def in_order(fs: Iterable[Any], timeout: float | None) -> Iterator[Any]:
    """``as_completed``: in a trial, in the order of its time."""
    known = tuple(dict.fromkeys(fs))
    clock = _trial_clock()
    if clock is None or not all(map(_line_of, known)):
        yield from _as_completed(known, timeout)
        return
    began = clock.now()
    _wait_for(known, timeout)
    for future in sorted(known, key=lambda one: one.harness_line.now):
        spent = (clock.now() - began) / NANOSECONDS
        _join_within(clock, future.harness_line.now, None if timeout is None else timeout - spent)
        yield future


def wait_in_order(fs: Iterable[Any], timeout: float | None, return_when: str) -> Any:
    """``wait``: in a trial, what is done at the time of the trial at which waiting ends."""
    known = tuple(dict.fromkeys(fs))
    clock = _trial_clock()
    if clock is None or not known or not all(map(_line_of, known)):
        return _wait_for(known, timeout, return_when)
    whole = _wait_for(known, timeout)
    if whole.not_done:
        return whole
    ends = sorted(one.harness_line.now for one in known)
    failures = [one.harness_line.now for one in known if not one.cancelled() and _exception(one) is not None]
    until = ends[-1]
    if return_when == futures.FIRST_COMPLETED:
        until = ends[0]
    elif return_when == futures.FIRST_EXCEPTION and failures:
        until = min(failures)
    if timeout is not None:
        until = min(until, clock.now() + round(timeout * NANOSECONDS))
    clock.advance_to(until)
    done = {one for one in known if one.harness_line.now <= until}
    return type(whole)(done, set(known) - done)


def _as_completed_code(_real: CodeType) -> CodeType:
    def as_completed(fs, timeout=None):  # type: ignore[no-untyped-def]
        from harness.virtual.threads import in_order

        yield from in_order(fs, timeout)

    return as_completed.__code__


def _wait_code(_real: CodeType) -> CodeType:
    def wait(fs, timeout=None, return_when="ALL_COMPLETED"):  # type: ignore[no-untyped-def]
        from harness.virtual.threads import wait_in_order

        return wait_in_order(fs, timeout, return_when)

    return wait.__code__


HANDOVERS: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
    (futures.ThreadPoolExecutor, "submit", hand_on_at_submit),
    (threading.Thread, "start", hand_on_at_start),
    (futures.ThreadPoolExecutor, "submit", _submit),
    (futures.Future, "result", _result),
    (futures.Future, "exception", _result),
    (futures.Future, "set_result", _settle),
    (futures.Future, "set_exception", _settle),
    (futures.as_completed, "__code__", _as_completed_code),  # imported by name everywhere, so that only this is shared
    (futures.wait, "__code__", _wait_code),
    (threading.Thread, "start", _start),
    (threading.Thread, "join", _join),
    (threading.Event, "set", _set),
    (threading.Event, "wait", _wait),
    (queue.Queue, "put", _put),
    (queue.Queue, "get", _get),
    (POLICY, "new_event_loop", make_loop),
)
"""Whose methods are replaced while a trial may run, their names, and what makes ours from the real one."""
