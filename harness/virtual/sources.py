"""Where the running code takes time and chance from: the sources of its trial, where it belongs to one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from harness.seams import ReplayClock
from harness.virtual.handing import handed_on

__all__ = ["Steering", "current_clock", "current_sources", "steering"]


@dataclass(frozen=True, slots=True)
class Steering:
    """The sources of one trial. What is None is the process's own."""

    random: random.Random | None = None
    """For the functions of ``random``, ``os.urandom`` and with it ``uuid4``."""
    clock: ReplayClock | None = None
    """For ``time.monotonic``, ``time.perf_counter`` and ``time.sleep``."""
    calendar: Callable[[], int] | None = None
    """Nanoseconds since 1970, for ``datetime`` and ``time.time``."""


_CURRENT: ContextVar[Steering | None] = handed_on(ContextVar("harness_steering", default=None))
current_sources = _CURRENT.get


@contextmanager
def steering(sources: Steering) -> Iterator[None]:
    """Let the code of this context, and of all contexts copied from it, have these sources."""
    token = _CURRENT.set(sources)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current_clock() -> ReplayClock | None:
    """The clock of the trial that the running code belongs to; None where its time is the wall's."""
    sources = _CURRENT.get()
    return sources.clock if sources else None
