"""An agent that loses its memory between the turns of a conversation has changed; nobody edited a text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.providers.simulated import running_provider
from tests.project import MiniProject

DESK = """\
import os

import harness
import httpx2

OPENAI = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")
ANTHROPIC = os.environ.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
HEADERS = {"authorization": "Bearer any", "x-api-key": "any", "anthropic-version": "2023-06-01"}
MODE = os.environ.get("MODE", "remembers")
RULES = os.environ.get("RULES", "Be brief.")


def kept(messages):
    if MODE == "forgets":
        return messages[-1:]
    if MODE == "trims":
        return messages[-3:]
    if MODE == "sums up":
        return [{"role": "user", "content": f"{len(messages)} messages."}, messages[-1]] if messages[1:] else messages
    return messages


class Desk:
    def __init__(self, task):
        self.messages = []
        self.stored = None

    async def answer(self, task):
        self.messages.append({"role": "user", "content": os.environ.get("ASKED", "{}").format(task.input)})
        async with httpx2.AsyncClient(headers=HEADERS, trust_env=False) as client:
            text = await self.ask(client)
        self.messages.append({"role": "assistant", "content": text})
        return text


async def post(client, url, body):
    reply = await client.post(url, json=body)
    reply.raise_for_status()
    return reply.json()


@harness.subject("chat")
class Chat(Desk):
    async def ask(self, client):
        messages = kept(self.messages)
        if not (MODE == "forgets its rules" and self.messages[1:]):
            messages = [{"role": "system", "content": RULES}, *messages]
        said = await post(client, f"{OPENAI}/chat/completions", {"model": "gpt-5-mini", "messages": messages})
        return said["choices"][0]["message"]["content"]


@harness.subject("messages")
class Messages(Desk):
    async def ask(self, client):
        body = {"model": "claude-haiku-4-5", "max_tokens": 99, "system": RULES, "messages": kept(self.messages)}
        return (await post(client, f"{ANTHROPIC}/v1/messages", body))["content"][0]["text"]


@harness.subject("responses")
class Responses(Desk):
    async def ask(self, client):
        body = {"model": "gpt-5-mini", "instructions": RULES, "input": kept(self.messages), "store": False}
        said = await post(client, f"{OPENAI}/responses", body)
        return said["output"][-1]["content"][0]["text"]


@harness.subject("stored")
class Stored(Desk):
    async def ask(self, client):
        body = {"model": "gpt-5-mini", "instructions": RULES, "input": self.messages[-1:]}
        if self.stored and MODE != "forgets":
            body["previous_response_id"] = self.stored
        said = await post(client, f"{OPENAI}/responses", body)
        if MODE != "trims" or not self.stored:
            self.stored = said["id"]
        return said["output"][-1]["content"][0]["text"]
"""
SCENARIO = """\
description: Three turns.
subject: {}
conversation: [Hello, And then, Bye]
expect:
  - output: {{equals: Farewell then}}
"""
SCRIPT = """\
match: {user: Hello}
rules:
  - when: {turn: 1}
    say: Hi there
  - when: {turn: 2}
    say: Go on
  - when: {turn: 3}
    say: Farewell then
"""
SUBJECTS = ("chat", "messages", "responses", "stored")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> MiniProject:
    """An agent of three user turns in each protocol, recorded."""
    files = {f"scenarios/{name}.yaml": SCENARIO.format(name) for name in SUBJECTS}
    project = MiniProject(tmp_path_factory.mktemp("memory")).write(files)
    project.write({"pyproject.toml": "[tool.harness]\n", "conftest.py": DESK, "hello.script.yaml": SCRIPT})
    with running_provider([project.root / "hello.script.yaml"]) as url:
        recorded = project.record(url)
    assert recorded.code == 0, recorded.text
    return project


def mismatches(project: MiniProject, *, code: int, **environ: str) -> dict[str, dict[str, Any]]:
    """What `harness run` says of each scenario that does not pass."""
    done = project.harness("run", **environ)
    assert done.code == code, done.text
    return {trial["scenario"]: trial["mismatch"] for trial in project.results()["trials"] if trial["mismatch"]}


def test_an_agent_that_remembers_replays(project: MiniProject) -> None:
    """Nothing differs in any protocol."""
    assert mismatches(project, code=0) == {}


LOST = "the agent left out {} messages so far, the first is message 1 (user)"
LOSSES = {
    "forgets": (2, LOST.format("2 of the 3"), "`previous_response_id` was removed"),
    "trims": (3, LOST.format("2 of the 5"), 'previous_response_id "resp_'),
    "sums up": (2, "message 1 (user) differs", None),
}


@pytest.mark.parametrize(("mode", "loss"), LOSSES.items(), ids=LOSSES)
def test_an_agent_that_loses_its_memory_has_changed(
    project: MiniProject, mode: str, loss: tuple[int, str, str | None]
) -> None:
    """A new agent for each turn, a history that is trimmed, and one that is summed up: 1 in each protocol."""
    turn, cause, stored = loss
    found = mismatches(project, code=1, MODE=mode)
    assert found.keys() == set(SUBJECTS if stored else SUBJECTS[:3])
    for name, mismatch in found.items():
        assert (mismatch["kind"], mismatch["part"], mismatch["turn"]) == ("changed", "conversation", turn), name
        assert (stored if name == "stored" else cause) in mismatch["cause"]
        assert mismatch["other_reading"].startswith("stale: ")


def test_an_agent_that_loses_its_rules_has_changed(project: MiniProject) -> None:
    """A system prompt that is left out once the conversation is under way was not edited."""
    mismatch = mismatches(project, code=1, MODE="forgets its rules")["chat"]
    assert (mismatch["kind"], mismatch["part"], mismatch["turn"]) == ("changed", "conversation", 2)
    assert mismatch["cause"] == "the agent left the system prompt out of a conversation that it had begun with it"
    assert mismatch["other_reading"] == "stale: the author edited the agent (system prompt: was removed)"


@pytest.mark.parametrize(
    ("environ", "part"), [({"RULES": "Be kind."}, "system prompt"), ({"ASKED": "Q: {}"}, "opening")], ids=str
)
def test_what_the_author_edits_is_stale(project: MiniProject, environ: dict[str, str], part: str) -> None:
    """The prompt, or the template of what the user says: the first call shows it, and it has one reading."""
    found = mismatches(project, code=3, **environ)
    assert found.keys() == set(SUBJECTS)
    for mismatch in found.values():
        assert (mismatch["kind"], mismatch["part"], mismatch["turn"]) == ("stale", part, 1)
        assert mismatch["other_reading"] is None


def test_every_door_has_both_readings(project: MiniProject) -> None:
    """The terminal, pytest, drift, the results and JUnit say whose doing it may also be."""
    reading = "stale: the author may have changed this text, or which part of its conversation the agent sends"
    done = project.harness("run", "-k", "chat", MODE="forgets")
    assert f"or: {reading}" in done.out
    junit = (project.root / "reports/latest/junit.xml").read_text(encoding="utf-8")
    assert f"or: {reading}" in junit
    assert f"or: {reading}" in project.pytest("scenarios/chat.yaml", MODE="forgets").out
    assert f"or: {reading}" in project.harness("drift", "-k", "chat", MODE="forgets").out
    drift = project.harness("drift", "--json", "-k", "chat", MODE="forgets")
    (found,) = json.loads(drift.out)
    assert (drift.code, found["class"], found["other_reading"]) == (1, "conversation", reading)
    assert mismatches(project, code=1, MODE="forgets")["chat"]["other_reading"] == reading
