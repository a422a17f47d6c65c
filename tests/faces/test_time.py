"""Recorded time passes in a replay, exactly and in no wall time, whatever runs beside it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from harness.cassettes import load_cassette, save_cassette
from harness.providers.simulated import running_provider
from harness.records.exchange import (
    Cassette,
    CassetteMetadata,
    Chunk,
    Ending,
    Exchange,
    HttpRequest,
    HttpResponse,
)
from tests.project import MiniProject

SECOND = 1_000_000_000

AGENT = {
    "pyproject.toml": "[tool.harness]\n",
    "conftest.py": """\
import asyncio

import harness
import openai


async def ask(client, text, **options):
    messages = [{"role": "user", "content": text}]
    return await client.chat.completions.create(model="gpt-5-mini", messages=messages, **options)


@harness.subject("slow")
async def slow(task: harness.Task) -> dict:
    '''A slow stream, a 429 that the SDK retries when it is told to, and a timeout.'''
    loop = asyncio.get_running_loop()
    client = openai.AsyncOpenAI(max_retries=1)
    seen = []
    async for _ in await ask(client, "stream", stream=True):
        seen.append(loop.time())
    await ask(client, "limited")
    seen.append(loop.time())
    try:
        await ask(client.with_options(max_retries=0), "stalled")
    except openai.APITimeoutError:
        seen.append(loop.time())
    return {"seen": seen}
""",
}
SCENARIO = """\
description: Forty seconds of waiting.
subject: slow
input: Go
expect:
  - output: {equals: {seen: [0.5, 4.25, 10.0, 20.0, 40.0]}}
limits: {seconds: 40}
"""


def asked(text: str, **options: object) -> HttpRequest:
    """What the SDK sends."""
    data = {"messages": [{"role": "user", "content": text}], "model": "gpt-5-mini", **options}
    return HttpRequest(
        method="POST",
        uri="https://api.openai.com/v1/chat/completions",
        headers=(("content-type", "application/json"),),
        body=json.dumps(data).encode(),
    )


def answered(text: str) -> HttpResponse:
    """A plain reply."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    data = {"id": "c", "object": "chat.completion", "created": 0, "model": "gpt-5-mini", "choices": [choice]}
    return HttpResponse(status=200, headers=(("content-type", "application/json"),), body=json.dumps(data).encode())


