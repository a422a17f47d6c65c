"""What a test function of the user's own plays and records: pytest-recording's modes over our matching."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.cassettes.content import decode_response
from harness.cassettes.journal import Journal
from harness.cassettes.matching import NO_RENAMES, Index
from harness.cassettes.playback import Playback
from harness.cassettes.sessions import Played, Recording, RecordSession, ReplaySession
from harness.cassettes.telemetry import service_of
from harness.errors import CassetteMissError
from harness.records.exchange import Cassette, Exchange, HttpRequest, HttpResponse
from harness.records.mismatch import Mismatch
from harness.records.renames import Renames
from harness.seams import RecordedClock, SystemClock
from harness.secrets import declared_redaction, declaring

__all__ = ["Filters", "PlainSession"]


@dataclass(frozen=True, slots=True)
class Filters:
    """What the user's settings make of requests and responses, beyond our own cleaning."""

    request: Callable[[HttpRequest], HttpRequest | None] = lambda request: request
    """None for one that is none of the cassette's business: it goes its own way."""
    response: Callable[[HttpResponse], HttpResponse | None] = lambda response: response
    """None for one whose exchange is not kept."""
    accepts: Callable[[HttpRequest, HttpRequest], bool] = lambda _current, _recorded: True
    """Whether a recorded request with the same key is the same to the user as well."""


class PlainSession:
    """Answers a test's requests from its recording, and records what it may."""

    def __init__(
        self,
        own: Cassette,
        shared: Sequence[Cassette] = (),
        *,
        filters: Filters,
        volatile: tuple[str, ...] = (),
        renames: Renames = NO_RENAMES,
        plays: bool = True,
        journal: Journal | None = None,
        recovered: tuple[Exchange, ...] = (),
        repeats: bool = False,
        allow_unplayed: bool = False,
    ) -> None:
        """``own`` is the test's own file, ``shared`` are further ones, which other tests may play as well.

        ``journal``: where exchanges are kept as they end; None where nothing may be recorded. ``recovered``: what an
        interrupted recording of this test had been answered; it is played, and kept with what is recorded now.

        ``repeats``: once all of them have answered, the last of equal requests goes on answering. ``allow_unplayed``:
        the test need not ask for everything in its own file.
        """
        self._own = _as_kept(own, filters) + recovered
        self._recovered = recovered
        exchanges = sum((_as_kept(cassette, filters) for cassette in shared), self._own)
        self.user_turn = 1
        self._filters = filters
        self._plays = plays
        self._index = _PlainIndex(exchanges, volatile, renames, filters, repeats=repeats)
        self._index.owed = 0 if allow_unplayed else len(self._own)
        self._replay = ReplaySession(Cassette(exchanges=exchanges), clock=RecordedClock(), index=self._index)
        self._declared = declared_redaction()
        self._clock = SystemClock()
        self._journal = journal
        self._aside = RecordSession(clock=self._clock, journal=None)
        self._live: _FilteredSession | None = None
        self._lock = threading.Lock()

    @property
    def mismatch(self) -> Mismatch | None:
        """The first request that was refused, whatever the test made of the error."""
        if self._journal is None:
            return self._replay.mismatch
        return self._live.mismatch if self._live else None

    @property
    def replays(self) -> bool:
        """Whether nothing goes out but what the user's settings let pass by."""
        return self._journal is None

    @property
    def closed(self) -> bool:
        """Whether the test has ended."""
        return self._replay.closed

    @property
    def played(self) -> list[Played]:
        """The exchanges that took place, but those that passed by."""
        return self._replay.played + (self._live.played if self._live else [])

    @property
    def replayed(self) -> int:
        """How many requests the recording answered."""
        return len(self._replay.played)

    @property
    def recorded(self) -> tuple[Exchange, ...]:
        """What was recorded now."""
        return self._live.kept if self._live else ()

    @property
    def unplayed(self) -> tuple[Exchange, ...]:
        """What the test's own file holds and was not asked for."""
        return tuple(self._own[position] for position in self._index.left if position < len(self._own))

    @property
    def own(self) -> tuple[Exchange, ...]:
        """What the test's own file held."""
        return self._own

    @property
    def renewed(self) -> tuple[Exchange, ...]:
        """What the test's own file should hold now: what was asked anew takes the place of its earlier answer."""
        if self._plays:
            left, earlier = set(self._index.left), len(self._own) - len(self._recovered)
            own = (each for at, each in enumerate(self._own) if at < earlier or at not in left)
            return (*own, *self.recorded)
        fresh = Index(self._own, ())
        places: dict[int, Exchange] = {}
        further = []
        for exchange in self.recorded:
            position = fresh.take(exchange.request)
            if position is None:
                further.append(exchange)
            else:
                places[position] = exchange
        return (*(places.get(position, old) for position, old in enumerate(self._own)), *further)

    def meet(self, request: HttpRequest) -> Playback | Recording:
        """The recorded answer, or a recording to fill. Telemetry is not recorded, and never asked for again.

        Raises :class:`CassetteMissError` where it may be neither.
        """
        kept = self._filters.request(request)
        if kept is None:
            return self._aside.meet(request)
        if self._plays and (playback := self._replay.recall(kept)) is not None:
            return playback
        if self._journal is None:
            return self._replay.meet(kept)
        if service_of(request.uri) is not None:
            return self._aside.meet(request)
        return self._recorder(self._journal).meet(kept)

    def refuse(self, cause: str, current: str) -> CassetteMissError:
        """The error for a request that can't be served at all; the test fails with it."""
        session = self._replay if self._journal is None else self._recorder(self._journal)
        return session.refuse(cause, current)

    def close(self) -> None:
        """Serve nothing more; what is still open ends here."""
        self._aside.close()
        self._replay.close()
        if self._live is not None:
            self._live.close()

    def _recorder(self, journal: Journal) -> _FilteredSession:
        """Made with the first request that goes out: most tests need none."""
        with self._lock:
            if self._live is None:
                with declaring(self._declared):  # which the code that asks may not know
                    self._live = _FilteredSession(
                        self._filters, clock=self._clock, journal=journal, replayed=self._recovered
                    )
            return self._live


