"""Refuses, while recordings are replayed, whatever would leave the process: connections, names looked up, datagrams.

The routes answer the HTTP clients that they know; this stands behind them, for everything that goes through Python's
``socket`` in any thread, loop or library. What a C library or a child process sends is not seen: only
:func:`harness.cassettes.isolation.isolate` stops that.
"""

from __future__ import annotations

import atexit
import ipaddress
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from harness.cassettes.routing import forwarding, suspects
from harness.errors import CassetteMissError

__all__ = ["add_attempts", "attempts", "is_address", "reaching", "sealed"]

Place = tuple[str, int | None]
"""A host in lower case, and a port; None where none is known yet."""

_REACHING: ContextVar[Place | None] = ContextVar("harness_reaching", default=None)
"""The server under test that this context's connections may lead to."""


class _Seal:
    """Whether the process is sealed, what is let through all the same, and what was tried outside any trial."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hooked = False
        self._depth = 0
        self._declared: set[Place] = set()
        self._resolved: set[Place] = set()
        self._resolving = threading.local()
        self.attempts: list[str] = []

    def enter(self, declared: Iterable[str]) -> None:
        with self._lock:
            self._depth += 1
            self._declared |= {_read_place(text) for text in declared}
            if not self._hooked:
                sys.addaudithook(_hear)  # for good: it can't be taken back, and hears nothing while not sealed
                self._hooked = True

    def leave(self) -> None:
        with self._lock:
            self._depth -= 1
            if not self._depth:
                self._declared.clear()
                self._resolved.clear()

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Refuse what an audited event would do, where it leaves the process."""
        if not self._depth or getattr(self._resolving, "now", False):
            return
        what, place = _EVENTS[event](arguments)
        if place is not None and not self._is_let_through(event, place) and not _is_pair():
            self._refuse(f"{what} {_shown(place)}", _shown(place))

    def _is_let_through(self, event: str, place: Place) -> bool:
        if place == _REACHING.get():
            return True
        if place in self._declared:
            if event == "socket.getaddrinfo":
                self._resolve(place)
            return True
        return place in self._resolved

    def _resolve(self, place: Place) -> None:
        """Learn the addresses of a declared name, since it is they that are connected to."""
        self._resolving.now = True
        try:
            found = socket.getaddrinfo(*place)
        except OSError:
            return
        finally:
            self._resolving.now = False
        self._resolved |= {(str(address[0]), place[1]) for *_, address in found}

    def _refuse(self, what: str, place: str) -> None:
        cause = (
            f"{what} would leave the process, and a replay stays offline; a local service that a tool needs is "
            f'declared by its exact host and port: [tool.harness] allowed_hosts = ["{place}"]'
        )
        told = suspects()
        for session in told:
            session.refuse(cause, place)
        if told:
            raise CassetteMissError(cause)
        self.attempts.append(cause)
        raise ConnectionRefusedError(cause)  # what a library without a network meets, and may know how to go on from


_SEAL = _Seal()


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS:  # first, and no more: a replayed call makes forty events, all but none of them ours
        _SEAL.hear(event, arguments)


@contextmanager
def sealed(allowed: Iterable[str] = (), *, until_exit: bool = False) -> Iterator[None]:
    """Let nothing leave the process but to these ``host:port``, exactly. May be entered again.

    With ``until_exit`` the process is sealed again for what runs when the interpreter ends.
    """
    declared = tuple(allowed)
    _SEAL.enter(declared)
    try:
        yield
    finally:
        if until_exit:
            atexit.register(_SEAL.enter, declared)  # registered last, so it runs before the handlers of others
        _SEAL.leave()


@contextmanager
def reaching(host: str, port: int) -> Iterator[None]:
    """Let this context, and no other, speak to a server under test, by http.client: that is no traffic of the agent."""
    token = _REACHING.set((host, port))
    try:
        with forwarding():
            yield
    finally:
        _REACHING.reset(token)


def add_attempts(texts: Iterable[str]) -> None:
    """Tell of what was tried in a fork of this process."""
    _SEAL.attempts.extend(texts)


def attempts() -> tuple[str, ...]:
    """What was refused while no trial was under way, such as at an import; asking forgets it."""
    found, _SEAL.attempts = tuple(_SEAL.attempts), []
    return found


def _connect(arguments: tuple[Any, ...]) -> tuple[str, Place | None]:
    return "a connection to", _place(arguments[1])


def _send(arguments: tuple[Any, ...]) -> tuple[str, Place | None]:
    return "a datagram to", _place(arguments[1])


def _look_up(arguments: tuple[Any, ...]) -> tuple[str, Place | None]:
    host, port = arguments[0], arguments[1] if len(arguments) > 1 else None
    name = _text(host)
    return "the lookup of", (name, _port(port)) if name and not is_address(name) else None


def _look_back(arguments: tuple[Any, ...]) -> tuple[str, Place | None]:
    return "the lookup of", _place(arguments[0])


_EVENTS: dict[str, Callable[[tuple[Any, ...]], tuple[str, Place | None]]] = {
    "socket.connect": _connect,
    "socket.getaddrinfo": _look_up,
    "socket.gethostbyaddr": _look_up,
    "socket.gethostbyname": _look_up,
    "socket.getnameinfo": _look_back,
    "socket.sendmsg": _send,
    "socket.sendto": _send,
}


def _place(address: Any) -> Place | None:
    """Where an address leads; None where it is no address of a network, such as a file's."""
    if not isinstance(address, tuple) or not address or not isinstance(address[0], str | bytes):
        return None
    return _text(address[0]), _port(address[1]) if len(address) > 1 else None


def is_address(name: str) -> bool:
    """Whether a host is an address already, so that there is nothing to look up."""
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def _port(port: Any) -> int | None:
    text = _text(port) if isinstance(port, str | bytes) else str(port)
    return int(text) if text.isdigit() else None


def _text(host: Any) -> str:
    return (host.decode(errors="replace") if isinstance(host, bytes) else str(host or "")).lower()


def _shown(place: Place) -> str:
    host = f"[{place[0]}]" if ":" in place[0] else place[0]
    return host if place[1] is None else f"{host}:{place[1]}"


def _read_place(text: str) -> Place:
    """``host:port`` as it is declared. Raises :class:`ValueError`."""
    host, _, port = text.rpartition(":")
    return host.strip("[]").lower(), int(port)


def _is_pair() -> bool:
    """Whether Python makes a pair of sockets out of two, as it does for each event loop on Windows."""
    if sys.platform != "win32":
        return False
    return sys._getframe(2).f_code.co_name in ("socketpair", "_fallback_socketpair")  # noqa: SLF001 - who connects