def streamed() -> HttpResponse:
    """Three pieces, half a second, 4.25 and 10 seconds after the request."""
    delta = {"index": 0, "delta": {"role": "assistant", "content": "x"}, "finish_reason": None}
    data = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "gpt-5-mini", "choices": [delta]}
    piece = f"data: {json.dumps(data)}\n\n".encode()
    last = piece + b"data: [DONE]\n\n"
    instants = (SECOND // 2, 4 * SECOND + SECOND // 4, 10 * SECOND)
    return HttpResponse(
        status=200,
        headers=(("content-type", "text/event-stream"),),
        body=piece * 2 + last,
        chunks=tuple(Chunk(size=len(part), at=at) for part, at in zip((piece, piece, last), instants, strict=True)),
    )


LIMITED = HttpResponse(
    status=429,
    headers=(("content-type", "application/json"), ("retry-after", "7")),
    body=b'{"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}',
)
STALLED = HttpResponse(status=0, reason="ReadTimeout", ending=Ending.STALLED)
FORTY_SECONDS = (
    Exchange(request=asked("stream", stream=True), response=streamed(), head=SECOND // 10, duration=10 * SECOND),
    Exchange(request=asked("limited"), response=LIMITED, started=10 * SECOND, head=SECOND, duration=SECOND),
    Exchange(request=asked("limited"), response=answered("ok"), started=18 * SECOND, head=SECOND, duration=2 * SECOND),
    Exchange(request=asked("stalled"), response=STALLED, started=20 * SECOND, duration=20 * SECOND),
)


@pytest.fixture
def slow(tmp_path: Path) -> MiniProject:
    """Nine scenarios of forty recorded seconds each."""
    project = MiniProject(tmp_path).write(AGENT)
    for number in range(9):
        project.write({f"scenarios/slow-{number}.yaml": SCENARIO})
        metadata = CassetteMetadata(
            scenario=f"slow-{number}",
            case="default",
            trial=1,
            recorded_at="2026-03-01T10:00:00Z",
            recorded_from="a test",
        )
        file = tmp_path / f"cassettes/slow-{number}/default/1.yaml"
        save_cassette(file, Cassette(metadata=metadata, exchanges=FORTY_SECONDS))
    return project


def test_to_the_bit_at_any_concurrency(slow: MiniProject) -> None:
    """Forty seconds are reported as forty, to the nanosecond, and the same bytes come of one at a time, 8 and 64."""
    texts = []
    for concurrency in ("1", "8", "64"):
        done = slow.harness("run", "-j", concurrency)
        assert done.code == 0, done.text
        texts.append((slow.root / "reports/latest/results.json").read_bytes())
        assert [trial["trace"]["duration"] for trial in slow.results()["trials"]] == [40 * SECOND] * 9
    assert texts[0] == texts[1] == texts[2]
    assert slow.pytest("scenarios").code == 0
    assert (slow.root / "reports/latest/results.json").read_bytes() == texts[0]


def test_what_the_agent_waits_beyond_the_recording_counts(slow: MiniProject) -> None:
    """An agent that pauses longer than it did takes longer, and its limit says so."""
    slow.edit(
        "conftest.py",
        '    await ask(client, "limited")\n',
        '    await asyncio.sleep(30)\n    await ask(client, "limited")\n',
    )
    done = slow.harness("run")
    assert done.code == 1
    assert {trial["trace"]["duration"] for trial in slow.results()["trials"]} == {70 * SECOND}


def test_a_foreign_socket_is_said(slow: MiniProject) -> None:
    """While a socket leads elsewhere waiting is real: that trial says so in every output, and no other does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        slow.write({"pyproject.toml": f'[tool.harness]\nallowed_hosts = ["127.0.0.1:{port}"]\n'})
        slow.write({"scenarios/foreign.yaml": SCENARIO.replace("subject: slow", "subject: foreign")})
        slow.edit(
            "conftest.py",
            '@harness.subject("slow")',
            '@harness.subject("foreign")\nasync def foreign(task):\n'
            f'    _, writer = await asyncio.open_connection("127.0.0.1", {port})\n    await asyncio.sleep(0.01)\n'
            '    writer.close()\n    return await slow(task)\n\n\n@harness.subject("slow")',
        )
        save_cassette(slow.root / "cassettes/foreign/default/1.yaml", Cassette(exchanges=FORTY_SECONDS))
        done = slow.harness("run", "scenarios/foreign.yaml", "scenarios/slow-1.yaml")
    assert "times not exact in 1 trial: a socket outside the replay was open" in done.out
    why = {trial["scenario"]: trial["trace"].get("inexact") for trial in slow.results()["trials"]}
    assert why == {"foreign": ["a socket outside the replay was open, and waiting for it was real"], "slow-1": None}
    assert "Times not exact in 1 trial" in (slow.root / "reports/latest/summary.md").read_text(encoding="utf-8")


def test_an_agent_that_never_ends(slow: MiniProject) -> None:
    """A trial that waits for nothing is ended, with what it waits for; the others are judged as ever."""
    slow.write({"scenarios/stuck.yaml": SCENARIO.replace("subject: slow", "subject: stuck")})
    slow.edit(
        "conftest.py",
        '@harness.subject("slow")',
        '@harness.subject("stuck")\nasync def stuck(_task):\n    await asyncio.Event().wait()\n\n\n'
        '@harness.subject("slow")',
    )
    file = slow.root / "cassettes/stuck/default/1.yaml"
    save_cassette(file, Cassette(exchanges=FORTY_SECONDS))
    done = slow.harness("run", HARNESS_TRIAL_TIMEOUT="4")
    assert done.code == 1
    assert "stuck" in done.out
    assert "did not end within 4 seconds" in done.out
    assert "9 passed" in done.out


DATED = {
    "pyproject.toml": "[tool.harness]\n",
    "conftest.py": """\
import datetime
import random
import time
import uuid

import harness
import openai


@harness.subject("dated")
def dated(task: harness.Task) -> dict:
    '''Puts the date, a new id and a draw into its request, and waits as synchronous agents do.'''
    began = time.monotonic()
    said = f"Today is {datetime.date.today()}. Request {uuid.uuid4()}, lucky number {random.randint(1, 10**9)}."
    time.sleep(task.settings.get("pause", 0))
    client = openai.OpenAI(max_retries=0)
    client.chat.completions.create(model="gpt-5-mini", messages=[{"role": "user", "content": said}])
    return {"waited": round(time.monotonic() - began, 3) >= task.settings.get("pause", 0)}
""",
    "scenarios/dated.yaml": """\
description: What differs from day to day and from run to run.
subject: dated
input: Go
expect:
  - output: {equals: {waited: true}}
""",
    "dated.script.yaml": "match: {user: Today is}\nrules:\n  - say: fine\n",
}


def test_a_dated_prompt_replays_next_year(tmp_path: Path) -> None:
    """The date, a new id and a draw in a request are those of the recording, and a pause takes no time."""
    project = MiniProject(tmp_path).write(DATED)
    with running_provider([tmp_path / "dated.script.yaml"]) as url:
        assert project.record(url).code == 0
    file = tmp_path / "cassettes/dated/default/1.yaml"
    cassette = load_cassette(file)
    assert cassette.metadata is not None
    today = cassette.metadata.recorded_at[:10]
    year = str(int(today[:4]) - 1)

    def backdate(request: HttpRequest) -> HttpRequest:
        return request.model_copy(update={"body": request.body.replace(today[:4].encode(), year.encode())})

    metadata = cassette.metadata.model_copy(update={"recorded_at": year + cassette.metadata.recorded_at[4:]})
    exchanges = tuple(each.model_copy(update={"request": backdate(each.request)}) for each in cassette.exchanges)
    save_cassette(file, Cassette(metadata=metadata, exchanges=exchanges))
    assert f"Today is {year}" in file.read_text()
    project.edit("scenarios/dated.yaml", "input: Go", "input: Go\nsettings: {pause: 100000}")
    done = project.harness("run")
    assert done.code == 0, done.text
    first = (tmp_path / "reports/latest/results.json").read_bytes()
    assert project.harness("run").code == 0
    assert (tmp_path / "reports/latest/results.json").read_bytes() == first


def test_what_an_agent_leaves_running_ends_with_its_trial(slow: MiniProject) -> None:
    """A task that outlives its trial is cancelled, and meets no other trial."""
    slow.edit(
        "conftest.py",
        "    loop = asyncio.get_running_loop()\n",
        "    loop = asyncio.get_running_loop()\n    asyncio.create_task(linger(), name='linger')\n",
    )
    slow.edit(
        "conftest.py",
        "async def ask(",
        "async def linger():\n    try:\n        await asyncio.sleep(1000)\n    except asyncio.CancelledError:\n"
        "        with open('ended', 'a') as file:\n            file.write('cancelled ')\n        raise\n"
        "    open('late', 'w').close()\n\n\nasync def ask(",
    )
    done = slow.harness("run")
    assert done.code == 0, done.text
    assert (slow.root / "ended").read_text() == "cancelled " * 9
    assert not (slow.root / "late").exists()
