"""Refuses connections to hosts that are not allowed by their exact name or address.

A name is judged where it is resolved, before the question for its address leaves; the addresses found for an allowed
name are allowed. What does not go through Python's ``socket`` (uvloop, pycurl) is not seen.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from harness.cassettes.sealing import is_address

__all__ = ["Block", "BlockedError"]


class BlockedError(RuntimeError):
    """A connection was refused, as the user asked."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"the network is blocked for host {host!r} (--block-network); --allowed-hosts={host} would let it through"
        )


class Block:
    """A block that is in force from :meth:`enforced` on, and what it lets through."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = {host.strip().lower() for host in allowed}
        self._resolved: set[str] = set()
        self._lifted = False
        self._real = socket.getaddrinfo, socket.socket.connect, socket.socket.connect_ex

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """Refuse all other hosts while the context lasts."""
        block = self

        def connect(self: socket.socket, address: Any) -> Any:
            block._check(self, address)
            return block._real[1](self, address)

        def connect_ex(self: socket.socket, address: Any) -> Any:
            block._check(self, address)
            return block._real[2](self, address)

        self._put(self._resolve, connect, connect_ex)
        try:
            yield
        finally:
            self._put(*self._real)

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Let everything through while the context lasts."""
        before, self._lifted = self._lifted, True
        try:
            yield
        finally:
            self._lifted = before

    @contextmanager
    def widened(self, allowed: Iterable[str]) -> Iterator[None]:
        """Let further hosts through while the context lasts."""
        before, self._allowed = self._allowed, self._allowed | {host.strip().lower() for host in allowed}
        try:
            yield
        finally:
            self._allowed = before

    def _resolve(self, host: Any, *arguments: Any, **options: Any) -> Any:
        name = _text(host)
        allowed = self._lifted or name.lower() in self._allowed
        if name and not allowed and name != "localhost" and not is_address(name):
            raise BlockedError(name)
        found = self._real[0](host, *arguments, **options)
        if allowed:
            self._resolved |= {str(address[0]) for *_, address in found}
        return found

    def _check(self, sock: socket.socket, address: Any) -> None:
        is_internet = sock.family in (socket.AF_INET, socket.AF_INET6)
        host = _text(address[0] if is_internet else address)
        if not self._lifted and host.lower() not in self._allowed and host not in self._resolved:
            raise BlockedError(host)

    @staticmethod
    def _put(getaddrinfo: Any, connect: Any, connect_ex: Any) -> None:
        socket.getaddrinfo = getaddrinfo
        socket.socket.connect = connect  # type: ignore[method-assign]
        socket.socket.connect_ex = connect_ex  # type: ignore[method-assign]


def _text(host: Any) -> str:
    return host.decode(errors="replace") if isinstance(host, bytes) else str(host or "")
