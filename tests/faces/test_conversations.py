"""A class under test: one instance for each trial, its conversation, and its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.programs import SCRIPT
from tests.project import MiniProject

CONFTEST = """\
import os
from pathlib import Path

import harness
import httpx2


def body(messages):
    return {"model": "gpt-5-mini", "messages": messages}


def note(line):
    with Path("noted.txt").open("a") as file:
        file.write(line + "\\n")


URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"
HEADERS = {"authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}


@harness.subject("async-desk")
class AsyncDesk:
    def __init__(self, task):
        note(f"async {task.input} {task.run_id}")
        self.client = httpx2.AsyncClient()
        self.messages = []

    async def answer(self, task):
        self.messages.append({"role": "user", "content": task.input})
        if "CRASH" in os.environ:
            raise ValueError("out of stock")
        reply = await self.client.post(URL, json=body(self.messages), headers=HEADERS)
        self.messages.append(reply.json()["choices"][0]["message"])
        return self.messages[-1]["content"]

    async def close(self):
        await self.client.aclose()
        note(f"async closed after {len(self.messages)}")
        if "STUCK" in os.environ:
            raise OSError("can't close")


@harness.subject("sync-desk")
class SyncDesk:
    def __init__(self, task):
        self.client = httpx2.Client()
        self.messages = []

    def answer(self, task):
        self.messages.append({"role": "user", "content": task.input})
        reply = self.client.post(URL, json=body(self.messages), headers=HEADERS)
        self.messages.append(reply.json()["choices"][0]["message"])
        return self.messages[-1]["content"]

    def close(self):
        self.client.close()
        note(f"sync closed after {len(self.messages)}")
"""
TALK = """\
description: Three turns.
subject: {}-desk
conversation: [Hello, And then, Bye]
expect:
  - output: {{equals: Farewell then}}
"""
BAD = """\

@harness.subject("bad")
class Bad:
    def reply(self, task):
        return "hi"
"""


@pytest.fixture
def project(tmp_path: Path) -> MiniProject:
    """Two classes, each with a scenario."""
    return MiniProject(tmp_path).write(
        {
            "pyproject.toml": "[tool.harness]\n",
            "conftest.py": CONFTEST,
            "hello.script.yaml": SCRIPT,
            "scenarios/async.yaml": TALK.format("async"),
            "scenarios/sync.yaml": TALK.format("sync"),
        }
    )


def noted(project: MiniProject) -> list[str]:
    """What the classes noted since they were last asked."""
    file = project.root / "noted.txt"
    lines = file.read_text().splitlines()
    file.unlink()
    return lines


def test_a_class_has_a_conversation(project: MiniProject) -> None:
    """Each trial has an instance, made at its first turn and closed at its end, also where it fails."""
    with running_provider([project.root / "hello.script.yaml"]) as url:
        recorded = project.record(url, "--trials", "2")
    assert recorded.code == 0, recorded.text
    lines = noted(project)
    assert lines.count("async closed after 6") == lines.count("sync closed after 6") == 2
    assert len({line for line in lines if line.startswith("async Hello")}) == 2

    replayed = project.pytest()
    assert replayed.code == 0, replayed.text
    assert [trial["outcome"] for trial in project.results()["trials"]] == ["passed"] * 4
    assert [trial["trace"].get("inexact") for trial in project.results()["trials"]] == [None] * 4
    noted(project)

    crashed = project.harness("run", CRASH="1", STUCK="1")
    assert crashed.code == 1, crashed.text
    reasons = {trial["scenario"]: trial["reason"] for trial in project.results()["trials"]}
    assert "ValueError: out of stock" in reasons["async"]
    assert noted(project).count("async closed after 1") == 2

    stuck = project.harness("run", "scenarios/async.yaml", STUCK="1")
    assert stuck.code == 1, stuck.text
    assert "OSError: can't close" in project.results()["trials"][0]["reason"]


def test_a_class_without_an_answer(project: MiniProject) -> None:
    """It is refused where it is declared, with its line."""
    lines = CONFTEST.count("\n")
    project.write({"conftest.py": CONFTEST + BAD})
    done = project.harness("run", OPENAI_API_KEY="any")
    assert done.code == 2, done.text
    assert (
        f"conftest.py:{lines + 2}: raised RegistryError: subject 'bad': class Bad has no method answer(task)"
        in done.err
    )
