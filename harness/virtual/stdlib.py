"""What an agent takes for the time of day, for chance and for a new id: in a trial, the trial's own.

The functions of the standard library are replaced once for the process, by ones that ask which trial the running code
belongs to; outside any trial they are what they were. ``datetime`` and the calendar functions of ``time`` are written
in C, and replaced by time-machine.
"""

from __future__ import annotations

import functools
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType
from typing import Any

from harness.errors import InterceptionError
from harness.virtual.handing import IN_THREAD
from harness.virtual.loop import NANOSECONDS
from harness.virtual.sources import current_clock, current_sources
from harness.virtual.threads import HANDOVERS

__all__ = ["seeded", "steered"]

_PYTEST_IS_THERE = "pytest" in sys.modules
if not _PYTEST_IS_THERE:
    sys.modules["pytest"] = None  # type: ignore[assignment]  # time-machine has a fixture, and would import it for that
try:
    import time_machine
finally:
    if not _PYTEST_IS_THERE:
        del sys.modules["pytest"]

_CLOCKS = ("monotonic", "perf_counter")
_BREATH = 0.001
"""Seconds of wall time that a sleep of any length takes in a thread of its own."""
_AT_CHILD: ContextVar[bool] = ContextVar("harness_at_child", default=False)
"""Whether the running code waits for a child process, which it does by short sleeps where it has a time limit."""
_STATE = ("seed", "getstate", "setstate")
_CHANCES = [
    name
    for name in random.__all__
    if isinstance(getattr(getattr(random, name), "__self__", None), random.Random) and name not in _STATE
]
"""The functions of ``random`` that draw from its one hidden source."""


@contextmanager
def seeded(seed: str) -> Iterator[None]:
    """Have the process's one hidden source draw from a seed, for those who imported its functions by name.

    Only for a trial that has the process for itself.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def steered() -> Iterator[None]:
    """Have the standard library ask for a trial's sources. May be entered again; the last to leave restores."""
    _STANDARD_LIBRARY.enter()
    try:
        yield
    finally:
        _STANDARD_LIBRARY.leave()


class _StandardLibrary:
    """What is replaced, and how often that was asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._replaced: list[tuple[Any, str, Any, Any]] = []
        self._travel: _Travel | None = None

    def enter(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth > 1:
                return
            for name in _CLOCKS:
                self._replace(time, name, _clock_function)
                self._replace(time, f"{name}_ns", _clock_ns_function)
            self._replace(time, "sleep", _sleep_function)
            self._replace(subprocess.Popen, "wait", _child_function)
            self._replace(os, "urandom", _urandom_function)
            for name in _CHANCES:
                self._replace(random, name, functools.partial(_chance_function, name))
            for owner, name, make in HANDOVERS:
                self._replace(owner, name, make)
            self._travel = None
            self._travel = _Travel()

    def leave(self) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth:
                return
            if self._travel is not None:
                self._travel.end()
            for owner, name, real, ours in reversed(self._replaced):
                if getattr(owner, name) is ours:  # else somebody replaced it after us, and will restore it
                    setattr(owner, name, real)
            self._replaced.clear()

    def _replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        real = getattr(owner, name)
        ours = make(real)
        if not isinstance(ours, CodeType):
            ours = functools.wraps(real)(ours)
        self._replaced.append((owner, name, real, ours))
        setattr(owner, name, ours)


_STANDARD_LIBRARY = _StandardLibrary()


class _Travel:
    """Hands time-machine our calendar."""

    def __init__(self) -> None:
        around = time_machine.traveller_stack[-1:]
        self._outside = around[0].time_ns if around else time_machine.escape_hatch.time.time_ns
        self._travel = time_machine.travel(0, tick=False)
        try:
            traveller = self._travel.start()
        except RuntimeError as error:
            raise InterceptionError(
                f"the calendar is somebody else's, so nothing was sent: {error}; stop that before scenarios run"
            ) from error
        traveller.time_ns = self._now  # type: ignore[method-assign]  # of this one object: the place that it asks

    def end(self) -> None:
        self._travel.stop()

    def _now(self) -> int:
        sources = current_sources()
        calendar = sources.calendar if sources else None
        return self._outside() if calendar is None else calendar()


def _clock_function(real: Callable[[], float]) -> Callable[[], float]:
    def read() -> float:
        clock = current_clock()
        return real() if clock is None else clock.now() / NANOSECONDS

    return read


def _clock_ns_function(real: Callable[[], int]) -> Callable[[], int]:
    def read() -> int:
        clock = current_clock()
        return real() if clock is None else clock.now()

    return read


def _sleep_function(real: Callable[[float], None]) -> Callable[[float], None]:
    def sleep(seconds: float, /) -> None:
        clock = current_clock()
        if clock is None or seconds < 0 or _AT_CHILD.get():
            real(seconds)
        else:
            clock.advance_to(clock.now() + round(seconds * NANOSECONDS))
            if IN_THREAD.get():  # it may look after others for as long as they run: leave them the processor
                real(min(seconds, _BREATH))

    return sleep


def _child_function(real: Callable[..., int]) -> Callable[..., int]:
    def wait(self: subprocess.Popen[Any], timeout: float | None = None) -> int:
        token = _AT_CHILD.set(True)
        try:
            return real(self, timeout)
        finally:
            _AT_CHILD.reset(token)

    return wait


def _urandom_function(real: Callable[[int], bytes]) -> Callable[[int], bytes]:
    def urandom(size: int, /) -> bytes:
        sources = current_sources()
        return real(size) if sources is None or sources.random is None else sources.random.randbytes(size)

    return urandom


def _chance_function(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def draw(*args: Any, **options: Any) -> Any:
        sources = current_sources()
        if sources is None or sources.random is None:
            return real(*args, **options)
        return getattr(sources.random, name)(*args, **options)

    return draw
