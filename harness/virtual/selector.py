"""What a trial's loop asks for its files: it has the loop decide how to wait."""

from __future__ import annotations

import os
import selectors
import socket
import stat
from collections.abc import Callable
from typing import Any

__all__ = ["JumpingSelector"]


class JumpingSelector(selectors.DefaultSelector):
    """Has the loop decide how to wait, and knows which of its files lead out of the process."""

    def __init__(
        self, wait: Callable[[JumpingSelector, float | None], list[tuple[selectors.SelectorKey, int]]]
    ) -> None:
        super().__init__()
        self._wait = wait
        self._own: int | None = None
        """What comes first: the loop's own pipe, by which threads wake it."""
        self.others: dict[int, bool] = {}
        """Every other file that is watched, and whether it is a socket that leads to another process."""

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """As any selector does."""
        key = super().register(fileobj, events, data)
        if self._own is None:
            self._own = key.fd
        else:
            self.others[key.fd] = _leads_elsewhere(key.fd)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """As any selector does."""
        key = super().unregister(fileobj)
        self.others.pop(key.fd, None)
        return key

    def poll(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """What a selector does."""
        return super().select(timeout)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What the loop makes of it."""
        return self._wait(self, timeout)


def _leads_elsewhere(fd: int) -> bool:
    """Whether a file is a socket with an address: a pair of sockets, such as the loop's own, has none."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return False
    with socket.socket(fileno=os.dup(fd)) as twin:
        if twin.family != getattr(socket, "AF_UNIX", None):
            return True
        return bool(twin.getsockname())
