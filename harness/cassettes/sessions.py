"""What one trial plays or records."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from harness.cassettes.cleaning import Cleaner, mask_request
from harness.cassettes.failures import NO_RESPONSE, Failure, Limits, failed_response, failure_of, timeout_of
from harness.cassettes.journal import Journal
from harness.cassettes.matching import NO_RENAMES, Index
from harness.cassettes.playback import Playback
from harness.cassettes.silence import unsent
from harness.cassettes.telemetry import service_of
from harness.cassettes.unsent import unplayed_mismatch
from harness.errors import CassetteMissError
from harness.records.exchange import Cassette, Chunk, Ending, Exchange, HttpRequest, HttpResponse
from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.records.renames import Renames
from harness.seams import Clock, RecordedClock, ReplayClock
from harness.secrets import declared_redaction, known_secrets

__all__ = ["Played", "RecordSession", "Recording", "ReplaySession", "Session", "describe_unplayed"]


@dataclass(frozen=True, slots=True)
class Played:
    """An exchange that took place in this trial, replayed or live."""

    exchange: Exchange
    user_turn: int


class Session(Protocol):
    """Decides, request by request, what a trial's traffic meets: its recording, or the network."""

    user_turn: int
    """The user turn that is being answered; noted with each exchange."""

    @property
    def mismatch(self) -> Mismatch | None:
        """The first request that was refused, whatever the agent made of the error."""

    @property
    def closed(self) -> bool:
        """Whether the trial has ended."""

    @property
    def played(self) -> list[Played]:
        """The exchanges that took place."""

    @property
    def replays(self) -> bool:
        """Whether nothing goes out."""

    def meet(self, request: HttpRequest) -> Playback | Recording:
        """The recorded answer; or a recording to fill while the request goes out.

        Raises :class:`CassetteMissError` where it may do neither.
        """

    def refuse(self, cause: str, current: str) -> CassetteMissError:
        """The error for a request that can't be served at all; the trial fails with it."""

    def close(self) -> None:
        """Serve nothing more."""


