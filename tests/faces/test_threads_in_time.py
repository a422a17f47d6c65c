"""Agents that ask from several threads at once: their times are the recorded ones, whichever thread comes first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.cassettes import save_cassette
from harness.records.exchange import Cassette, Exchange
from tests.faces.test_time import SECOND, answered, asked
from tests.project import MiniProject

POOL = """\
import contextvars
from concurrent.futures import ThreadPoolExecutor, as_completed


def side_by_side(jobs):
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(contextvars.copy_context().run, job) for job in jobs]
        return [job.result() for job in as_completed(running)]


@harness.subject("crowd")
def crowd(task: harness.Task) -> dict:
    heard = side_by_side([lambda part=part: ask(part, task.settings) for part in PARTS])
    ask("and so: " + " ".join(part for part, _ in heard), task.settings)
    return {"heard": heard, "at": time.monotonic()}
"""
TASKS = """\
import asyncio


@harness.subject("crowd")
async def crowd(task: harness.Task) -> dict:
    heard = []

    async def one(part):
        heard.append(await asyncio.to_thread(ask, part, task.settings))

    await asyncio.gather(*map(one, PARTS))
    await asyncio.to_thread(ask, "and so: " + " ".join(part for part, _ in heard), task.settings)
    return {"heard": heard, "at": asyncio.get_running_loop().time()}
"""
COMMON = """\
import sys
import time

import harness
import openai

sys.setswitchinterval(1e-4)
client = openai.OpenAI(max_retries=0)
PARTS = ["a", "b", "c", "d", "e", "f"]


def ask(text, settings):
    time.sleep(settings.get(text, 0))
    client.chat.completions.create(model="gpt-5-mini", messages=[{"role": "user", "content": text}])
    return [text, time.monotonic()]


"""
TAKES = {"a": 7, "b": 3, "c": 9, "d": 1, "e": 5, "f": 2}
"""Seconds; so they come back as d f b e a c."""
SCENARIO = """\
description: Six questions at once, then one about all.
subject: crowd
input: Go
expect:
  - output: {contains: '"at": 12.0'}
trials: 4
"""


@pytest.fixture(params=[POOL, TASKS], ids=["pool", "to_thread"])
def crowd(request: pytest.FixtureRequest, tmp_path: Path) -> MiniProject:
    """Four trials of an agent that asks from six threads, each request a few nanoseconds after the one before."""
    project = MiniProject(tmp_path).write(
        {"pyproject.toml": "[tool.harness]\n", "conftest.py": COMMON + request.param, "scenarios/crowd.yaml": SCENARIO}
    )
    exchanges = [
        Exchange(request=asked(part), response=answered(part), started=number * 17, head=5, duration=seconds * SECOND)
        for number, (part, seconds) in enumerate(TAKES.items())
    ]
    last = asked("and so: d f b e a c")
    exchanges.append(Exchange(request=last, response=answered("ok"), started=10 * SECOND, head=5, duration=2 * SECOND))
    for number in range(1, 5):
        save_cassette(tmp_path / f"cassettes/crowd/default/{number}.yaml", Cassette(exchanges=tuple(exchanges)))
    return project


def calls_of(project: MiniProject) -> list[Any]:
    """The model calls of each trial: what was asked, when, and how long it took."""
    return [
        [
            (event["sent"][0]["text"], event["started"], event["duration"])
            for event in trial["trace"]["events"]
            if event["kind"] == "model_call"
        ]
        for trial in project.results()["trials"]
    ]


def test_the_trace_is_the_recording(crowd: MiniProject) -> None:
    """Four trials, twice: every call at its recorded instant, in the recorded order, and all clocks agree."""
    texts = set()
    for _ in range(2):
        done = crowd.harness("run")
        assert done.code == 0, done.text
        texts.add((crowd.root / "reports/latest/results.json").read_bytes())
    assert len(texts) == 1
    recorded = [(part, number * 17, seconds * SECOND) for number, (part, seconds) in enumerate(TAKES.items())]
    assert calls_of(crowd) == [[*recorded, ("and so: d f b e a c", 10 * SECOND, 2 * SECOND)]] * 4
    heard = [[part, (seconds * SECOND + number * 17) / SECOND] for number, (part, seconds) in enumerate(TAKES.items())]
    by_time = sorted(heard, key=lambda each: each[1])
    assert [trial["trace"]["outputs"][0]["heard"] for trial in crowd.results()["trials"]] == [by_time] * 4


def test_one_thread_that_waits_longer(crowd: MiniProject) -> None:
    """A pause in one thread delays that thread's call, and what waits for it; nobody else's."""
    crowd.edit("scenarios/crowd.yaml", "input: Go\n", "input: Go\nsettings: {c: 3.5}\n")
    crowd.edit("scenarios/crowd.yaml", '"at": 12.0', '"at": 14.5')
    done = crowd.harness("run")
    assert done.code == 0, done.text
    recorded = [(part, number * 17, TAKES[part] * SECOND) for number, part in enumerate(TAKES) if part != "c"]
    later = [("c", 3 * SECOND + SECOND // 2, 9 * SECOND)]
    last = [("and so: d f b e a c", 12 * SECOND + SECOND // 2, 2 * SECOND)]
    assert calls_of(crowd) == [[*recorded, *later, *last]] * 4
