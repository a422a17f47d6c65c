"""How many seconds of recorded waiting pass in a second of the processor's, in a trial that mostly waits.

    python benchmarks/waiting.py

Plays an agent in virtual time: a call, its stream of 20
pieces, a pause as for a retry, and all of that fifty times over.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx2

from harness.cassettes import ReplaySession, intercepted, routed
from harness.records.exchange import Cassette, Chunk, Exchange, HttpRequest, HttpResponse
from harness.virtual import NANOSECONDS, VirtualClock, VirtualLoop

ROUNDS, PIECES = 50, 20
PIECE = b'data: {"n": 1}\n\n'
URI = "http://provider.invalid/v1/stream"


def recording() -> Cassette:
    """Streams whose pieces are half a second apart."""
    chunks = tuple(Chunk(size=len(PIECE), at=(number + 1) * NANOSECONDS // 2) for number in range(PIECES))
    response = HttpResponse(
        status=200, headers=(("content-type", "text/event-stream"),), body=PIECE * PIECES, chunks=chunks
    )
    request = HttpRequest(method="GET", uri=URI)
    return Cassette(
        exchanges=(Exchange(request=request, response=response, duration=PIECES * NANOSECONDS // 2),) * ROUNDS
    )


async def stream(client: httpx2.AsyncClient) -> AsyncIterator[bytes]:
    """One answer, piece by piece."""
    async with client.stream("GET", URI) as response:
        async for piece in response.aiter_raw():
            yield piece


async def wait() -> int:
    """The agent: the nanoseconds of its own time."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    with routed(ReplaySession(recording(), clock=VirtualClock(loop))):
        async with httpx2.AsyncClient(trust_env=False) as client:
            for _ in range(ROUNDS):
                async for _ in stream(client):
                    pass
                await asyncio.sleep(2)
    return loop.now


def main() -> None:
    """Print the figure."""
    with intercepted():
        for _ in range(2):  # the first time warms up
            began = time.process_time()
            with asyncio.Runner(loop_factory=lambda: VirtualLoop(patience=60)) as runner:
                passed = runner.run(wait()) / NANOSECONDS
            spent = time.process_time() - began
    print(f"{passed:g} seconds passed in {spent * 1000:.0f} ms of processor time: {passed / spent:,.0f} to 1")


if __name__ == "__main__":
    main()
