"""A real server on a loopback port that counts what reaches it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import socket
import struct
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any

import pytest

EVENTS = [f'data: {{"n": {number}}}\n\n'.encode() for number in range(4)] + [b"data: [DONE]\n\n"]

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "gpt-5-mini",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello — é"},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
CHAT_CHUNKS = [
    {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1767225600,
        "model": "gpt-5-mini",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    for delta, finish in (({"role": "assistant", "content": "Hel"}, None), ({"content": "lo"}, None), ({}, "stop"))
]
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-any",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 5, "output_tokens": 2},
}


CODERS = {"br": "brotli", "zstd": "backports.zstd"}
"""What it takes to ask for a coding."""


def pack(pieces: list[bytes], coding: str) -> list[bytes]:
    """Each piece coded so that it can be read as soon as it is there, as a server flushes a stream."""
    if coding == "br":
        brotli_coder = import_module("brotli").Compressor()
        return [brotli_coder.process(piece) + brotli_coder.flush() for piece in pieces] + [brotli_coder.finish()]
    if coding == "zstd":
        zstd_coder = import_module("backports.zstd").ZstdCompressor()
        return [zstd_coder.compress(piece, zstd_coder.FLUSH_BLOCK) for piece in pieces] + [zstd_coder.flush()]
    window = zlib.MAX_WBITS | 16 if coding == "gzip" else zlib.MAX_WBITS
    coder = zlib.compressobj(wbits=window)
    return [coder.compress(piece) + coder.flush(zlib.Z_SYNC_FLUSH) for piece in pieces] + [coder.flush()]


class Server:
    """What the handler notes, and where it listens."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[tuple[str, str, bytes]] = []
        self.answers: dict[str, dict[str, object]] = {}
        """What further paths answer, without the ids in them; an N becomes the number of the request."""

    @property
    def count(self) -> int:
        """How many requests arrived."""
        return len(self.received)


class Listener(ThreadingHTTPServer):
    """Takes no offence at a client that leaves before the end."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what is none of a client's leaving."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers by path; every answer is told apart by the number of the request."""

    protocol_version = "HTTP/1.1"
    server: ThreadingHTTPServer
    noted: Server

    def log_message(self, template: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.noted.received.append((self.command, self.path, body))
        path = self.path.partition("?")[0]
        if path == "/stream":
            self.stream(EVENTS)
        elif path == "/cut":
            self.stream(EVENTS[:2], cut=True)
        elif path == "/reset":
            self.stream(EVENTS[:2], cut=True)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            time.sleep(0.05)  # what was sent has been read when the connection breaks
            os.close(self.connection.detach())
        elif path == "/stall":
            self.stream(EVENTS[:2], cut=True)
            time.sleep(1)
        elif path == "/short":
            self.answer(200, b"half", {"content-length": "8"})
            self.close_connection = True
        elif path == "/drop":
            self.close_connection = True
        elif path == "/late":
            time.sleep(0.2)
            self.answer(200, b'{"late": true}', {})
        elif path == "/dribble":
            self.answer(200, b"", {"content-length": "20"})
            for _ in range(4):
                time.sleep(0.15)
                self.wfile.write(b"slow ")
        elif path == "/slow":
            time.sleep(1)
            self.close_connection = True
        elif path == "/gzip":
            self.answer(200, gzip.compress(b'{"packed": true}'), {"content-encoding": "gzip"})
        elif path in ("/br", "/zstd"):
            body = b"".join(pack([b'{"packed": true}'], path[1:]))
            self.answer(200, body, {"content-encoding": path[1:]})
        elif path == "/packed-stream":
            coding = self.path.partition("?")[2]
            self.stream(pack(EVENTS, coding), coding=coding)
        elif path == "/nothing":
            self.answer(204, b"", {})
        elif path == "/unchanged":
            self.answer(304, b"", {"x-request-id": "req_304"})
        elif path == "/empty":
            self.answer(200, b"", {"x-request-id": "req_0"})
        elif path == "/binary":
            self.answer(200, bytes(range(256)) * 40, {"content-type": "application/octet-stream"})
        elif path == "/hints":
            self.wfile.write(b"HTTP/1.1 %s\r\n\r\n" % self.path.partition("?")[2].replace("+", " ").encode())
            self.answer(200, b'{"after": "hints"}', {"x-request-id": "req_1xx"})
        elif path == "/upload":
            digest = hashlib.sha256(body).hexdigest()
            self.answer(201, json.dumps({"bytes": len(body), "digest": digest}).encode(), {})
        elif path == "/moved":
            self.answer(302, b"", {"location": "/v1/new"})
        elif path == "/limited":
            self.answer(429 if self.noted.count == 1 else 200, b'{"n": %d}' % self.noted.count, {"retry-after": "1"})
        elif path == "/v1/chat/completions" and b'"stream":true' in body.replace(b" ", b""):
            self.stream([b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in CHAT_CHUNKS] + [b"data: [DONE]\n\n"])
        elif path == "/v1/chat/completions":
            self.answer(200, json.dumps(CHAT, indent=2).encode(), {"x-simulated-provider": "yes"})
        elif path == "/v1/messages":
            self.answer(200, json.dumps(MESSAGE).encode(), {})
        elif (plain := re.sub(r"/[a-z]+_\w+", "", path)) in self.noted.answers:
            answer = json.dumps(self.noted.answers[plain]).replace("_N", f"_{self.noted.count}")
            self.answer(200, answer.encode(), {})
        else:
            seen = {"n": self.noted.count, "path": self.path, "body": body.decode()}
            self.answer(200, json.dumps(seen).encode(), {"set-cookie": "secret=1", "x-request-id": "req_1"})

    do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = do_GET  # noqa: N815 - what http.server looks for

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """A whole response."""
        self.send_response(status)
        for name, value in ({"content-type": "application/json", "content-length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def stream(self, events: list[bytes], *, cut: bool = False, coding: str = "") -> None:
        """A chunked response, a pause before each chunk."""
        self.send_response(200)
        if coding:
            self.send_header("content-encoding", coding)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in events:
            time.sleep(0.03)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.flush()
        if cut:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def server() -> Iterator[Server]:
    """The server, running."""
    handler = type("Noting", (Handler,), {})
    listener = Listener(("127.0.0.1", 0), handler)
    handler.noted = Server(f"http://127.0.0.1:{listener.server_port}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield handler.noted
    listener.shutdown()
    listener.server_close()
    thread.join()
