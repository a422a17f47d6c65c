"""Finds the recorded answer to a request by its key; never by a scan, never by likeness."""

from __future__ import annotations

import copy
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
        self._aliases: set[str] = set()
        """Hosts that the recording never met, where a model call found its answer all the same."""
        self._begin = 0
        """All before it were taken."""
        self.owed = len(exchanges)
        """How many, from the first on, have to be asked for."""

    def take(self, request: HttpRequest) -> int | None:
        """The position of the next exchange that answers this request; None where none does.

        Of all that say the same, also under a declared rename, the first in the order of the recording.
        """
        position = self._find(request)
        if position is not None:
            self._taken.add(position)
            if self._as_recorded.is_elsewhere(request):
                self._aliases.add(origin_of(request))
        return position

    def _find(self, request: HttpRequest) -> int | None:
        """Most requests come in the order of the recording: then their bytes find the first that is left."""
        while self._begin in self._taken:
            self._begin += 1
        accepts = partial(self.accepts, request)
        recorded, anywhere = self._as_recorded, self._as_recorded.is_elsewhere(request)
        position = recorded.find(request, anywhere, self._taken, accepts, canonical=False)
        if position == self._begin:
            return position
        found: list[int | None]
        if position is not None and recorded.are_alike:
            found = [recorded.first_alike(position, anywhere, self._begin, self._taken, accepts)]
        else:
            found = [position, recorded.find(request, anywhere, self._taken, accepts, canonical=True)]
        if self._renaming:
            newest = self._renaming.newest(request)
            anywhere = self._renamed.is_elsewhere(newest)
            found.append(self._renamed.find(newest, anywhere, self._taken, accepts, canonical=True))
        return min((each for each in found if each is not None), default=None)

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
        return classify_miss(request, exchanges, played, volatile=self._volatile, owed=self.owed)

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
        return self._queues_of([exchange.request for exchange in self._exchanges])

    @cached_property
    def _renaming(self) -> Renaming:
        return Renaming(self._renames, (exchange.request for exchange in self._exchanges))

    @cached_property
    def _renamed(self) -> _Queues:
        return self._queues_of([self._renaming.newest(exchange.request) for exchange in self._exchanges])

    def _queues_of(self, requests: Sequence[HttpRequest]) -> _Queues:
        unknown = [exchange.unknown_headers for exchange in self._exchanges]
        return _Queues(requests, unknown, self._volatile, self._aliases)


@dataclass(slots=True)
class _Ahead:
    """What the requests say that were left when a later one was asked for."""

    read: int = 0
    """All before it were read, or had been taken."""
    keys: dict[int, Key] = field(default_factory=dict)
    queues: defaultdict[Key, deque[int]] = field(default_factory=lambda: defaultdict(deque))


class _Queues:
    """The positions of requests by their keys."""

    def __init__(
        self,
        requests: Sequence[HttpRequest],
        unknown: Sequence[frozenset[str]],
        volatile: tuple[str, ...],
        aliases: set[str],
    ) -> None:
        """``unknown``: for each request the headers that may have been sent with it."""
        self._aliases = aliases
        self.requests = requests
        self._unknown = unknown
        self._each_unknown = dict.fromkeys(unknown)
        self._volatile = volatile
        self._queues: dict[tuple[bool, bool, frozenset[str]], dict[Key, deque[int]]] = {}
        self._ahead = {anywhere: _Ahead() for anywhere in (False, True)}

    @property
    def are_alike(self) -> bool:
        """Whether the same headers were kept in all of them."""
        return len(self._each_unknown) == 1

    def is_elsewhere(self, request: HttpRequest) -> bool:
        """Whether a request is to a host that the recording never met: a model call, or what its reply led to.

        It finds what was recorded elsewhere: at a gateway, or on a loopback port.
        """
        origin = origin_of(request)
        return origin not in self._origins and (origin in self._aliases or _is_model_call(request))

    def find(
        self,
        request: HttpRequest,
        anywhere: bool,
        taken: set[int],
        accepts: Callable[[int], bool],
        *,
        canonical: bool,
    ) -> int | None:
        """The first position with the request's key that is not taken, and that may answer it.

        A header of which a recording can't say whether it was sent plays no part in finding it.
        """
        first: int | None = None
        for unknown in self._each_unknown:  # one, but where a recording was extended by a later version
            queue = self._index(canonical, anywhere, unknown).get(self._key(request, canonical, anywhere, unknown))
            while queue and queue[0] in taken:
                queue.popleft()
            for position in queue or ():
                if first is not None and position > first:
                    break
                if position not in taken and accepts(position):
                    first = position
                    break
        return first

    def first_alike(
        self, position: int, anywhere: bool, begin: int, taken: set[int], accepts: Callable[[int], bool]
    ) -> int:
        """The first that says the same as the one at a position, which may be that one.

        Of those before it only the ones that are left are read, and each of them once.
        """
        ahead = self._ahead[anywhere]
        for at in range(max(begin, ahead.read), position + 1):
            if at not in taken:
                ahead.keys[at] = key = self._key(self.requests[at], True, anywhere, self._unknown[at])
                ahead.queues[key].append(at)
        ahead.read = max(ahead.read, position + 1)
        queue = ahead.queues[ahead.keys[position]]
        while queue[0] in taken:
            queue.popleft()
        return next(at for at in queue if at == position or (at not in taken and accepts(at)))

    @cached_property
    def _origins(self) -> frozenset[str]:
        return frozenset(map(origin_of, self.requests))

    def _index(self, canonical: bool, anywhere: bool, unknown: frozenset[str]) -> dict[Key, deque[int]]:
        """Built when first asked for: most cassettes need one."""
        queues = self._queues.get((canonical, anywhere, unknown))
        if queues is None:
            found: defaultdict[Key, deque[int]] = defaultdict(deque)
            for position, request in enumerate(self.requests):
                if self._unknown[position] == unknown:
                    found[self._key(request, canonical, anywhere, unknown)].append(position)
            queues = self._queues[canonical, anywhere, unknown] = dict(found)
        return queues

    def _key(self, request: HttpRequest, canonical: bool, anywhere: bool, unknown: frozenset[str]) -> Key:
        if canonical:
            return canonical_key(request, self._volatile, anywhere=anywhere, unknown=unknown)
        return raw_key(request, anywhere=anywhere, unknown=unknown)


def _is_model_call(request: HttpRequest) -> bool:
    return split(request.method, urlsplit(request.uri).path, request.body) is not None
