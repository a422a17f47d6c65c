"""Knows which trial a request belongs to: the one of its ``contextvars`` context."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from harness.cassettes.failures import Limits
from harness.cassettes.playback import Playback
from harness.cassettes.sessions import Recording, Session
from harness.cassettes.silence import unsent
from harness.cassettes.telemetry import is_in_use, service_of
from harness.errors import CassetteMissError
from harness.records.exchange import HttpRequest
from harness.seams import RecordedClock
from harness.virtual import IN_THREAD, handed_on

__all__ = [
    "Answering",
    "covering",
    "forwarding",
    "in_trial",
    "is_forwarding",
    "keeps_quiet",
    "meet",
    "note_trial",
    "route",
    "suspects",
    "using",
]

_CURRENT: ContextVar[Session | None] = handed_on(ContextVar("harness_session", default=None))
_FORWARDING: ContextVar[bool] = ContextVar("harness_forwarding", default=False)


class Answering(Protocol):
    """What a request is put to: a trial's session, or what answers telemetry."""

    def meet(self, request: HttpRequest) -> Playback | Recording:
        """What the request meets."""

    def refuse(self, cause: str, current: str) -> CassetteMissError:
        """The error for a request that can't be served at all."""


class _Silent:
    """Answers the telemetry of code that belongs to no trial that is under way."""

    def meet(self, request: HttpRequest) -> Playback:
        """The answer."""
        return Playback(unsent(request), RecordedClock())

    def refuse(self, cause: str, current: str) -> CassetteMissError:
        """The error for a report that can't be answered; it concerns no trial."""
        return CassetteMissError(cause)


class _UnderWay:
    """The trials under way in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: list[Session] = []

    def add(self, session: Session) -> None:
        with self._lock:
            self._sessions.append(session)

    def remove(self, session: Session) -> None:
        with self._lock:
            self._sessions.remove(session)

    def all(self) -> tuple[Session, ...]:
        with self._lock:
            return tuple(self._sessions)


_UNDER_WAY = _UnderWay()
_REPLAYED = threading.Event()
"""Set once a trial was replayed in this process."""
_SILENT = _Silent()
_COVERING = _UnderWay()
"""The sessions of the user's own test functions: one at a time, and one more for each that is nested in it."""


def route(describe: Callable[[], str]) -> Answering | None:
    """The trial that the running code belongs to; None where no trial is under way at all.

    Where a test function of the user's own is, and no trial, it is that function's session: whatever thread, loop or
    context the code runs in, since nothing else runs at that time.

    While one is, a request of code that belongs to none raises :class:`CassetteMissError`: it may come from the agent,
    through a thread that was started without its context, so each trial under way is told. ``describe`` names the
    request: its method and its address.

    Telemetry fails no trial, wherever it is sent from. None of it goes out in the replay of a trial, and ever after it
    in the same process; while a trial is recorded it goes its own way.
    """
    session = _CURRENT.get()
    if service_of(describe().partition(" ")[2]):
        return _route_telemetry(session)
    if session is None:
        suspects = _UNDER_WAY.all()
        if not suspects:
            return _covering()
        cause = (
            f"{describe()} was sent from a thread that belongs to no trial while one is under way, so it was not let "
            "through; start the thread inside the trial, use a ThreadPoolExecutor, or run its work in "
            "contextvars.copy_context()"
        )
        raise _refuse_all(suspects, cause, describe())
    if session.closed:
        cause = f"{describe()} was sent after its trial had ended, so it was not let through"
        if not IN_THREAD.get():
            raise CassetteMissError(cause)
        cause += "; the thread it came from was started by that trial: start one in each, or use a ThreadPoolExecutor"
        raise _refuse_all(_UNDER_WAY.all(), cause, describe())
    return session


def _route_telemetry(session: Session | None) -> Answering | None:
    """What answers telemetry; None where it goes its own way."""
    if session is not None:
        return (_SILENT if session.closed else session) if session.replays else None
    under_way = _UNDER_WAY.all()
    if not under_way and (covering := _covering()) is not None:
        return covering
    # a thread of its own may report on a replay that is under way, or long after it
    return _SILENT if _REPLAYED.is_set() or any(each.replays for each in under_way) else None


def _covering() -> Session | None:
    """The session of the user's own test function that is under way."""
    covering = _COVERING.all()
    return covering[-1] if covering else None


def note_trial(session: Session) -> None:
    """Remember a trial that was replayed to its end."""
    if session.replays:
        _REPLAYED.set()


def keeps_quiet() -> bool:
    """Whether something in this process may still report on a replay, until the process ends."""
    return _REPLAYED.is_set() and is_in_use()


def _refuse_all(suspects: Iterable[Session], cause: str, current: str) -> CassetteMissError:
    """The error for a request that any of these trials may have sent: whoever swallows it, each of them fails."""
    for suspect in suspects:
        suspect.refuse(cause, current)
    return CassetteMissError(cause)


def meet(session: Answering, request: HttpRequest, limits: Limits) -> Playback | Recording:
    """What the request meets; ``limits`` are its client's own.

    Raises :class:`CassetteMissError` where it meets nothing, or would open a WebSocket.
    """
    if any(name == "upgrade" and value.lower() == "websocket" for name, value in request.headers):
        raise refuse_websocket(session, request.uri)
    met = session.meet(request)
    met.limits = limits
    return met


def refuse_websocket(session: Answering, uri: str) -> CassetteMissError:
    """The error for a WebSocket; the trial fails with it."""
    cause = (
        f"{uri} is a WebSocket, which is neither recorded nor replayed, so nothing was sent; in a scenario let the "
        "agent use the provider's HTTP API"
    )
    return session.refuse(cause, uri)


def suspects() -> tuple[Session, ...]:
    """The trial that the running code belongs to; where it belongs to none, each that it may come from."""
    session = _CURRENT.get()
    is_known = session is not None and not (session.closed and IN_THREAD.get())
    return (session,) if session is not None and is_known else _UNDER_WAY.all()


def in_trial() -> bool:
    """Whether the running code belongs to a trial, or may: one is under way in this process."""
    return _CURRENT.get() is not None or bool(_UNDER_WAY.all()) or bool(_COVERING.all())


def is_forwarding() -> bool:
    """Whether this context's http.client calls are those of a client whose request was routed."""
    return _FORWARDING.get()


@contextmanager
def forwarding() -> Iterator[None]:
    """Let a client whose request was routed use http.client."""
    token = _FORWARDING.set(True)
    try:
        yield
    finally:
        _FORWARDING.reset(token)


@contextmanager
def covering(session: Session) -> Iterator[None]:
    """Send the requests of all code that belongs to no trial to the session, and close it at the end."""
    _COVERING.add(session)
    try:
        yield
    finally:
        _COVERING.remove(session)
        session.close()


@contextmanager
def using(session: Session) -> Iterator[None]:
    """Send the requests of this context, and of all contexts copied from it, to the session."""
    token = _CURRENT.set(session)
    _UNDER_WAY.add(session)
    try:
        yield
    finally:
        _UNDER_WAY.remove(session)
        _CURRENT.reset(token)
        session.close()
