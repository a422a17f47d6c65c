"""A real HTTP server on loopback that gives prepared answers, in order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Answer:
    """One prepared response. ``cut`` closes the connection before the announced length is reached."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class Loopback:
    """The server's address, what it will answer and what it was asked."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    def answer(self, body: Any, **facts: Any) -> None:
        """Prepare an answer: bytes as they stand, anything else as JSON."""
        self.answers.append(Answer(body if isinstance(body, bytes) else json.dumps(body).encode(), **facts))


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """A server that both SDKs are pointed at by their environment variables."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            state.paths.append(self.path)
            state.bodies.append(json.loads(self.rfile.read(length)))
            answer = state.answers.pop(0)
            self.send_response(answer.status)
            headers = {"content-type": answer.content_type, **answer.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body) + (100 if answer.cut else 0)))
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = answer.cut

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        state = Loopback(f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{state.url}/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", state.url)
        monkeypatch.setenv("OPENAI_API_KEY", "test-key")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        server.shutdown()
        thread.join()
