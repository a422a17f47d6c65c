"""Canary secrets in every place that a recording has: none of their bytes is on disk, whenever the process dies."""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.project import MiniProject

CANARIES = {
    "PROMPT_TOKEN": "canary-prompt-7f3a9c",  # in the prompt
    "RESULT_TOKEN": "canary-result-5b2e8d",  # in base64, in a tool's result
    "QUERY": "canary-query-1c9d4e77aa",  # in an address
    "VAULT": "canary-vault-9e8d7c6b55",  # in a key header only, and said back by the server
    "STREAMED": "sk-proj-" + "Qs81" * 9,  # in the deltas of a stream
    "ARGUMENTS": "sk-ant-api03-" + "Wz72" * 9,  # in a tool's arguments, and so in the next request
    "REFUSED": "sk-svcacct-" + "Ek63" * 9,  # in the text of a 401
    "QUOTED_SECRET": 'canary"quoted\\5/<é>',  # escaped in JSON
    "CUSTOMER_CODE": "canary customer 42",  # that the project declares
    "SAID": "ghp_" + "Rt54" * 9,  # in the agent's output, on no wire
    "RAISED": "hf_" + "Yu45" * 9,  # in the agent's exception
    "STATE_KEY": "canary-state-3d2c1b",  # in the world that the agent leaves behind
    "PACKED": "xai-" + "Op36" * 20,  # in a compressed body
    "MAIL": "canary.mail@example.com",  # to be redacted
}

FILES = {
    "pyproject.toml": '[tool.harness]\nsecrets = ["CUSTOMER_CODE"]\n[tool.harness.redact]\nemails = true\n',
    "scenarios/leaky.yaml": """\
description: An agent that says all that it should not.
subject: leaky
input: Say it.
world: {left: nothing}
expect:
  - output: {contains: I said}
""",
    "scenarios/raising.yaml": """\
description: An agent that raises what it should not.
subject: raising
input: Raise it, canary.mail@example.com.
expect:
  - output: {contains: nothing}
""",
    "conftest.py": '''\
import base64
import json
import os

import harness
import httpx2


def call(content, path="/v1/chat/completions", **headers):
    """One request over the bare client."""
    messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
    body = {"model": "gpt-5-mini", "messages": messages}
    with httpx2.Client(base_url=os.environ["SERVER"]) as client:
        return client.post(path, json=body, headers=headers)


def take(task):
    """Every place but those that need no wire."""
    canary = os.environ
    call("the token is " + canary["PROMPT_TOKEN"])
    packed = base64.b64encode(("user:" + canary["RESULT_TOKEN"]).encode()).decode()
    asked = call("arguments").json()["choices"][0]["message"]
    call([asked, {"role": "tool", "tool_call_id": "c1", "content": json.dumps({"b64": packed})}])
    call("query", path="/v1/other?access_token=" + canary["QUERY"])
    call("vault", authorization="Bearer " + canary["VAULT"])
    call("stream")
    call("refuse")
    call(json.dumps({"nested": canary["QUOTED_SECRET"], "code": canary["CUSTOMER_CODE"]}))
    call("pack")
    call("mail to " + canary["MAIL"])


@harness.subject("leaky")
def leaky(task: harness.Task):
    take(task)
    task.world.state["left"] = os.environ["STATE_KEY"]
    if "STALL" in os.environ:
        call("stall")
    return "I said " + os.environ["SAID"] + " and " + os.environ["QUOTED_SECRET"]


@harness.subject("raising")
def raising(task: harness.Task):
    call("hello")
    raise ValueError("the token " + os.environ["RAISED"] + " is wrong")
''',
}


def said(text: str) -> dict[str, object]:
    """A whole reply that says a text."""
    message = {"role": "assistant", "content": text}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-5-mini",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}  # fmt: skip


