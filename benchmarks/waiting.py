"""How many seconds of recorded waiting pass in a second of the processor's, in trials that mostly wait.

    python benchmarks/waiting.py

Plays two agents in virtual time. One over a bare client: a call, its stream of 20 pieces, a pause as for a retry, and
all of that fifty times over. One over the openai SDK, for forty recorded seconds: a slow stream, a 429 with
Retry-After, a timeout; its clients are built anew each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx2
import openai

from harness.cassettes import ReplaySession, intercepted, routed
from harness.records.exchange import Cassette, Chunk, Exchange, HttpRequest, HttpResponse
from harness.virtual import NANOSECONDS, VirtualClock, VirtualLoop, steered
from tests.faces.test_time import FORTY_SECONDS

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


async def forty_seconds() -> int:
    """The agent of the tests, which sees forty seconds pass."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    session = ReplaySession(Cassette(exchanges=FORTY_SECONDS), clock=VirtualClock(loop))
    with routed(session):
        client = openai.AsyncOpenAI(api_key="none", base_url="https://api.openai.com/v1", max_retries=1)
        async for _ in await ask(client, "stream", stream=True):
            pass
        await ask(client, "limited")
        with contextlib.suppress(openai.APITimeoutError):
            await ask(client.with_options(max_retries=0), "stalled")
    return loop.now


async def ask(client: openai.AsyncOpenAI, text: str, **options: Any) -> Any:
    """One call."""
    return await client.chat.completions.create(
        model="gpt-5-mini", messages=[{"role": "user", "content": text}], **options
    )


def measure(agent: Callable[[], Coroutine[Any, Any, int]]) -> tuple[float, float]:
    """Seconds that passed in the trial, and the least processor time of five that it took."""
    spent = []
    for _ in range(6):  # the first time warms up
        began = time.process_time()
        passed = VirtualLoop(patience=60).run(agent()) / NANOSECONDS
        spent.append(time.process_time() - began)
    return passed, min(spent[1:])


def main() -> None:
    """Print the figures."""
    with intercepted(), steered():
        for name, agent in (("bare streams", wait), ("the SDK's forty seconds", forty_seconds)):
            passed, spent = measure(agent)
            print(f"{name}: {passed:g} s passed in {spent * 1000:.1f} ms of processor time, {passed / spent:,.0f} to 1")


if __name__ == "__main__":
    main()