class ReplaySession:
    """Answers a trial's requests from its cassette, each recorded exchange once."""

    replays = True

    def __init__(
        self,
        cassette: Cassette,
        *,
        clock: ReplayClock,
        volatile: tuple[str, ...] = (),
        renames: Renames = NO_RENAMES,
        index: Index | None = None,
    ) -> None:
        self.user_turn = 1
        self.mismatch: Mismatch | None = None
        self.closed = False
        self._exchanges = cassette.exchanges
        self._clock = clock
        self._index = index or Index(cassette.exchanges, volatile, renames)
        self._declared = declared_redaction()
        self._masked = False
        self._met: list[tuple[int, Playback, int]] = []
        """What was asked for, in that order: its position in the cassette, its answer, its user turn."""
        self._lock = threading.Lock()

    @property
    def played(self) -> list[Played]:
        """What was played, in the order of its own time: threads ask in any order."""
        met = [(position, Played(playback.exchange, turn)) for position, playback, turn in list(self._met)]
        in_time = sorted(met, key=lambda each: (each[1].user_turn, each[1].exchange.started, each[0]))
        return [one for _, one in in_time]

    @property
    def as_recorded(self) -> list[Played]:
        """What was played, in the order and at the instants of the recording."""
        return [
            Played(playback.exchange.model_copy(update={"started": self._exchanges[position].started}), turn)
            for position, playback, turn in sorted(self._met, key=lambda met: met[0])
        ]

    @property
    def _order(self) -> list[int]:
        return [position for position, _, _ in self._met]

    @property
    def unplayed(self) -> tuple[Exchange, ...]:
        """What was recorded and not asked for. Telemetry need not be: it differs from run to run."""
        left = (self._exchanges[position] for position in self._index.left)
        return tuple(exchange for exchange in left if service_of(exchange.request.uri) is None)

    @property
    def recorded(self) -> tuple[Exchange, ...]:
        """Everything in the cassette."""
        return self._exchanges

    def meet(self, request: HttpRequest) -> Playback:
        """The answer to a request. Raises :class:`CassetteMissError` where the recording has none.

        Telemetry takes no time and stands in no trace: whether it comes within a trial is chance. A report that was not
        recorded is answered as its service does.
        """
        if service_of(request.uri) is not None:
            return Playback(self._report(request) or unsent(request), RecordedClock())
        playback = self.recall(request)
        if playback is None:
            with self._lock:
                raise self._miss(self._index.explain(self._mask(request), self._order))
        return playback

    def recall(self, request: HttpRequest) -> Playback | None:
        """The recorded answer to a request; None where the recording has none, which is no miss yet."""
        with self._lock:
            position, request = self._take(request)
            if position is None:
                return None
            exchange = self._index.answer(position, request)
            playback = Playback(exchange, self._clock)
            self._met.append((position, playback, self.user_turn))
            return playback

    def _take(self, request: HttpRequest) -> tuple[int | None, HttpRequest]:
        """The position of the next exchange that answers a request, and the request in the form in which it does."""
        position = self._index.take(request)
        if position is None:  # what is the same before it is masked needs no mask: most requests cost nothing more
            request = self._mask(request)
            position = self._index.take(request)
        return position, request

    def _report(self, request: HttpRequest) -> Exchange | None:
        if not self._has_reports:
            return None
        with self._lock:
            position, request = self._take(request)
            return None if position is None else self._index.answer(position, request)

    @cached_property
    def _has_reports(self) -> bool:
        """Whether to look for one at all: they are large, and often all that some framework sends in a trial."""
        return any(service_of(exchange.request.uri) for exchange in self._exchanges)

    def refuse(self, cause: str, current: str) -> CassetteMissError:
        """The error for a request that can't be answered at all; the trial fails with it."""
        with self._lock:
            return self._miss(_refused(cause, current, turn=len(self._met) + 1))

    def close(self) -> None:
        """Answer nothing more."""
        self.closed = True

    def _mask(self, request: HttpRequest) -> HttpRequest:
        """The request as a recording made now would hold it; from here on the recorded ones are in that form too."""
        secrets = known_secrets(declared=self._declared)
        if not self._masked:
            self._masked = True
            masked = tuple(
                each.model_copy(update={"request": mask_request(each.request, secrets)}) for each in self._exchanges
            )
            if masked != self._exchanges:
                self._exchanges, self._index = masked, self._index.over(masked)
        return mask_request(request, secrets)

    def note_limits(self, mismatch: Mismatch) -> Mismatch:
        """The same mismatch, its cause with the first call that came to its client's own time limit: all follows it."""
        for number, (_, playback, _) in enumerate(self._met, 1):
            if wait := playback.overrun:
                limit, took = ((end - wait.since) / 1_000_000_000 for end in (wait.end, wait.until))
                note = f"call {number} came to the client's own time limit, {limit:g} s, where {took:g} s were recorded"
                return mismatch.model_copy(update={"cause": f"{mismatch.cause}; {note}"})
        return mismatch

    def _miss(self, mismatch: Mismatch) -> CassetteMissError:
        mismatch = self.note_limits(mismatch)
        self.mismatch = self.mismatch or mismatch
        return CassetteMissError(f"no recorded exchange answers call {mismatch.turn}: {mismatch.cause}")


def _refused(cause: str, current: str, turn: int) -> Mismatch:
    kind, part, secrets = MismatchKind.CHANGED, MismatchPart.ENDPOINT, known_secrets()
    cause, current = (secrets.mask(text.encode(), address=True).decode() for text in (cause, current))
    return Mismatch(kind=kind, part=part, turn=turn, cause=cause, recorded="", current=current)


def describe_unplayed(session: ReplaySession) -> Mismatch:
    """How a trial that ended early differs from its recording. There must be something unplayed."""
    return session.note_limits(unplayed_mismatch(session.recorded, session.unplayed))


