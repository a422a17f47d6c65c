"""Recorded times stand in the order of the events that they measure, and pass in replay to the nanosecond."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cassettes import RecordSession, ReplaySession, intercepted, routed
from harness.records.exchange import Cassette
from harness.seams import RecordedClock, SystemClock
from tests.cassettes.scripted_wire import NUMBER, Framing, Wire, WireServer, running_wire


@pytest.fixture(scope="module")
def wire() -> Iterator[WireServer]:
    """A server that notes when it sent what."""
    with running_wire() as server:
        yield server


class WallClock(SystemClock):
    """Counts from where the server counts."""

    def now(self) -> int:
        """Nanoseconds of the monotonic clock."""
        return time.monotonic_ns()


sizes = st.lists(st.integers(1, 5_000), min_size=1, max_size=8)


@settings(max_examples=max(settings().max_examples // 4, 1))
@given(conversation=st.lists(sizes, min_size=1, max_size=3))
def test_times_are_those_of_the_wire(conversation: list[list[int]], wire: WireServer) -> None:
    """Sent before it was heard, no byte here before it was sent; the replay's clock stands at each recorded instant."""
    kind = (("content-type", "text/event-stream"),)
    bodies = [tuple(b"x" * size for size in sizes) for sizes in conversation]
    base = wire.serve(*(Wire(pieces, headers=kind, framing=Framing.CLOSE) for pieces in bodies))

    def read(clock: SystemClock | RecordedClock) -> list[list[int]]:
        seen = []
        with httpx2.Client(trust_env=False, verify=False) as client:
            for number in range(len(conversation)):
                with client.stream("GET", f"{base}/{number}", headers={NUMBER: str(number)}) as response:
                    seen.append([clock.now(), *(clock.now() for _ in response.iter_raw()), clock.now()])
        return seen

    session = RecordSession(clock=(wall := WallClock()), journal=None)
    with intercepted(), routed(session):
        read(wall)
    exchanges = [each.exchange for each in session.played]
    for exchange, noted in zip(exchanges, wire.noted(base), strict=True):
        chunks, start = exchange.response.chunks, exchange.started
        assert start <= noted.heard <= noted.sent[0][0] <= start + exchange.head
        instants = [0, exchange.head, *(chunk.at for chunk in chunks), exchange.duration]
        assert instants == sorted(instants)
        arrived = list(itertools.accumulate(chunk.size for chunk in chunks))
        body = noted.sent[1:]
        for ends, (instant, size) in zip(itertools.accumulate(size for _, size in body), body, strict=True):
            place = next(number for number, end in enumerate(arrived) if end > ends - size)
            assert instant <= start + chunks[place].at
    assert all(one.started + one.duration <= two.started for one, two in itertools.pairwise(exchanges))
    clock = RecordedClock()
    with intercepted(), routed(ReplaySession(Cassette(exchanges=tuple(exchanges)), clock=clock)):
        seen = read(clock)
    assert seen == [
        [each.started + at for at in (each.head, *(chunk.at for chunk in each.response.chunks), each.duration)]
        for each in exchanges
    ]
