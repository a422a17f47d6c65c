"""Programs under test that import no SDK, so that many of them can be started: what they do is in their settings."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PROGRAMS", "SCRIPT"]

ASKING = '''\
"""The least that a client of a model must do, over a bare socket."""

import json
import os
import socket


def post(url, body):
    place, _, path = url.removeprefix("http://").partition("/")
    host, _, port = place.partition(":")
    data = json.dumps(body).encode()
    head = f"POST /{path} HTTP/1.0\\r\\nhost: {place}\\r\\ncontent-type: application/json\\r\\n"
    head += f"authorization: Bearer {os.environ['OPENAI_API_KEY']}\\r\\ncontent-length: {len(data)}\\r\\n\\r\\n"
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(head.encode() + data)
        reply = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = reply.partition(b"\\r\\n\\r\\n")
    return int(head.split()[1]), body


def ask(messages):
    body = {"model": "gpt-5-mini", "messages": [{"role": "system", "content": PROMPT}, *messages]}
    status, reply = post(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body)
    if status != 200:
        raise SystemExit(f"the model said {status}: {reply.decode()}")
    return json.loads(reply)["choices"][0]["message"]["content"]


PROMPT = "Be brief."
'''
CLI = '''\
"""A command line program with a memory, that counts its turns in the world."""

import json
import os
import sys
import time
from pathlib import Path

from asking import ask

settings = json.loads(os.environ["HARNESS_SETTINGS"])
memory = Path(os.environ["HARNESS_MEMORY"], "messages.json")
messages = json.loads(memory.read_text()) if memory.exists() else []
said = sys.argv[1] if len(sys.argv) > 1 else sys.stdin.read()
messages.append({"role": "user", "content": said})
answer = ask(messages)
messages.append({"role": "assistant", "content": answer})
memory.write_text(json.dumps(messages))
world = Path(os.environ["HARNESS_WORLD"])
state = json.loads(world.read_text())
state["turns"] = int(os.environ["HARNESS_TURN"])
state["run_id"] = os.environ["HARNESS_RUN_ID"]
state["now"] = os.environ["HARNESS_NOW"]
world.write_text(json.dumps(state))

way = settings.get("way")
if way == "fails":
    sys.exit("no stock\\nboom")
if way == "grumbles":
    sys.stderr.write("hm\\n" * 2_000_000)
if way == "floods":
    while True:
        sys.stdout.write("la" * 500_000)
if way == "spoils":
    world.write_text("[1, 2]")
if way == "leaves":
    child = os.posix_spawnp("sleep", ["sleep", "600"], os.environ)
    Path("left.pid").write_text(str(child))
if way == "hangs" and "HANG" in os.environ:
    Path("hangs.pid").write_text(str(os.getpid()))
    time.sleep(600)
if way == "structured":
    print(json.dumps({"said": answer, "now": os.environ["HARNESS_NOW"][:4].isdigit()}))
elif way != "silent":
    print(answer)
'''
API = '''\
"""An HTTP endpoint with a conversation, as JSON and as a stream of events."""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from asking import ask

conversations = {}
way = json.loads(os.environ["HARNESS_SETTINGS"]).get("way")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        messages = conversations.setdefault(body["conversation"], [])
        messages.append({"role": "user", "content": body["message"]["text"]})
        if way == "dies" and len(messages) > 2:
            sys.stderr.write("out of memory\\n")
            sys.stderr.flush()
            os._exit(9)
        if way == "hangs" and "HANG" in os.environ:
            time.sleep(600)
        time.sleep(float(os.environ.get("PONDERS", 0)))
        answer = ask(messages)
        messages.append({"role": "assistant", "content": answer})
        with open(os.environ["HARNESS_WORLD"], "w") as world:
            json.dump({"turns": len(messages) // 2}, world)
        if way == "breaks":
            return self.reply(500, "application/json", b'{"detail": "no stock"}')
        if way == "odd":
            return self.reply(200, "application/json", b'{"reply": {}}')
        if self.path == "/stream":
            words = [json.dumps({"delta": {"text": f"{word} "}}) for word in answer.split()]
            events = "".join(f"event: word\\ndata: {word}\\n\\n" for word in ['{"start": true}', *words])
            self.reply(200, "text/event-stream", f": hello\\n\\n{events}data: [DONE]\\n\\n".encode(), length=None)
            time.sleep(600)  # a server may keep its connection open
        self.reply(200, "application/json", json.dumps({"reply": {"parts": [{"text": answer}]}}).encode())

    def reply(self, status, kind, data, length=True):
        self.send_response(status)
        self.send_header("content-type", kind)
        if length:
            self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if way == "never":
    sys.stderr.write("waiting for the database\\n")
    sys.stderr.flush()
    time.sleep(600)
if way == "refuses":
    sys.exit("no configuration")
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
'''
CONFTEST = """\
import sys

import harness

PYTHON = [sys.executable, "-S", "-E"]

harness.command("cli", [*PYTHON, "cli.py"])
harness.command("cli-arguments", [*PYTHON, "cli.py", "{input}"])
harness.command("cli-json", [*PYTHON, "cli.py"], json=True)

BODY = {"conversation": "{run_id}", "message": {"text": "{input}"}}
SERVER = [*PYTHON, "api.py", "{port}"]
harness.endpoint("api", SERVER, path="/chat", body=BODY, answer="reply.parts.0.text", ready="/health")
harness.endpoint("api-stream", SERVER, path="/stream", body=BODY, answer="delta.text")
"""
PROGRAMS: Mapping[str, str] = {
    "pyproject.toml": "[tool.harness]\n",
    "asking.py": ASKING,
    "cli.py": CLI,
    "api.py": API,
    "conftest.py": CONFTEST,
}
"""A project whose subjects are a command line program and an HTTP endpoint."""

SCRIPT = """\
match: {user: Hello}
rules:
  - when: {turn: 1}
    say: Good day
  - when: {turn: 2}
    say: Go on
  - when: {turn: 3}
    say: Farewell then
"""
"""What the simulated model says to whoever begins with Hello."""
