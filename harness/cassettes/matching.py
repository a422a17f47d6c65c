"""Finds the recorded answer to a request by its key; never by a scan, never by likeness."""

from __future__ import annotations

import copy
from collections import defaultdict, deque
from collections.abc import Sequence
from functools import cached_property
from urllib.parse import urlsplit

from harness.cassettes.canonical import canonical_key, origin_of, raw_key
from harness.records.exchange import Exchange, HttpRequest
from harness.wire.split import split

__all__ = ["Index"]

_Queues = dict[bytes, deque[int]]


class Index:
    """The exchanges of a cassette, each of which answers once, in the order of the recording."""

    def __init__(self, exchanges: Sequence[Exchange], volatile: Sequence[str]) -> None:
        self._exchanges = exchanges
        self._volatile = tuple(volatile)
        self._taken: set[int] = set()
        self._queues: dict[tuple[bool, bool], _Queues] = {}

    def take(self, request: HttpRequest) -> int | None:
        """The position of the next exchange that answers this request; None where none does.

        The same bytes come first; else what says the same. A model call to a host that the recording never met finds
        what was recorded elsewhere: at a gateway, or on a loopback port.
        """
        anywhere = origin_of(request) not in self._origins and _is_model_call(request)
        for canonical in (False, True):
            queue = self._index(canonical, anywhere).get(self._key(request, canonical, anywhere))
            position = self._next(queue, request)
            if position is not None:
                self._taken.add(position)
                return position
        return None

    def accepts(self, request: HttpRequest, position: int) -> bool:
        """Whether the exchange of the same key at a position may answer this request."""
        return True

    def over(self, exchanges: Sequence[Exchange]) -> Index:
        """The same answers, those taken included, under other requests."""
        index = copy.copy(self)
        index.__dict__ |= {"_exchanges": exchanges, "_queues": {}}
        index.__dict__.pop("_origins", None)
        return index

    @property
    def left(self) -> tuple[int, ...]:
        """The positions that were not taken."""
        return tuple(position for position in range(len(self._exchanges)) if position not in self._taken)

    @cached_property
    def _origins(self) -> frozenset[str]:
        return frozenset(origin_of(exchange.request) for exchange in self._exchanges)

    def _index(self, canonical: bool, anywhere: bool) -> _Queues:
        """Built when first asked for: most cassettes need one of the four."""
        queues = self._queues.get((canonical, anywhere))
        if queues is None:
            found: defaultdict[bytes, deque[int]] = defaultdict(deque)
            for position, exchange in enumerate(self._exchanges):
                found[self._key(exchange.request, canonical, anywhere)].append(position)
            queues = self._queues[canonical, anywhere] = dict(found)
        return queues

    def _key(self, request: HttpRequest, canonical: bool, anywhere: bool) -> bytes:
        if canonical:
            return canonical_key(request, self._volatile, anywhere=anywhere)
        return raw_key(request, anywhere=anywhere)

    def _next(self, queue: deque[int] | None, request: HttpRequest) -> int | None:
        while queue and queue[0] in self._taken:
            queue.popleft()
        free = (position for position in queue or () if position not in self._taken)
        return next((position for position in free if self.accepts(request, position)), None)


def _is_model_call(request: HttpRequest) -> bool:
    return split(request.method, urlsplit(request.uri).path, request.body) is not None
