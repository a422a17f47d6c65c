"""Finds the recorded answer to a request by its key; never by a scan, never by likeness."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from functools import cached_property

from harness.cassettes.canonical import canonical_key, raw_key
from harness.records.exchange import Exchange, HttpRequest

__all__ = ["Index"]


class Index:
    """The exchanges of a cassette, each of which answers once, in the order of the recording."""

    def __init__(self, exchanges: Sequence[Exchange], volatile: Sequence[str]) -> None:
        self._exchanges = exchanges
        self._volatile = tuple(volatile)
        self._taken: set[int] = set()
        self._raw: defaultdict[bytes, deque[int]] = defaultdict(deque)
        for position, exchange in enumerate(exchanges):
            self._raw[raw_key(exchange.request)].append(position)

    def take(self, request: HttpRequest) -> int | None:
        """The position of the next exchange that answers this request; None where none does.

        The same bytes come first; else what says the same.
        """
        position = self._next(self._raw.get(raw_key(request)))
        if position is None:
            position = self._next(self._canonical.get(canonical_key(request, self._volatile)))
        if position is not None:
            self._taken.add(position)
        return position

    @property
    def left(self) -> tuple[int, ...]:
        """The positions that were not taken."""
        return tuple(position for position in range(len(self._exchanges)) if position not in self._taken)

    @cached_property
    def _canonical(self) -> dict[bytes, deque[int]]:
        """Built at the first request whose bytes are not in the recording: most cassettes never need it."""
        index: defaultdict[bytes, deque[int]] = defaultdict(deque)
        for position, exchange in enumerate(self._exchanges):
            index[canonical_key(exchange.request, self._volatile)].append(position)
        return dict(index)

    def _next(self, queue: deque[int] | None) -> int | None:
        while queue and queue[0] in self._taken:
            queue.popleft()
        return queue[0] if queue else None
