"""Finds the recorded answer to a request by its key; never by a scan, never by likeness."""

from __future__ import annotations

import copy
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from urllib.parse import urlsplit

from harness.cassettes.canonical import Key, canonical_key, origin_of, raw_key
from harness.cassettes.mismatch import classify_miss
from harness.cassettes.renaming import Renaming
from harness.records.exchange import Exchange, HttpRequest
from harness.records.mismatch import Mismatch
from harness.records.renames import Renames
from harness.wire.split import split

__all__ = ["NO_RENAMES", "Index"]

NO_RENAMES = Renames()


class Index:
    """The exchanges of a cassette, each of which answers once, in the order of the recording."""

    def __init__(self, exchanges: Sequence[Exchange], volatile: Sequence[str], renames: Renames = NO_RENAMES) -> None:
        self._exchanges = exchanges
        self._volatile = tuple(volatile)
        self._renames = renames
        self._taken: set[int] = set()

    def take(self, request: HttpRequest) -> int | None:
        """The position of the next exchange that answers this request; None where none does.

        The same bytes come first; else what says the same; else what says the same under a declared rename.
        """
        position = self._as_recorded.find(request, self._taken, partial(self.accepts, request))
        if position is None and self._renaming:
            newest = self._renaming.newest(request)
            position = self._renamed.find(newest, self._taken, partial(self.accepts, request))
        if position is not None:
            self._taken.add(position)
        return position

    def accepts(self, request: HttpRequest, position: int) -> bool:
        """Whether the exchange of the same key at a position may answer this request."""
        return True

    def answer(self, position: int, request: HttpRequest) -> Exchange:
        """What was recorded there, in the names that the request uses."""
        return self._renaming.translate(self._exchanges[position], request)

    def explain(self, request: HttpRequest, played: Sequence[int]) -> Mismatch:
        """Why nothing answers a request; ``played`` holds the positions that were, in their order."""
        exchanges = self._exchanges
        if self._renaming:
            pairs = zip(exchanges, self._renamed.requests, strict=True)
            exchanges = [exchange.model_copy(update={"request": renamed}) for exchange, renamed in pairs]
            request = self._renaming.newest(request)
        return classify_miss(request, exchanges, played, volatile=self._volatile)

    def over(self, exchanges: Sequence[Exchange]) -> Index:
        """The same answers, those taken included, under other requests."""
        index = copy.copy(self)
        index._exchanges = exchanges  # noqa: SLF001 - one of its own
        for name in ("_as_recorded", "_renaming", "_renamed"):
            index.__dict__.pop(name, None)
        return index

    @property
    def left(self) -> tuple[int, ...]:
        """The positions that were not taken."""
        return tuple(position for position in range(len(self._exchanges)) if position not in self._taken)

    @cached_property
    def _as_recorded(self) -> _Queues:
        return _Queues([exchange.request for exchange in self._exchanges], self._volatile)

    @cached_property
    def _renaming(self) -> Renaming:
        return Renaming(self._renames, (exchange.request for exchange in self._exchanges))

    @cached_property
    def _renamed(self) -> _Queues:
        return _Queues([self._renaming.newest(exchange.request) for exchange in self._exchanges], self._volatile)


class _Queues:
    """The positions of requests by their keys."""

    def __init__(self, requests: Sequence[HttpRequest], volatile: tuple[str, ...]) -> None:
        self.requests = requests
        self._volatile = volatile
        self._queues: dict[tuple[bool, bool], dict[Key, deque[int]]] = {}

    def find(self, request: HttpRequest, taken: set[int], accepts: Callable[[int], bool]) -> int | None:
        """The first position with the request's key that is not taken, and that may answer it.

        A model call to a host that the recording never met finds what was recorded elsewhere: at a gateway, or on a
        loopback port.
        """
        anywhere = origin_of(request) not in self._origins and _is_model_call(request)
        for canonical in (False, True):
            queue = self._index(canonical, anywhere).get(self._key(request, canonical, anywhere))
            while queue and queue[0] in taken:
                queue.popleft()
            free = (position for position in queue or () if position not in taken)
            position = next((position for position in free if accepts(position)), None)
            if position is not None:
                return position
        return None

    @cached_property
    def _origins(self) -> frozenset[str]:
        return frozenset(map(origin_of, self.requests))

    def _index(self, canonical: bool, anywhere: bool) -> dict[Key, deque[int]]:
        """Built when first asked for: most cassettes need one of the four."""
        queues = self._queues.get((canonical, anywhere))
        if queues is None:
            found: defaultdict[Key, deque[int]] = defaultdict(deque)
            for position, request in enumerate(self.requests):
                found[self._key(request, canonical, anywhere)].append(position)
            queues = self._queues[canonical, anywhere] = dict(found)
        return queues

    def _key(self, request: HttpRequest, canonical: bool, anywhere: bool) -> Key:
        if canonical:
            return canonical_key(request, self._volatile, anywhere=anywhere)
        return raw_key(request, anywhere=anywhere)


def _is_model_call(request: HttpRequest) -> bool:
    return split(request.method, urlsplit(request.uri).path, request.body) is not None
