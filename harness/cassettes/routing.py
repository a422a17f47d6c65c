"""Knows which trial a request belongs to: the one of its ``contextvars`` context."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from harness.cassettes.sessions import Playback, Recording, Session
from harness.errors import CassetteMissError
from harness.records.exchange import HttpRequest

__all__ = ["covering", "forwarding", "in_trial", "is_forwarding", "route", "suspects", "using"]

_CURRENT: ContextVar[Session | None] = ContextVar("harness_session", default=None)


_FORWARDING: ContextVar[bool] = ContextVar("harness_forwarding", default=False)


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
_COVERING = _UnderWay()
"""The sessions of the user's own test functions: one at a time, and one more for each that is nested in it."""


def route(describe: Callable[[], str]) -> Session | None:
    """The trial that the running code belongs to; None where no trial is under way at all.

    Where a test function of the user's own is, and no trial, it is that function's session: whatever thread, loop or
    context the code runs in, since nothing else runs at that time.

    While one is, a request of code that belongs to none raises :class:`CassetteMissError`: it may come from the agent,
    through a thread that was started without its context, so each trial under way is told. ``describe`` names the
    request for the error.
    """
    session = _CURRENT.get()
    if session is None:
        suspects = _UNDER_WAY.all()
        if not suspects:
            covering = _COVERING.all()
            return covering[-1] if covering else None
        cause = (
            f"{describe()} was sent from a thread that belongs to no trial while one is under way, so it was not let "
            "through; start the thread with asyncio.to_thread, or run its work in contextvars.copy_context()"
        )
        for suspect in suspects:  # whoever swallows the error: it may be any of these whose agent sent it
            suspect.refuse(cause, describe())
        raise CassetteMissError(cause)
    if session.closed:
        raise CassetteMissError(f"{describe()} was sent after its trial had ended, so it was not let through")
    return session


def meet(session: Session, request: HttpRequest) -> Playback | Recording:
    """What the request meets. Raises :class:`CassetteMissError` where it meets nothing, or would open a WebSocket."""
    if any(name == "upgrade" and value.lower() == "websocket" for name, value in request.headers):
        raise refuse_websocket(session, request.uri)
    return session.meet(request)


def refuse_websocket(session: Session, uri: str) -> CassetteMissError:
    """The error for a WebSocket; the trial fails with it."""
    cause = (
        f"{uri} is a WebSocket, which is neither recorded nor replayed, so nothing was sent; in a scenario let the "
        "agent use the provider's HTTP API"
    )
    return session.refuse(cause, uri)


def suspects() -> tuple[Session, ...]:
    """The trial that the running code belongs to; where it belongs to none, each that it may come from."""
    session = _CURRENT.get()
    return (session,) if session is not None else _UNDER_WAY.all()


def in_trial() -> bool:
    """Whether the running code belongs to a trial, or may: one is under way in this process."""
    return _CURRENT.get() is not None or bool(_UNDER_WAY.all()) or bool(_COVERING.all())


def is_forwarding() -> bool:
    """Whether this context's http.client calls are those of a client that records them."""
    return _FORWARDING.get()


@contextmanager
def forwarding() -> Iterator[None]:
    """Let a client that records use http.client."""
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
