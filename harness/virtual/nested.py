"""Further loops of a trial: those that an agent makes in its threads, as every ``run_sync`` and ``asyncio.run`` does.

Such a loop waits as the trial's own does, in virtual time, and its time is that of the thread that runs it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from harness.virtual.clock import VirtualClock
from harness.virtual.lines import Line, current_line
from harness.virtual.loop import VirtualLoop
from harness.virtual.sources import current_clock

__all__ = ["POLICY", "NestedLoop", "make_loop"]

_POLICIES = ("BaseDefaultEventLoopPolicy", "_BaseDefaultEventLoopPolicy")
POLICY: Any = next(getattr(asyncio.events, name) for name in _POLICIES if name in vars(asyncio.events))
"""Whose method makes the loops of whoever asks for none in particular."""


class NestedLoop(VirtualLoop):
    """A loop beside the trial's own. It has no patience of its own: the trial's ends both."""

    def __init__(self, clock: VirtualClock) -> None:
        self._line = clock.fork()
        super().__init__(patience=float("inf"))
        self._trial = clock.loop
        self._thread: threading.Thread | None = None
        self._is_left = False
        self._trial.when_closed(self._close_behind)

    @property
    def _now(self) -> int:
        return self._line.now

    @_now.setter
    def _now(self, instant: int) -> None:
        self._line.now = max(self._line.now, instant)

    def run_forever(self) -> None:
        """As in any loop; a loop that is kept for later goes on at the time of whoever runs it then."""
        clock = current_clock()
        if isinstance(clock, VirtualClock):
            self._trial, self._line = clock.loop, clock.line() or Line(clock.loop, clock.now())
        else:
            self._line = current_line(self._trial) or self._line
        self._thread = threading.current_thread()
        self._is_left = self._trial.owns_this_thread()
        super().run_forever()

    def _close_behind(self) -> None:
        """Close it where nobody else did and nobody will run it again, as in the threads of ``run_sync``."""
        is_over = self._is_left or self._thread is None or not self._thread.is_alive()
        if is_over and not self.is_running():
            self.close()

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any, **options: Any) -> asyncio.Handle:  # type: ignore[override]  # typeshed wants its own type variables
        """As in any loop; it happens no earlier than where it is asked for."""
        clock = current_clock()
        if isinstance(clock, VirtualClock) and clock.loop is self._trial and clock.now() > self._now:
            asked = clock.now(), callback, args
            return super().call_soon_threadsafe(self._call_no_earlier, *asked, **options)
        return super().call_soon_threadsafe(callback, *args, **options)

    def _bounded(self, timeout: float | None) -> float | None:  # type: ignore[override]  # it may wait without end
        return timeout


def make_loop(real: Any) -> Any:
    """What to put in the place of the method that makes a loop."""

    def new_event_loop(policy: Any) -> asyncio.AbstractEventLoop:
        clock = current_clock()
        if isinstance(clock, VirtualClock):
            return NestedLoop(clock)
        loop: asyncio.AbstractEventLoop = real(policy)
        return loop

    return new_event_loop
