"""An agent that answers from a cache of its own hides a request: every door says so, and none calls it an edit."""

from __future__ import annotations

import json

import pytest

from harness.providers.simulated import running_provider
from tests.project import MiniProject

READER = """\
import json
import os
from pathlib import Path

import harness
import httpx2

URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"
CACHE = Path(__file__).with_name("cache.json")


def ask(system, user):
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    body = {"model": "gpt-5-mini", "messages": messages}
    reply = httpx2.post(URL, json=body, headers={"authorization": "Bearer any"}, trust_env=False)
    return reply.json()["choices"][0]["message"]["content"]


@harness.subject("reader")
def reader(task):
    cache = json.loads(CACHE.read_text()) if CACHE.exists() else {}
    if "summary" not in cache:
        cache["summary"] = ask("You sum up.", "Sum up the book.")
        CACHE.write_text(json.dumps(cache))
    return ask(f"The book: {cache['summary']}", task.input)
"""
FILES = {
    "pyproject.toml": "[tool.harness]\n",
    "conftest.py": READER,
    "scenarios/book.yaml": """\
description: The book is summed up before the question is asked.
subject: reader
input: Who did it?
expect: [{output: {contains: butler}}]
""",
    "sum.script.yaml": "match: {user: Sum up}\nrules: [{when: {turn: 1}, say: 'A duke, a butler.'}]\n",
    "ask.script.yaml": "match: {user: Who did it}\nrules: [{when: {turn: 1}, say: The butler.}]\n",
}
UNSENT = "call 1 of the recording (gpt-5-mini: Sum up the book.) was not sent"
LOOK = "look for an answer that the agent kept from an earlier run, such as a cache of its own"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> MiniProject:
    """The agent, recorded: since then its cache holds the summary."""
    project = MiniProject(tmp_path_factory.mktemp("caches")).write(FILES)
    with running_provider([project.root / "sum.script.yaml", project.root / "ask.script.yaml"]) as url:
        assert project.record(url).code == 0
    assert (project.root / "cache.json").exists()
    return project


def test_a_request_that_the_cache_hides_is_named(project: MiniProject) -> None:
    """The later call matches, so what was left over is the finding."""
    done = project.harness("run")
    assert done.code == 1, done.text
    assert f"{UNSENT}, though later calls were: 1 of 2 recorded exchanges was not asked for; {LOOK}" in done.out


def test_a_call_that_holds_what_the_cache_said(project: MiniProject) -> None:
    """An answer of another run in the system prompt looks like an edit; it is changed behaviour, and says both."""
    cached = (project.root / "cache.json").read_text(encoding="utf-8")
    project.write({"cache.json": json.dumps({"summary": "A duke."})})
    cause = f"{UNSENT}: {LOOK}; after it, system prompt, line 1"
    reading = "or: stale: the author edited the agent (system prompt, line 1)"
    for done in (project.harness("run"), project.harness("drift"), project.pytest("scenarios")):
        assert done.code == 1, done.text
        assert cause in done.out
        assert reading in done.out
    (project.root / "cache.json").unlink()
    assert project.harness("run").code == 0
    project.write({"cache.json": cached})
