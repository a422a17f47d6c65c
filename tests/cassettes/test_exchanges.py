"""An exchange that is no model call is recorded and replayed as faithfully, by every client."""

from __future__ import annotations

import asyncio
import importlib
import socket
import threading
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3

from harness.cassettes import ReplaySession, intercepted, load_cassette, routed, save_cassette
from harness.records.exchange import Ending
from harness.seams import RecordedClock
from tests.cassettes.test_clients import cassette_of, record

Answer = tuple[int, str, str | None, str | None, bytes]
"""Status, reason, request id, content type, body."""
KEPT = ("x-request-id", "content-type")


def by_httpx(module: Any) -> Callable[..., Answer]:
    """Ask through httpx or httpx2."""

    def ask(method: str, url: str, files: Any = None) -> Answer:
        with module.Client(trust_env=False, verify=False) as client:
            response = client.request(method, url, files=files)
            kept = (response.headers.get(name) for name in KEPT)
            return response.status_code, response.reason_phrase, *kept, response.content

    return ask


def by_async_httpx2(method: str, url: str, files: Any = None) -> Answer:
    """Ask through httpx2, async."""

    async def ask() -> Answer:
        async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
            response = await client.request(method, url, files=files)
            kept = (response.headers.get(name) for name in KEPT)
            return response.status_code, response.reason_phrase, *kept, response.content

    return asyncio.run(ask())


def by_requests(method: str, url: str, files: Any = None) -> Answer:
    """Ask through requests."""
    with requests.Session() as session:
        session.trust_env = False
        response = session.request(method, url, files=files, timeout=5)
        return response.status_code, response.reason, *map(response.headers.get, KEPT), response.content


def by_urllib3(method: str, url: str, files: Any = None) -> Answer:
    """Ask through urllib3."""
    with urllib3.PoolManager() as pool:
        options = {} if files is None else {"fields": files}
        response = pool.request(method, url, retries=False, timeout=5, **options)
        return response.status, response.reason or "", *map(response.headers.get, KEPT), response.data


def by_aiohttp(method: str, url: str, files: Any = None) -> Answer:
    """Ask through aiohttp."""

    async def ask() -> Answer:
        form = None if files is None else aiohttp.FormData()
        for name, (filename, data, kind) in (files or {}).items():
            form.add_field(name, data, filename=filename, content_type=kind)
        async with (
            aiohttp.ClientSession() as client,
            client.request(method, url, data=form, allow_redirects=False) as response,
        ):
            return response.status, response.reason or "", *map(response.headers.get, KEPT), await response.read()

    return asyncio.run(ask())


CLIENTS = {
    "httpx": by_httpx(httpx),
    "httpx2": by_httpx(httpx2),
    "httpx2-async": by_async_httpx2,
    "requests": by_requests,
    "urllib3": by_urllib3,
    "aiohttp": by_aiohttp,
}


def both(work: Callable[[], Any], folder: Any) -> tuple[Any, Any, Any]:
    """What the work gives live, what it gives replayed from the file, and the first exchange."""
    live, played = record(work)
    save_cassette(folder / "c.yaml", cassette_of(played))
    session = ReplaySession(load_cassette(folder / "c.yaml"), clock=RecordedClock())
    with intercepted(), routed(session):
        again = work()
    assert session.unplayed == ()
    return live, again, played[0].exchange


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(
    ("method", "path", "status", "size"),
    [
        ("HEAD", "/binary", 200, 0),
        ("GET", "/nothing", 204, 0),
        ("DELETE", "/nothing", 204, 0),
        ("GET", "/unchanged", 304, 0),
        ("GET", "/empty", 200, 0),
        ("GET", "/binary", 200, 10240),
        ("PUT", "/v1/put", 200, None),
        ("PATCH", "/v1/patch", 200, None),
        ("OPTIONS", "/v1/options", 200, None),
    ],
)
def test_it_comes_back_as_it_was(
    name: str, method: str, path: str, status: int, size: int | None, server: Any, tmp_path: Any
) -> None:
    """Status, reason, headers and body, or none; recorded as complete, sent once."""
    live, again, exchange = both(lambda: CLIENTS[name](method, f"{server.url}{path}"), tmp_path)
    assert again == live
    assert live[0] == status
    assert size is None or len(live[4]) == size
    assert exchange.request.method == method
    assert exchange.response.ending is Ending.COMPLETE
    assert server.count == 1


