"""Agents that never come back: each is ended with the place where it hangs, and the run goes on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.cassettes import save_cassette
from harness.records.exchange import Cassette
from tests.project import MiniProject

AGENTS = {
    "spins": "async def agent(task):\n    while True:  # here\n        pass\n",
    "locks": "async def agent(task):\n    lock = threading.Lock()\n    lock.acquire()\n    lock.acquire()  # here\n",
    "result": "async def agent(task):\n    Future().result()  # here\n",
    "child": (
        "async def agent(task):\n    async def child():\n        while True:  # here\n            pass\n"
        "    asyncio.create_task(child())\n    await asyncio.sleep(1)\n    return 'done'\n"
    ),
    "thread-spins": "def agent(task):\n    while True:  # here\n        pass\n",
    "thread-sleeps": "def agent(task):\n    while time.sleep(1) is None:  # here\n        pass\n",
    "thread-event": "def agent(task):\n    threading.Event().wait()  # here\n",
    "pool": (
        "def agent(task):\n    with ThreadPoolExecutor(1) as pool:\n"
        "        pool.submit(threading.Event().wait).result()  # here\n"
    ),
}
LEFT_BEHIND = """\
def agent(task):
    threading.Thread(target=threading.Event().wait).start()
    POOL.submit(pow, 2, 3).result()
    return "done"
"""
HEAD = """\
import asyncio
import ctypes
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import harness

POOL = ThreadPoolExecutor(2)
"""
SCENARIO = "description: It never ends.\nsubject: {subject}\ninput: Go\nexpect:\n  - output: {{contains: done}}\n"


def write(project: MiniProject, agents: dict[str, str]) -> MiniProject:
    """A project with a scenario for each agent, and an empty recording."""
    text = HEAD
    for name, agent in agents.items():
        text += f'\n\n@harness.subject("{name}")\n{agent}'
        project.write({f"scenarios/{name}.yaml": SCENARIO.format(subject=name)})
        save_cassette(project.root / f"cassettes/{name}/default/1.yaml", Cassette(exchanges=()))
    return project.write({"pyproject.toml": "[tool.harness]\n", "conftest.py": text})


def places(project: MiniProject) -> list[str]:
    """Where the agents hang, as they are told."""
    lines = (project.root / "conftest.py").read_text().splitlines()
    return [f"conftest.py:{number}" for number, line in enumerate(lines, 1) if line.endswith("# here")]


@pytest.mark.skipif(sys.platform == "win32", reason="no signal wakes a blocked lock there")
def test_whatever_hangs_is_ended_where_it_hangs(tmp_path: Path) -> None:
    """Spinning and blocked agents, on the loop and in threads, fail with file and line; the process can end."""
    project = write(MiniProject(tmp_path), {**AGENTS, "well": LEFT_BEHIND})
    done = project.harness("run", HARNESS_TRIAL_TIMEOUT="0.75")
    assert done.code == 1, done.text
    reasons = {trial["scenario"]: trial["reason"] for trial in project.results()["trials"]}
    assert reasons.pop("well") == ""
    for name, place in zip(AGENTS, places(project), strict=True):
        assert "did not end within 0.75 seconds" in reasons[name], name
        assert place in reasons[name].splitlines()[0], reasons[name]
    assert "8 failed, 1 passed" in done.out
    assert done.err == ""


def test_under_pytest_it_is_the_same(tmp_path: Path) -> None:
    """A spinning agent fails its item, and the next one runs."""
    agents = {name: AGENTS[name] for name in ("spins", "thread-spins")}
    project = write(MiniProject(tmp_path), {**agents, "well": "def agent(task):\n    return 'done'\n"})
    done = project.pytest("scenarios", HARNESS_TRIAL_TIMEOUT="0.75")
    assert done.code == 1, done.text
    assert "2 failed, 1 passed" in done.out
    assert all(place in done.out for place in places(project))


@pytest.mark.skipif(sys.platform == "win32", reason="another C library there")
def test_what_can_not_be_ended_ends_the_run(tmp_path: Path) -> None:
    """An agent in C code that never returns is named with its place, and the exit code is 4."""
    outside = (
        "async def agent(task):\n    mutex, libc = ctypes.create_string_buffer(256), ctypes.CDLL(None)\n"
        "    libc.pthread_mutex_lock(mutex)\n    libc.pthread_mutex_lock(mutex)  # here\n"
    )
    project = write(MiniProject(tmp_path), {"outside": outside})
    done = project.harness("run", HARNESS_TRIAL_TIMEOUT="0.5")
    assert done.code == 4
    assert places(project)[0] in done.err
    assert "It can't be ended" in done.err
