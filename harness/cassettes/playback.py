"""A recorded response on its way to the client."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from harness.cassettes.failures import NO_RESPONSE, Failure, Limits, failed_response, failure_of, timeout_of
from harness.records.exchange import Ending, Exchange, HttpResponse
from harness.seams import ReplayClock

__all__ = ["Playback"]


class _Wait(NamedTuple):
    """A client's wait for a head, a piece or the end of a response; its instants are of the trial."""

    timeout: Failure
    """What it is called where it takes too long."""
    since: int
    until: int
    """When it ended in the recording."""
    limit: int | None
    """The client's own, in nanoseconds."""

    @property
    def end(self) -> int:
        return self.until if self.limit is None else min(self.until, self.since + self.limit)


class Playback:
    """One recorded response on its way to the client: recorded time passes as it is read.

    Where a wait is longer than the client's own limit it ends there, and the exchange becomes what a recording of it
    would hold: a response that stalled, or none at all.
    """

    def __init__(self, exchange: Exchange, clock: ReplayClock) -> None:
        self._clock = clock
        # never before its recorded instant: what the agent itself took until then passes as well
        started = max(clock.now(), exchange.started)
        self.exchange = exchange if started == exchange.started else exchange.model_copy(update={"started": started})
        self.limits: Limits = {}
        """The client's own."""
        self.overrun: _Wait | None = None
        """The wait that came to the client's limit."""
        self._is_answered = False
        self._coming = deque(self._pieces())
        """When each piece arrives that has not been read."""

    @property
    def failure(self) -> Failure | None:
        """Give what the client meets where the response ends; ask there, since it may be the client's own limit."""
        return failure_of(self.exchange.response)

    def arrive(self) -> None:
        """Let time pass until the response's head is there, or until it is clear that none will come."""
        wait = self._wait_for_head()
        self._clock.advance_to(wait.end)
        self._end_at_limit(wait)
        self._is_answered = self.overrun is None

    async def wait(self) -> None:
        """The same for code that can wait."""
        wait = self._wait_for_head()
        await self._clock.wait_until(wait.end)
        self._end_at_limit(wait)
        self._is_answered = self.overrun is None

    def pieces(self) -> Iterator[bytes]:
        """The body in the chunks of the recording, each once."""
        while True:
            wait = self._wait_for_more()
            self._clock.advance_to(wait.end)
            self._end_at_limit(wait)
            if not self._coming:
                return
            yield self._coming.popleft()[1]

    async def wait_for_piece(self) -> bytes | None:
        """The next of them, for code that can wait; None at the end. A wait that is cancelled loses nothing."""
        wait = self._wait_for_more()
        await self._clock.wait_until(wait.end)
        self._end_at_limit(wait)
        return self._coming.popleft()[1] if self._coming else None

    async def wait_for_end(self) -> None:
        """Wait until the last byte is there."""
        await self._clock.wait_until(self._end)

    def give_up(self) -> None:
        """The client's own limit for the whole of the exchange has passed."""
        started, now = self.exchange.started, self._clock.now()
        if self.overrun is None and now < self._end:
            self._break_off(_Wait(Failure.READ_TIMEOUT, started, self._end, now - started))

    def _wait_for_head(self) -> _Wait:
        exchange = self.exchange
        if exchange.response.status != NO_RESPONSE:
            timeout, until = Failure.READ_TIMEOUT, exchange.started + exchange.head
        else:
            timeout, until = timeout_of(self.failure), self._end
        return _Wait(timeout, exchange.started, until, self.limits.get(timeout))

    def _wait_for_more(self) -> _Wait:
        until = self._coming[0][0] if self._coming else self._end
        return _Wait(Failure.READ_TIMEOUT, self._clock.now(), until, self.limits.get(Failure.READ_TIMEOUT))

    def _end_at_limit(self, wait: _Wait) -> None:
        if wait.end < wait.until:
            self._break_off(wait)

    def _break_off(self, wait: _Wait) -> None:
        """Have the exchange end where the client waited no longer."""
        self.overrun = wait
        exchange = self.exchange
        update = {
            "response": self._stalled() if self._is_answered else failed_response(wait.timeout),
            "head": exchange.head if self._is_answered else 0,
            "duration": wait.end - exchange.started,
        }
        self.exchange = exchange.model_copy(update=update)
        self._coming.clear()

    def _stalled(self) -> HttpResponse:
        """The response as far as it was read."""
        response = self.exchange.response
        body = response.body[: len(response.body) - sum(len(piece) for _, piece in self._coming)]
        chunks = response.chunks[: len(response.chunks) - len(self._coming)]
        return response.model_copy(update={"body": body, "chunks": chunks, "ending": Ending.STALLED})

    @property
    def _end(self) -> int:
        return self.exchange.started + self.exchange.duration

    def _pieces(self) -> Iterator[tuple[int, bytes]]:
        response, start = self.exchange.response, 0
        if not response.chunks:
            yield self._end, response.body
        for chunk in response.chunks:
            yield self.exchange.started + chunk.at, response.body[start : start + chunk.size]
            start += chunk.size