class _PlainIndex(Index):
    """Narrowed by what the user compares, and endless where the user allows repeats."""

    def __init__(
        self,
        exchanges: Sequence[Exchange],
        volatile: Sequence[str],
        renames: Renames,
        filters: Filters,
        *,
        repeats: bool,
    ) -> None:
        super().__init__(exchanges, volatile, renames)
        self._filters = filters
        self._repeats = repeats

    def take(self, request: HttpRequest) -> int | None:
        """The next exchange that answers this request; where repeats are allowed, at the end the last one again."""
        position = super().take(request)
        if position is None and self._repeats:
            again = _PlainIndex(self._exchanges, self._volatile, self._renames, self._filters, repeats=False)
            while (found := again.take(request)) is not None:
                position = found
        return position

    def accepts(self, request: HttpRequest, position: int) -> bool:
        """Whether it is the same to the user as well."""
        return self._filters.accepts(request, self._exchanges[position].request)


class _FilteredSession(RecordSession):
    """Keeps what the user's settings leave of each exchange."""

    def __init__(
        self, filters: Filters, *, clock: SystemClock, journal: Journal, replayed: tuple[Exchange, ...]
    ) -> None:
        super().__init__(clock=clock, journal=journal, replayed=replayed)
        self._filters = filters
        self._dropped: set[int] = set()

    @property
    def kept(self) -> tuple[Exchange, ...]:
        """What has ended and is to be kept, in the order in which it began."""
        return tuple(each.exchange for each in self.played if id(each.exchange) not in self._dropped)

    def clean(self, exchange: Exchange) -> Exchange:
        """What the user's settings leave, cleaned."""
        response = self._filters.response(decode_response(exchange.response))
        cleaned = super().clean(exchange if response is None else exchange.model_copy(update={"response": response}))
        if response is None:
            self._dropped.add(id(cleaned))
        return cleaned

    def keep(self, exchange: Exchange) -> None:
        """Journal it, unless it is dropped."""
        if id(exchange) not in self._dropped:
            super().keep(exchange)


def _as_kept(cassette: Cassette, filters: Filters) -> tuple[Exchange, ...]:
    """The exchanges as today's settings would have kept them.

    What we recorded has been filtered, and lacks the headers that a user's filter may look for.
    """
    if cassette.metadata is not None:
        return cassette.exchanges
    kept = []
    for exchange in cassette.exchanges:
        request, response = filters.request(exchange.request), filters.response(exchange.response)
        if request is not None and response is not None:
            kept.append(exchange.model_copy(update={"request": request, "response": response}))
    return tuple(kept)
