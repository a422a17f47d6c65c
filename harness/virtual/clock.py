"""The clock of a trial that runs in virtual time."""

from __future__ import annotations

import asyncio

from harness.virtual.loop import VirtualLoop

__all__ = ["VirtualClock"]


class VirtualClock:
    """Tells a loop's own time, and lets it pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> int:
        """Nanoseconds since the trial began."""
        return self._loop.now

    def advance_to(self, instant: int) -> None:
        """Let time pass at once, for code that can't wait: it blocks, in a thread or in the loop itself."""
        self._loop.advance_to(instant)

    async def wait_until(self, instant: int) -> None:
        """Wait for an instant, while others go on."""
        await self._loop.wait_until(instant)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
