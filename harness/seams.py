"""Where time, identifiers and randomness come in: as parameters, never from the wall."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Clock", "ExtendedClock", "RecordedClock", "ReplayClock", "Seams", "SystemClock", "mint_id"]


class Clock(Protocol):
    """What an agent and a recorder know of time."""

    def now(self) -> int:
        """Nanoseconds since the clock's own start; never runs backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class ReplayClock(Clock, Protocol):
    """A clock that a replay moves."""

    def advance_to(self, instant: int) -> None:
        """Let time pass up to an instant, in nanoseconds, at once; one that has passed changes nothing."""
        ...

    async def wait_until(self, instant: int) -> None:
        """The same for code that can wait, so that others go on in the meantime."""
        ...


class SystemClock:
    """The wall's time: for live and recording runs."""

    def __init__(self) -> None:
        self._start = time.monotonic_ns()

    def now(self) -> int:
        """Nanoseconds since this object was made."""
        return time.monotonic_ns() - self._start

    async def sleep(self, seconds: float) -> None:
        """Wait for real."""
        await asyncio.sleep(seconds)


class RecordedClock:
    """Time as it was recorded: it moves only when somebody waits or an exchange is replayed."""

    def __init__(self) -> None:
        self._now = 0

    def now(self) -> int:
        """Nanoseconds since the trial began, in recorded time."""
        return self._now

    def advance_to(self, instant: int) -> None:
        """Move to an instant, in nanoseconds; one that has passed changes nothing."""
        self._now = max(self._now, instant)

    async def wait_until(self, instant: int) -> None:
        """Move to an instant, and let others run."""
        self.advance_to(instant)
        await asyncio.sleep(0)

    async def sleep(self, seconds: float) -> None:
        """Let the time pass without waiting, and let others run."""
        self._now += round(seconds * 1_000_000_000)
        await asyncio.sleep(0)


class ExtendedClock(RecordedClock):
    """Recorded time up to some instant, the wall's from there on."""

    def __init__(self) -> None:
        super().__init__()
        self._live: SystemClock | None = None

    def go_live(self) -> None:
        """Let time pass by itself from now on."""
        self._live = self._live or SystemClock()

    def now(self) -> int:
        """Nanoseconds since the trial began."""
        return super().now() + (self._live.now() if self._live else 0)

    async def sleep(self, seconds: float) -> None:
        """Wait: for real once time passes by itself."""
        await (self._live.sleep(seconds) if self._live else super().sleep(seconds))


@dataclass(frozen=True, slots=True)
class Seams:
    """The sources of everything that would make two runs differ, one set per trial."""

    run_id: str
    """Names the trial in every log line."""
    clock: Clock = field(default_factory=SystemClock)
    random: random.Random = field(default_factory=random.Random)


def mint_id(*parts: object) -> str:
    """A short identifier that depends on nothing but its parts: 12 hexadecimal digits."""
    text = "\x1f".join(map(str, parts))
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=6).hexdigest()