@pytest.mark.parametrize("name", CLIENTS)
def test_an_upload_is_recorded_byte_for_byte(name: str, server: Any, tmp_path: Any) -> None:
    """A multipart body with a binary file, and a boundary that is another one in the replay."""
    data = bytes(range(256)) * 8

    def work() -> Answer:
        return CLIENTS[name]("POST", f"{server.url}/upload", {"file": ("a.bin", data, "application/octet-stream")})

    live, again, exchange = both(work, tmp_path)
    assert again == live
    assert live[0] == 201
    assert data in exchange.request.body
    assert server.received[0][2] == exchange.request.body


@pytest.mark.parametrize("name", CLIENTS)
def test_what_comes_before_the_answer_is_no_answer(name: str, server: Any, tmp_path: Any) -> None:
    """100 Continue, and where the client itself can take it 103 Early Hints, are left out."""
    interim = "100+Continue" if name in ("requests", "urllib3") else "103+Early+Hints"
    live, again, exchange = both(lambda: CLIENTS[name]("GET", f"{server.url}/hints?{interim}"), tmp_path)
    assert live == again == (200, "OK", "req_1xx", "application/json", b'{"after": "hints"}')
    assert exchange.response.status == 200


def serve_http2(listener: socket.socket, received: list[bytes]) -> None:
    """Answer one connection that speaks HTTP/2 from the start, each request with a stream of two pieces."""
    connection = importlib.import_module("h2.connection")
    events = importlib.import_module("h2.events")
    state = connection.H2Connection(importlib.import_module("h2.config").H2Configuration(client_side=False))
    with listener.accept()[0] as peer:
        state.initiate_connection()
        peer.sendall(state.data_to_send())
        while data := peer.recv(65536):
            for event in state.receive_data(data):
                if isinstance(event, events.RequestReceived):
                    received.append(dict(event.headers)[b":path"])
                elif isinstance(event, events.StreamEnded):
                    head = [(":status", "200"), ("content-type", "text/event-stream"), ("x-request-id", "h2")]
                    state.send_headers(event.stream_id, head)
                    state.send_data(event.stream_id, b"data: 1\n\n")
                    peer.sendall(state.data_to_send())
                    state.send_data(event.stream_id, b"data: [DONE]\n\n", end_stream=True)
            peer.sendall(state.data_to_send())


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_http2_is_recorded_and_replayed(kind: str, tmp_path: Any) -> None:
    """HTTP/2 has no reason phrase and writes headers small: the same comes back, and stands as in HTTP/1.1."""
    pytest.importorskip("h2")
    options: dict[str, Any] = {"http1": False, "http2": True, "trust_env": False, "verify": False}
    received: list[bytes] = []

    async def ask(url: str) -> list[Any]:
        async with httpx2.AsyncClient(**options) as client:
            response = await client.post(url, content=b"{}", headers={"X-Mixed-Case": "yes"})
            return [response.status_code, response.reason_phrase, response.headers["X-Request-Id"], response.content]

    def work() -> list[Any]:
        if kind == "async":
            return asyncio.run(ask(url))
        with httpx2.Client(**options) as client:
            response = client.post(url, content=b"{}", headers={"X-Mixed-Case": "yes"})
            return [response.status_code, response.reason_phrase, response.headers["X-Request-Id"], response.content]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/two"
        thread = threading.Thread(target=serve_http2, args=(listener, received))
        thread.start()
        live, again, exchange = both(work, tmp_path)
        thread.join()
    assert again == live == [200, "OK", "h2", b"data: 1\n\ndata: [DONE]\n\n"]
    assert exchange.response.ending is Ending.COMPLETE
    assert received == [b"/v1/two"]