class Leaky(BaseHTTPRequestHandler):
    """A provider that says back what it was told, and more."""

    protocol_version = "HTTP/1.1"
    server: ThreadingHTTPServer
    stalled: threading.Event

    def log_message(self, template: str, *args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer by what the last message says."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        content = body["messages"][-1]["content"]
        if content == "stream":
            self.stream(CANARIES["STREAMED"])
        elif content == "arguments":
            arguments = json.dumps({"key": CANARIES["ARGUMENTS"]})
            call = {"id": "c1", "type": "function", "function": {"name": "use", "arguments": arguments}}
            reply = said("")
            reply["choices"][0]["message"] |= {"content": None, "tool_calls": [call]}  # type: ignore[index]
            self.answer(200, json.dumps(reply).encode())
        elif content == "refuse":
            error = {"message": f"Incorrect API key provided: {CANARIES['REFUSED']}.", "type": "invalid_request_error"}
            self.answer(401, json.dumps({"error": error}).encode())
        elif content == "pack":
            packed = gzip.compress(json.dumps(said(CANARIES["PACKED"])).encode())
            self.answer(200, packed, {"content-encoding": "gzip"})
        elif content == "stall":
            self.stalled.set()
            self.stalled.clear()
            threading.Event().wait(30)
        else:
            key = self.headers.get("authorization", "")
            self.answer(
                200, json.dumps(said(f"you sent {self.path}, {key} and {content}")).encode(), {"x-request-id": key}
            )

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """A whole response."""
        self.send_response(status)
        sent = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def stream(self, text: str) -> None:
        """A text five letters at a time, and once more cut by chunks only."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        deltas: list[dict[str, object]] = [{"content": text[at : at + 5]} for at in range(0, len(text), 5)]
        chunks = [{"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-mini",
                   "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
                  for delta in (*deltas, {"content": f" {text} "})]  # fmt: skip
        data = b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"
        for at in range(0, len(data), 37):
            piece = data[at : at + 37]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """The provider, running."""
    handler = type("Handler", (Leaky,), {"stalled": threading.Event()})
    listener = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    listener.daemon_threads = True
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield listener
    listener.shutdown()
    listener.server_close()
    thread.join()


def kept(folder: Path) -> list[tuple[str, str, str]]:
    """The leaks in what was recorded and reported: the author may name a customer in a scenario."""
    return [leak for leak in leaks(folder) if leak[0] != "MAIL" or not leak[2].startswith("scenarios")]


def leaks(folder: Path) -> list[tuple[str, str, str]]:
    """Each canary in a file, in whatever form, with the file."""
    found = []
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        data = file.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data += gzip.decompress(data)
        for name, value in CANARIES.items():
            plain = value.encode()
            forms = {
                "plain": plain,
                "json": json.dumps(value)[1:-1].encode(),
                "json in json": json.dumps(json.dumps(value)[1:-1])[1:-1].encode(),
                "url": quote(value, safe="").encode(),
                "half": plain[-len(plain) // 2 :],
                **{f"base64 at {at}": base64.b64encode(b"x" * at + plain)[4:-4] for at in range(3)},
            }
            found += [(name, form, str(file.relative_to(folder))) for form, text in forms.items() if text in data]
    return found


def environ(listener: ThreadingHTTPServer, **further: str) -> dict[str, str]:
    """What the agent knows."""
    return {**CANARIES, "SERVER": f"http://127.0.0.1:{listener.server_port}", **further}


@pytest.fixture
def project(tmp_path: Path) -> MiniProject:
    """A project without a secret in its files."""
    made = MiniProject(tmp_path).write(FILES)
    assert {name for name, _, _ in leaks(tmp_path)} == {"MAIL"}
    return made


def test_no_canary_reaches_the_disk(project: MiniProject, server: ThreadingHTTPServer) -> None:
    """Recorded, replayed, reported, accepted: each is masked, with its place named, and the recording still replays."""
    recorded = project.harness("record", **environ(server))
    assert recorded.code == 0, recorded.text
    assert kept(project.root) == []
    for place in ("request's address", "request's body", "response's body", "response's headers"):
        assert f"a secret was masked in the {place}" in recorded.err
    for name in ("PROMPT_TOKEN", "RESULT_TOKEN", "QUOTED_SECRET", "CUSTOMER_CODE"):
        assert f"value of {name}" in recorded.err
    for kind in ("OpenAI key", "Anthropic key", "xAI key", "the header authorization", "key in an address", "email"):
        assert kind in recorded.err
    assert not any(value in recorded.text for value in CANARIES.values())

    run = project.harness("run", "-v", "-o", "single.csv", **environ(server))
    outcomes = {trial["scenario"]: (trial["outcome"], trial["reason"]) for trial in project.results()["trials"]}
    assert outcomes["leaky"][0] == "passed", run.text
    assert outcomes["raising"][0] == "failed"
    assert "the agent raised ValueError: the token *masked* is wrong" in outcomes["raising"][1]
    assert not any(value in run.text for value in CANARIES.values())
    assert project.harness("accept", "--yes", **environ(server)).code == 0
    shown = project.harness("show", "reports/latest/results.json")
    assert not any(value in shown.text for value in CANARIES.values())
    assert kept(project.root) == []
    scanned = project.harness("scan", **environ(server))
    assert (scanned.code, scanned.text) == (0, "")


def test_other_values_are_answered_the_same(project: MiniProject, server: ThreadingHTTPServer) -> None:
    """In CI the variables hold placeholders of other lengths."""
    assert project.harness("record", "scenarios/leaky.yaml", **environ(server)).code == 0
    others = {name: f"placeholder-{name.lower()}-1" for name in CANARIES} | {"MAIL": CANARIES["MAIL"]}
    run = project.harness("run", "scenarios/leaky.yaml", **{**environ(server), **others})
    assert run.code == 0, run.text


def test_no_canary_is_in_the_journal(project: MiniProject, server: ThreadingHTTPServer) -> None:
    """Killed in the middle of a recording."""
    script = "import sys; from harness.cli import main; sys.exit(main(['record', 'scenarios/leaky.yaml']))"
    known = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", "LANG") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=project.root,
        env={**known, **environ(server, STALL="yes")},
        stderr=subprocess.DEVNULL,
    )
    handler = server.RequestHandlerClass
    assert handler.stalled.wait(60)  # type: ignore[attr-defined]
    process.send_signal(signal.SIGKILL)
    process.wait()
    journals = list(project.root.rglob("*.journal"))
    assert len(journals) == 1
    assert journals[0].read_text(encoding="utf-8").count("- request:") == 10
    assert kept(project.root) == []
    assert project.harness("scan", **environ(server)).code == 0