class Recording:
    """One exchange while it happens."""

    def __init__(self, session: RecordSession, request: HttpRequest, clock: Clock) -> None:
        self._session = session
        self._request = request
        self._clock = clock
        self._started = clock.now()
        self.limits: Limits = {}
        """The client's own."""
        self._head = 0
        self._latest = 0
        self._response = HttpResponse(status=NO_RESPONSE)
        self._pieces: list[bytes] = []
        self._chunks: list[Chunk] = []
        self._ending = threading.Lock()
        self.exchange: Exchange | None = None
        """The exchange, once it has ended."""
        self.user_turn = session.user_turn

    @property
    def answered(self) -> bool:
        """Whether the response's head has arrived."""
        return self._response.status != NO_RESPONSE

    def answer(self, response: HttpResponse) -> None:
        """The response's status and headers have arrived."""
        self._head = self._latest = self._end_first_wait(Failure.READ_TIMEOUT)
        self._response = response.model_copy(
            update={
                "reason": _whole(response.reason),
                "headers": tuple((name.lower(), _whole(value)) for name, value in response.headers),
            }
        )
        self._session.cleaner.hear(self._request, self._response.headers)

    def add(self, piece: bytes) -> None:
        """A piece of the body has arrived."""
        if piece:
            self._pieces.append(piece)
            self._chunks.append(Chunk(size=len(piece), at=self._end_wait()))

    def fail(self, failure: Failure) -> None:
        """No whole response will come."""
        if self._response.status == NO_RESPONSE:
            self._response = failed_response(failure)
        self.end(failure.ending)

    def end(self, ending: Ending = Ending.COMPLETE) -> None:
        """Nothing more will come. Only the first ending counts."""
        with self._ending:
            if self.exchange is not None:
                return
            failure = failure_of(self._response)
            duration = self._end_wait() if self.answered else self._end_first_wait(timeout_of(failure))
            body = {"body": b"".join(self._pieces), "chunks": tuple(self._chunks), "ending": ending}
            exchange = Exchange(
                request=self._request,
                response=self._response.model_copy(update=body),
                started=self._started,
                head=self._head,
                duration=duration,
            )
            self.exchange = self._session.clean(exchange)
            self._session.keep(self.exchange)

    def _elapsed(self) -> int:
        return self._clock.now() - self._started

    def _end_first_wait(self, timeout: Failure) -> int:
        """How long the client has waited for a response: no longer than it would; before that, it was connecting."""
        elapsed = self._elapsed()
        waited = min(elapsed, self.limits.get(timeout, elapsed))
        self._started += elapsed - waited
        return waited

    def _end_wait(self) -> int:
        """When the body went on, or ended: no later than its client would have waited, which else was busy elsewhere.

        So a reply that came in time while it was recorded does so in each replay with the same limits.
        """
        elapsed = self._elapsed()
        self._latest = min(elapsed, self._latest + self.limits.get(Failure.READ_TIMEOUT, elapsed))
        return self._latest


def _whole(text: str) -> str:
    """A text of a response's head: aiohttp keeps a byte that is no UTF-8 as half a character, which no file holds."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="surrogateescape").decode("latin-1")
    return text


class RecordSession:
    """Lets a trial's requests through to the network, and keeps what passes."""

    replays = False

    def __init__(self, *, clock: Clock, journal: Journal | None, replayed: Iterable[Exchange] = ()) -> None:
        """``replayed``: what took place in this trial before, and stands in its journal first.

        Raises :class:`CassetteError` where there can be no journal.
        """
        self.user_turn = 1
        self.mismatch: Mismatch | None = None
        self.closed = False
        self._clock = clock
        self.journal = journal
        """Where exchanges are kept as they end."""
        self.cleaner = Cleaner()
        """What keeps secrets out of the recording."""
        self._begun: list[Recording] = []
        self._lock = threading.Lock()
        if journal is not None:
            journal.begin(replayed)

    @property
    def played(self) -> list[Played]:
        """The exchanges that have ended, in the order in which they began."""
        begun = list(self._begun)
        return [Played(one.exchange, one.user_turn) for one in begun if one.exchange is not None]

    def meet(self, request: HttpRequest) -> Recording:
        """A request is about to be sent."""
        self.cleaner.check(request)
        recording = Recording(self, request, self._clock)
        with self._lock:
            self._begun.append(recording)
        return recording

    def refuse(self, cause: str, current: str) -> CassetteMissError:
        """The error for a request that can't be recorded, and so was not sent; the trial fails with it."""
        with self._lock:
            self.mismatch = self.mismatch or _refused(cause, current, turn=len(self._begun) + 1)
        return CassetteMissError(cause)

    def clean(self, exchange: Exchange) -> Exchange:
        """An exchange that has ended, as it may be kept."""
        return self.cleaner.clean(exchange)

    def keep(self, exchange: Exchange) -> None:
        """Append an exchange that has ended to the journal, where there is one."""
        if self.journal is not None:
            with self._lock:
                self.journal.add(exchange)

    def close(self) -> None:
        """Let nothing more through; what is still open ends here, as abandoned."""
        self.closed = True
        for recording in list(self._begun):
            recording.end(Ending.ABANDONED)
        if self.journal is not None:
            self.journal.release()
