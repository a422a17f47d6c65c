"""The clock of a trial that runs in virtual time."""

from __future__ import annotations

import asyncio
import threading

from harness.virtual.lines import Line, current_line, open_line
from harness.virtual.loop import VirtualLoop

__all__ = ["VirtualClock"]


class VirtualClock:
    """Tells the time of the running thread, which is the loop's own in the loop's thread, and lets it pass.

    To be made in the loop's thread.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._home = threading.get_ident()

    def now(self) -> int:
        """Nanoseconds since the trial began."""
        line = self.line()
        return self._loop.now if line is None else line.now

    def advance_to(self, instant: int) -> None:
        """Let time pass at once, for code that can't wait: it blocks, in a thread or in the loop itself."""
        line = self.line()
        if line is None:
            self._loop.advance_to(instant)
        else:
            self._loop.let_pass(instant)
            line.now = max(line.now, instant)

    async def wait_until(self, instant: int) -> None:
        """Wait for an instant, while others go on."""
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualLoop):
            await loop.wait_until(instant)
        else:  # of a kind, or from a time, that we have no hand in
            self.advance_to(instant)
            await asyncio.sleep(0)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    @property
    def loop(self) -> VirtualLoop:
        """The trial's own loop."""
        return self._loop

    def fork(self) -> Line:
        """The line of a thread that is started now."""
        return Line(self._loop, self.now())

    def note(self, thread: threading.Thread) -> None:
        """A thread of the trial is started."""
        self._loop.threads.add(thread)

    def owns(self, line: Line) -> bool:
        """Whether a line is of this trial."""
        return line.loop is self._loop

    def line(self) -> Line | None:
        """The running thread's; None in the loop's own thread, whose time is the loop's."""
        if threading.get_ident() == self._home:
            return None
        return current_line(self._loop) or open_line(self._loop, self._loop.now)
