"""One asynchronous client in several loops."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import httpx2
import pytest

from harness.cassettes import RecordSession, intercepted, routed
from harness.providers.simulated import running_provider
from harness.seams import SystemClock

SCRIPT = "match: {user: Hi}\nrules:\n  - say: Hello.\n    slow: {head_ms: 20}\n"
BODY = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A provider that takes its time."""
    script = tmp_path_factory.mktemp("provider") / "hi.script.yaml"
    script.write_text(SCRIPT, encoding="utf-8")
    with running_provider([script]) as address:
        yield f"{address}/v1/chat/completions"


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("module", [httpx, httpx2])
def test_each_loop_has_its_connections(module: Any, url: str) -> None:
    """A client that is used in many threads' loops at once, and one after the other, is recorded without a failure."""
    assert _record_in_threads(module, url) == [6] * 16
    gc.collect()  # here, where nobody minds what was left open


def _record_in_threads(module: Any, url: str) -> list[int]:
    client = module.AsyncClient(headers={"authorization": "Bearer simulated"})

    async def ask() -> int:
        replies = [await client.post(url, json=BODY) for _ in range(3)]
        return sum(reply.status_code == 200 for reply in replies)

    def trial() -> int:
        session = RecordSession(clock=SystemClock(), journal=None)
        with routed(session):
            answered = asyncio.run(ask()) + asyncio.run(ask())
        assert [each.exchange.response.status for each in session.played] == [200] * 6
        return answered

    with intercepted(), ThreadPoolExecutor(8) as pool:
        return [job.result() for job in [pool.submit(trial) for _ in range(16)]]
