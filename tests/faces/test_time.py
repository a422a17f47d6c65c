"""Recorded time passes in a replay, exactly and in no wall time, whatever runs beside it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
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
from tests.project import DESK, MiniProject

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


def streamed(*instants: int) -> HttpResponse:
    """Three pieces, so many nanoseconds after the request."""
    delta = {"index": 0, "delta": {"role": "assistant", "content": "x"}, "finish_reason": None}
    data = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "gpt-5-mini", "choices": [delta]}
    piece = f"data: {json.dumps(data)}\n\n".encode()
    last = piece + b"data: [DONE]\n\n"
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
    Exchange(
        request=asked("stream", stream=True),
        response=streamed(SECOND // 2, 4 * SECOND + SECOND // 4, 10 * SECOND),
        head=SECOND // 10,
        duration=10 * SECOND,
    ),
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


def test_a_shorter_time_limit_of_the_client_is_told(slow: MiniProject) -> None:
    """The SDK gives up at its limit and asks again; what nothing answers fails with the limit as the cause."""
    slow.edit("conftest.py", "AsyncOpenAI(max_retries=1)", "AsyncOpenAI(max_retries=1, timeout=0.05)")
    for done in (slow.harness("run"), slow.pytest("scenarios")):
        assert done.code == 1
        assert "call 1 came to the client's own time limit, 0.05 s, where 0.1 s were recorded" in done.text
    for trial in slow.results()["trials"]:
        assert trial["trace"]["duration"] == SECOND // 20


BRIEF = """

def blocking():
    messages = [{"role": "user", "content": "blocking"}]
    openai.OpenAI(max_retries=0).chat.completions.create(model="gpt-5-mini", messages=messages)


@harness.subject("brief")
async def brief(task):
    loop = asyncio.get_running_loop()
    async for _ in await ask(openai.AsyncOpenAI(), "stream", stream=True):
        pass
    streamed = loop.time()
    await asyncio.to_thread(blocking)
    return {"seen": [streamed, loop.time()]}
"""


def test_watching_changes_nothing(slow: MiniProject) -> None:
    """`--pace real` has recorded times elapse on the wall, and writes the same bytes; other modes refuse it."""
    slow.write({"conftest.py": AGENT["conftest.py"] + BRIEF})
    slow.write({"scenarios/slow-0.yaml": SCENARIO.replace("subject: slow", "subject: brief")})
    slow.edit("scenarios/slow-0.yaml", "[0.5, 4.25, 10.0, 20.0, 40.0]", "[3.0, 5.0]")
    instants = (SECOND // 2, SECOND, 3 * SECOND)
    first = Exchange(
        request=asked("stream", stream=True), response=streamed(*instants), head=SECOND // 10, duration=3 * SECOND
    )
    second = Exchange(request=asked("blocking"), response=answered("ok"), started=4 * SECOND, duration=SECOND)
    save_cassette(slow.root / "cassettes/slow-0/default/1.yaml", Cassette(exchanges=(first, second)))
    texts = []
    for pace in ("real", "fast"):
        done = slow.harness("run", "scenarios/slow-0.yaml", "--pace", pace, HARNESS_TRIAL_TIMEOUT="3")
        assert done.code == 0, done.text
        texts.append((slow.root / "reports/latest/results.json").read_bytes())
        if pace == "real":
            assert json.loads((slow.root / "reports/latest/run.json").read_text())["seconds"] >= 5
    assert texts[0] == texts[1]
    assert slow.harness("run", "--mode", "live", "--pace", "real").code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process there")
@pytest.mark.parametrize("kind", ["async def", "def"])
def test_control_c_while_watching(slow: MiniProject, kind: str) -> None:
    """Whoever has seen enough gets the prompt back, though the agent would wait for an hour."""
    wait = "await asyncio.sleep(3600)" if kind == "async def" else "time.sleep(3600)"
    agent = f'\n\n@harness.subject("long")\n{kind} long(task):\n    open("begun", "w").close()\n    {wait}\n'
    slow.write({"conftest.py": f"import time\n{AGENT['conftest.py']}{agent}"})
    slow.write({"scenarios/slow-0.yaml": SCENARIO.replace("subject: slow", "subject: long")})
    code = "from harness.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", code, "run", "scenarios/slow-0.yaml", "--pace", "real"]
    with subprocess.Popen(command, cwd=slow.root, stderr=subprocess.PIPE) as run:
        while not (slow.root / "begun").exists():
            assert run.poll() is None
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        assert run.wait(100) == 130


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
    done = slow.harness("run", HARNESS_TRIAL_TIMEOUT="2")
    assert done.code == 1
    assert "stuck" in done.out
    assert "did not end within 2 seconds" in done.out
    assert "9 passed" in done.out


CHILDREN = """
import subprocess
import sys

CHILD = [sys.executable, "-S", "-c", "import os, time; print(6 * 7, flush=True); os.close(1); time.sleep(0.2)"]


def block(**options):
    try:
        return subprocess.run(CHILD, **options).stdout
    except subprocess.TimeoutExpired:
        return "too late"


