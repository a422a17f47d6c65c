"""What was exchanged and not understood passes nothing, at the command line and under pytest."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.project import MiniProject
from tests.wire.replies import chunk, function_call, responds, sse

REFUND = {"id": "a", "index": 0, "type": "function", "function": {"name": "refund", "arguments": "{}"}}
ANSWERS: dict[str, Any] = {
    "second choice": {
        "id": "c",
        "model": "gpt-5-mini",
        "choices": [
            {"index": 0, "message": {"content": "No."}, "finish_reason": "stop"},
            {"index": 1, "message": {"content": None, "tool_calls": [REFUND]}, "finish_reason": "tool_calls"},
        ],
    },
    "left early": sse([chunk({"tool_calls": [REFUND]}), chunk({}, "tool_calls")], done=True),
    "cut short": sse([chunk({"tool_calls": [{**REFUND, "function": {"name": "refund", "arguments": '{"id'}}]})]),
    "unknown item": responds([{"type": "telepathy_call", "call_id": "c"}, function_call("noop", "{}")]),
    "queued": responds([], "queued", background=True),
    "gemini": {"candidates": [{"content": {"parts": [{"functionCall": {"name": "refund", "args": {}}}]}}]},
    "embeddings": {"data": [], "usage": {"prompt_tokens": 5, "total_tokens": 5}},
}
PATHS = {
    "unknown item": "/v1/responses",
    "queued": "/v1/responses",
    "gemini": "/v1beta/models/gemini-3-pro:generateContent",
    "embeddings": "/v1/embeddings",
}
AGENT = """\
import os
import harness, httpx2

PATHS = {paths}
OFFERED = {{"type": "function", "name": "refund", "function": {{"name": "refund"}}}}


@harness.subject("desk")
def desk(task: harness.Task) -> str:
    base = os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
    url = base + PATHS.get(task.input, "/v1/chat/completions")
    messages = [{{"role": "user", "content": task.input}}]
    body = {{"model": "gpt-5-mini", "messages": messages, "input": messages, "tools": [OFFERED], "stream": False}}
    with httpx2.stream("POST", url, json=body) as reply:
        for _ in reply.iter_bytes():
            break
    return "Done."
"""
SCENARIO = """\
description: The agent leaves refund alone.
subject: desk
input: {name}
expect:
  - not_called: refund
limits: {{tool_calls: 3}}
"""
FAILED, ERRORED, PASSED = "failed", "errored", "passed"
OUTCOMES = {
    "second choice": (FAILED, "not called refund: turn 1: refund() must not happen"),
    "left early": (FAILED, "not called refund: turn 1: refund() must not happen"),
    "cut short": (FAILED, "limit tool_calls: unknown: turn 1 holds a call of `refund` whose"),
    "unknown item": (FAILED, "limit tool_calls: unknown: at least 1 tool_calls; turn 1 holds an output item of type"),
    "queued": (FAILED, "limit tool_calls: unknown: turn 1 holds a background response"),
    "gemini": (FAILED, "limit tool_calls: unknown: turn 1 is a call of an API that is not read"),
    "embeddings": (FAILED, "not called refund: the agent made no model call"),
}


@contextmanager
def provider() -> Iterator[str]:
    """A server that answers by what the user said."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = ANSWERS[asked["messages"][0]["content"]]
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "text/plain" if isinstance(answer, bytes) else "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """One scenario for each answer, recorded, and where from."""
    files = {"pyproject.toml": "[tool.harness]\n", "conftest.py": AGENT.format(paths=PATHS)}
    files |= {f"scenarios/{name.replace(' ', '-')}.yaml": SCENARIO.format(name=name) for name in ANSWERS}
    made = MiniProject(tmp_path_factory.mktemp("unread")).write(files)
    with provider() as url:
        made.record(url)
    return made.root, f"{url}/v1"


@pytest.fixture
def project(recorded: tuple[Path, str], tmp_path: Path) -> MiniProject:
    """A copy that a test may edit."""
    return MiniProject(Path(shutil.copytree(recorded[0], tmp_path / "unread")))


@pytest.fixture
def base(recorded: tuple[Path, str]) -> str:
    """Where the agent sends its requests; nobody is there any more."""
    return recorded[1]


def test_the_command_line_passes_nothing_that_it_did_not_read(project: MiniProject, base: str) -> None:
    """Each scenario says what was not read; calls in odd places are calls."""
    assert project.harness("run", OPENAI_BASE_URL=base).code == 1
    cases = {case["scenario"].replace("-", " "): case for case in project.results()["cases"]}
    assert cases.keys() == ANSWERS.keys()
    for name, (outcome, reason) in OUTCOMES.items():
        assert cases[name]["outcome"] == outcome
        assert reason in cases[name]["reason"]


def test_a_check_that_cannot_be_told_is_errored(project: MiniProject, base: str) -> None:
    """Without the limit, the check itself says so."""
    names = ("gemini", "queued", "unknown-item", "cut-short")
    for name in names:
        project.edit(f"scenarios/{name}.yaml", "limits: {tool_calls: 3}\n", "")
    done = project.harness("run", *(f"scenarios/{name}.yaml" for name in names), OPENAI_BASE_URL=base)
    assert done.code == 4, done.text
    for case in project.results()["cases"]:
        assert case["outcome"] == "errored"
        assert case["reason"].startswith("not called refund: can't tell: turn 1")


def test_pytest_passes_nothing_that_it_did_not_read(project: MiniProject, base: str) -> None:
    """The same verdicts as the command line's."""
    done = project.pytest("scenarios", OPENAI_BASE_URL=base)
    assert done.code == 1, done.text
    assert f"{len(ANSWERS)} failed" in done.text


def test_an_unknown_amount_is_no_expected_failure(project: MiniProject, base: str) -> None:
    """A limit that only fails because nobody knows stays red under xfail."""
    project.edit("scenarios/gemini.yaml", "expect:\n  - not_called: refund\n", "xfail: it takes too many calls\n")
    done = project.harness("run", "scenarios/gemini.yaml", OPENAI_BASE_URL=base)
    assert done.code == 1, done.text
    assert "limit tool_calls: unknown" in done.text
