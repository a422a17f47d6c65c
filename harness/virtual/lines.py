"""Each thread of a trial has a line of time of its own: which of them comes first on the wall changes nothing.

A thread begins at the time of whoever started it, its waits move its own line alone, and whoever takes its result is
moved on to where it ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.virtual.loop import VirtualLoop

__all__ = ["Line", "current_line", "open_line", "run_job"]


@dataclass(slots=True)
class Line:
    """How far one thread, or one job in a pool's thread, has come."""

    loop: VirtualLoop
    """The loop of its trial."""
    now: int
    """Nanoseconds since the trial began."""


class _Current(threading.local):
    line: Line | None = None


_CURRENT = _Current()


def current_line(loop: VirtualLoop) -> Line | None:
    """The running thread's line in the trial of this loop; None where nothing is known of its start."""
    line = _CURRENT.line
    if line is None:  # a thread that was started as such carries its own
        line = _CURRENT.line = getattr(threading.current_thread(), "harness_line", None)
    return line if line is not None and line.loop is loop else None


def open_line(loop: VirtualLoop, now: int) -> Line:
    """Give the running thread a line, because nobody did when it was started."""
    line = _CURRENT.line = Line(loop, now)
    return line


def run_job(line: Line, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Run a function on a line of its own: a pool's thread is not where its last job ended."""
    before, _CURRENT.line = _CURRENT.line, line
    thread, busy = threading.current_thread(), line.loop.threads
    is_first = thread not in busy
    busy.add(thread)
    try:
        return function(*args, **options)
    finally:
        _CURRENT.line = before
        if is_first:
            busy.discard(thread)