@harness.subject("blocking")
async def blocking(task):
    loop = asyncio.get_running_loop()
    ticking = asyncio.create_task(asyncio.sleep(1, "ticked"))
    await asyncio.sleep(0.5)
    piped, silent = {"stdout": subprocess.PIPE, "text": True}, {"stdout": subprocess.DEVNULL}
    said = [block(**piped), block(**piped, timeout=50), block(**silent, timeout=50), block(**silent, timeout=0.05)]
    said += [await asyncio.to_thread(block, **piped, timeout=50), ticking.done()]
    return {"said": said, "then": [loop.time(), await ticking, loop.time()]}
"""


def test_a_child_that_blocks_the_loop(slow: MiniProject) -> None:
    """`subprocess.run` in an agent's coroutine gives what it gives, in no time of the trial's, the same each time."""
    slow.write({"conftest.py": AGENT["conftest.py"] + CHILDREN})
    said = ["42\n", "42\n", None, "too late", "42\n", False]
    expected = json.dumps({"said": said, "then": [0.5, "ticked", 1.0]})
    scenario = SCENARIO.replace("subject: slow", "subject: blocking")
    scenario = scenario.replace("{seen: [0.5, 4.25, 10.0, 20.0, 40.0]}", expected).replace("seconds: 40", "seconds: 1")
    slow.write({"scenarios/slow-0.yaml": scenario})
    save_cassette(slow.root / "cassettes/slow-0/default/1.yaml", Cassette(exchanges=()))
    texts = []
    for _ in range(2):
        done = slow.harness("run", "scenarios/slow-0.yaml")
        assert done.code == 0, done.text
        texts.append((slow.root / "reports/latest/results.json").read_bytes())
    assert texts[0] == texts[1]
    (trial,) = slow.results()["trials"]
    assert "inexact" not in trial["trace"]


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


LOCAL = """\
import datetime
import time

import harness
import openai


@harness.subject("dated")
def dated(task: harness.Task) -> str:
    '''Puts the local date and time into its request, four ways.'''
    now = datetime.datetime.now()
    said = [now.isoformat("T", "minutes"), datetime.date.today().isoformat(), time.strftime("%d. %H:%M")]
    said.append(datetime.datetime.now(datetime.UTC).astimezone().strftime("%H:%M %z"))
    client = openai.OpenAI(max_retries=0)
    client.chat.completions.create(model="gpt-5-mini", messages=[{"role": "user", "content": "Today is " + str(said)}])
    return "ok"
"""


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows has no time zone of a process")
def test_local_time_is_that_of_the_recording(tmp_path: Path) -> None:
    """What was recorded in Auckland replays in UTC and New York, where it is still yesterday, in any replay."""
    project = MiniProject(tmp_path).write(DATED | {"conftest.py": LOCAL})
    project.edit("scenarios/dated.yaml", "{equals: {waited: true}}", "{contains: ok}")
    with running_provider([tmp_path / "dated.script.yaml"]) as url:
        assert project.record(url, TZ="Pacific/Auckland").code == 0
    file = tmp_path / "cassettes/dated/default/1.yaml"
    cassette = load_cassette(file)
    assert cassette.metadata is not None
    assert cassette.metadata.zone in ("NZDT-13:00", "NZST-12:00")
    texts = set()
    for zone in ("UTC", "America/New_York", "Pacific/Auckland"):
        done = project.harness("run", TZ=zone)
        assert done.code == 0, done.text
        texts.add((tmp_path / "reports/latest/results.json").read_bytes())
    assert len(texts) == 1
    save_cassette(file, cassette.model_copy(update={"metadata": cassette.metadata.model_copy(update={"zone": None})}))
    assert project.harness("run", TZ="America/New_York").code != 0


def test_recording_again_elsewhere_changes_nothing(tmp_path: Path) -> None:
    """The same conversation recorded anew in another zone leaves the file as it is."""
    project = MiniProject(tmp_path).write(DESK)
    with running_provider([tmp_path / "status.script.yaml"]) as url:
        assert project.record(url, TZ="Pacific/Auckland").code == 0
    file = tmp_path / "cassettes/status/default/1.yaml"
    first = file.read_bytes()
    with running_provider([tmp_path / "status.script.yaml"]) as url:
        assert project.record(url, TZ="UTC").code == 0
    assert b"zone: 'NZ" in first
    assert file.read_bytes() == first


@pytest.mark.parametrize("zone", [":/etc/passwd", "CET-1", "Europe/Berlin", "CET-25:00", "CET-01:00,M3.5.0"])
def test_a_zone_that_is_none(slow: MiniProject, zone: str) -> None:
    """A zone is a name and an offset: what could name a file is refused, with its place."""
    file = slow.root / "cassettes/slow-0/default/1.yaml"
    slow.edit("cassettes/slow-0/default/1.yaml", "  recorded_from:", f"  zone: '{zone}'\n  recorded_from:")
    done = slow.harness("run", "scenarios/slow-0.yaml")
    assert done.code == 2
    assert file.relative_to(slow.root).as_posix() in done.err
    assert "zone" in done.err
    assert "Traceback" not in done.err


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
