"""A session that answers from the recording while requests match it, and goes live from the first difference on."""

from __future__ import annotations

import json
import threading
from urllib.parse import urlsplit

from harness.cassettes.journal import Journal
from harness.cassettes.matching import NO_RENAMES
from harness.cassettes.playback import Playback
from harness.cassettes.sessions import Played, Recording, RecordSession, ReplaySession
from harness.errors import CassetteError, CassetteMissError
from harness.records.exchange import Cassette, Exchange, HttpRequest
from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.records.renames import Renames
from harness.seams import ExtendedClock
from harness.secrets import MASK
from harness.wire.split import STORED

__all__ = ["ExtendSession"]

_STORES = ("/conversations/", "/threads/")


class ExtendSession:
    """Replays a trial up to the first request that its recording does not answer, and records all that follows."""

    def __init__(
        self,
        cassette: Cassette,
        *,
        clock: ExtendedClock,
        journal: Journal | None,
        volatile: tuple[str, ...] = (),
        renames: Renames = NO_RENAMES,
    ) -> None:
        self.mismatch: Mismatch | None = None
        self._replay = ReplaySession(cassette, clock=clock, volatile=volatile, renames=renames)
        self._clock = clock
        self.journal = journal
        """Where exchanges are kept from the first live one on."""
        self.broken: CassetteError | None = None
        """Why the trial could not go live although nothing forbade it."""
        self._live: RecordSession | None = None
        self._user_turn = 1
        self._lock = threading.Lock()

    @property
    def user_turn(self) -> int:
        """The user turn that is being answered; noted with each exchange."""
        return self._user_turn

    @user_turn.setter
    def user_turn(self, number: int) -> None:
        self._user_turn = self._replay.user_turn = number
        if self._live is not None:
            self._live.user_turn = number

    @property
    def replays(self) -> bool:
        """Whether nothing goes out: up to the first difference."""
        return self._live is None

    @property
    def closed(self) -> bool:
        """Whether the trial has ended."""
        return self._replay.closed

    @property
    def played(self) -> list[Played]:
        """What was replayed, then what was live."""
        return self._replay.played + (self._live.played if self._live else [])

    @property
    def live(self) -> RecordSession | None:
        """What went out; None where the recording answered everything."""
        return self._live

    @property
    def extended_at(self) -> Mismatch | None:
        """The difference at which the trial left its recording."""
        return self._replay.mismatch

    @property
    def unplayed(self) -> tuple[Exchange, ...]:
        """What was recorded and not asked for."""
        return self._replay.unplayed

    def meet(self, request: HttpRequest) -> Playback | Recording:
        """The recorded answer up to the first difference, the network from there.

        Raises :class:`CassetteMissError` where the conversation before is stored at the provider, so that nothing can
        be added to what was replayed.
        """
        with self._lock:
            if self._live is None:
                try:
                    return self._replay.meet(request)
                except CassetteMissError:
                    stored = self._stored_conversation(request)
                    if stored is not None:
                        raise self._refuse(stored) from None
                    try:
                        self._live = self._go_live()
                    except CassetteError as error:  # no agent may take it for an answer
                        self.broken = error
                        raise self.refuse(str(error), request.uri) from error
        stored = self._stored_conversation(request)
        if stored is not None:
            raise self._refuse(stored)
        return self._live.meet(request)

    def refuse(self, cause: str, current: str) -> CassetteMissError:
        """The error for a request that can't be served at all; the trial fails with it."""
        error = (self._live or self._replay).refuse(cause, current)
        self.mismatch = self.mismatch or (self._live or self._replay).mismatch
        return error

    def close(self) -> None:
        """Serve nothing more; what is still open ends here."""
        self._replay.close()
        if self._live is not None:
            self._live.close()

    def _go_live(self) -> RecordSession:
        self._clock.go_live()
        replayed = [each.exchange for each in self._replay.played]
        live = RecordSession(clock=self._clock, journal=self.journal, replayed=replayed)
        live.user_turn = self._user_turn
        return live

    def _stored_conversation(self, request: HttpRequest) -> str | None:
        """What names the conversation of a request at the provider, unless a live answer of this trial did."""
        if not self._replay.played:
            return None
        reference = _reference(request)
        if reference is None:
            return None
        minted = reference.encode()
        live = self._live.played if self._live else []
        return None if any(minted in each.exchange.response.body for each in live) else reference

    def _refuse(self, reference: str) -> CassetteMissError:
        turn = len(self.played) + 1
        cause = (
            f"the conversation so far is stored at the provider ({reference}), so a recording can't be extended; "
            "record it anew"
        )
        self.mismatch = self.mismatch or Mismatch(
            kind=MismatchKind.STALE,
            part=MismatchPart.CONVERSATION,
            turn=turn,
            cause=cause,
            recorded=self.extended_at.recorded if self.extended_at else "",
            current=self.extended_at.current if self.extended_at else "",
        )
        return CassetteMissError(f"call {turn}: {cause}")


def _reference(request: HttpRequest) -> str | None:
    for name, told in request.headers:
        if MASK.decode() in told:
            return f"the recording holds a mask for {name}"
    path = urlsplit(request.uri).path
    for store in _STORES:
        _, found, rest = path.partition(store)
        if found:
            return rest.partition("/")[0]
    try:
        data = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    for field in STORED:
        value = data.get(field)
        value = value.get("id") if isinstance(value, dict) else value
        if isinstance(value, str) and value:
            return value
    return None
