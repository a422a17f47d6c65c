"""What is aiohttp's own: every kind of body, redirects with cookies, its way of raising, its ways of reading."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.payload import BytesPayload, Payload

from harness.cassettes import RecordSession, ReplaySession, intercepted, load_cassette, routed, save_cassette
from harness.errors import CassetteMissError
from harness.records.exchange import Cassette
from harness.seams import RecordedClock, SystemClock
from tests.cassettes.test_clients import record, replay

Work = Callable[[aiohttp.ClientSession, str], Awaitable[Any]]


class Site:
    """A server on a loop of its own for as long as some work lasts."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str, dict[str, str], bytes]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers by path; every request is noted."""
        body = await request.read()
        self.received.append((request.method, request.path, dict(request.headers), body))
        if request.path == "/login":
            answer = web.Response(status=302, headers={"location": "/home"})
            answer.set_cookie("visit", "first")
            return answer
        if request.path == "/keep":
            return web.Response(status=307, headers={"location": "/echo"})
        if request.path == "/home":
            return web.json_response({"cookies": dict(request.cookies)})
        if request.path == "/missing":
            return web.Response(status=404, text="no such thing")
        if request.path == "/nothing":
            return web.Response(status=204)
        if request.path == "/close":
            stream = web.StreamResponse(headers={"connection": "close"})
            stream.force_close()
            await stream.prepare(request)
            await stream.write(b"until the end")
            return stream
        return web.Response(body=body, content_type="application/octet-stream", headers={"x-request-id": "req_1"})

    def run(self, work: Work, url: str = "") -> tuple[Any, str]:
        """Do the work against the server, or where an address is given against nobody."""

        async def go() -> tuple[Any, str]:
            app = web.Application()
            app.router.add_route("*", "/{rest:.*}", self.handle)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            own = f"http://127.0.0.1:{runner.addresses[0][1]}"
            try:
                async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
                    return await work(client, url or own), own
            finally:
                await runner.cleanup()

        return asyncio.run(go())


def both(work: Work) -> tuple[Any, Any, Site, list[Any]]:
    """What the work gives live and replayed, the server that heard of the first only, and what was recorded."""
    site = Site()
    (live, url), played = record(lambda: site.run(work))
    heard = len(site.received)
    assert heard
    (again, _), session = replay(played, lambda: site.run(work, url))
    assert session.unplayed == ()
    assert len(site.received) == heard
    return live, again, site, [each.exchange for each in played]


async def pieces() -> AsyncIterator[bytes]:
    """A body that can be read once."""
    yield b"one "
    yield b"two"


class Pipe(io.RawIOBase):
    """A file that can't be rewound."""

    left = b"from a pipe"

    def readable(self) -> bool:
        """As asked."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What is left, as far as it fits."""
        size = min(len(buffer), len(self.left))
        buffer[:size], self.left = self.left[:size], self.left[size:]
        return size


def form() -> aiohttp.FormData:
    """An upload with a file."""
    data = aiohttp.FormData({"purpose": "batch"})
    data.add_field("file", io.BytesIO(b"\x00\x01binary"), filename="a.bin", content_type="application/octet-stream")
    return data


BODIES: dict[str, tuple[Callable[[], dict[str, Any]], bytes | None]] = {
    "bytes": (lambda: {"data": b"\x00\xff"}, b"\x00\xff"),
    "bytearray": (lambda: {"data": bytearray(b"ab")}, b"ab"),
    "memoryview": (lambda: {"data": memoryview(b"abc")}, b"abc"),
    "text": (lambda: {"data": "caf\u00e9"}, "caf\u00e9".encode()),
    "json": (lambda: {"json": {"a": [1, "\u00e9"]}}, b'{"a": [1, "\\u00e9"]}'),
    "fields": (lambda: {"data": {"a": "1", "b": "x y"}}, b"a=1&b=x+y"),
    "pairs": (lambda: {"data": [("a", "1"), ("a", "2")]}, b"a=1&a=2"),
    "file": (lambda: {"data": io.BytesIO(b"from a file")}, b"from a file"),
    "text file": (lambda: {"data": io.StringIO("from text")}, b"from text"),
    "pipe": (lambda: {"data": io.BufferedReader(Pipe())}, b"from a pipe"),
    "generator": (lambda: {"data": pieces()}, b"one two"),
    "form": (lambda: {"data": form()}, None),
    "compressed": (lambda: {"data": b"x" * 100, "compress": "gzip"}, b"x" * 100),
    "expecting 100": (lambda: {"data": b"wait", "expect100": True}, b"wait"),
    "none": (dict, b""),
}


@pytest.mark.parametrize("kind", BODIES)
def test_every_kind_of_body_is_sent_and_recorded(kind: str) -> None:
    """What reaches the server is what was recorded, and the same request finds it."""
    make, expected = BODIES[kind]

    async def work(client: aiohttp.ClientSession, url: str) -> tuple[int, int]:
        async with client.post(f"{url}/echo", **make()) as response:
            return response.status, len(await response.read())

    live, again, site, exchanges = both(work)
    assert again == live
    body = exchanges[0].request.body
    assert site.received[0][3] == body
    assert body == expected or (expected is None and b"\x00\x01binary" in body and b'filename="a.bin"' in body)


def test_redirects_carry_their_cookies() -> None:
    """Each hop is an exchange; a cookie is stored live, and no cookie reaches the recording."""

    async def work(client: aiohttp.ClientSession, url: str) -> tuple[int, int, str]:
        async with client.post(f"{url}/login", data=b"me") as response:
            return response.status, len(response.history), response.url.path

    live, again, site, exchanges = both(work)
    assert live == again == (200, 1, "/home")
    assert [each.request.method for each in exchanges] == ["POST", "GET"]
    assert site.received[1][2].get("Cookie") == "visit=first"
    assert exchanges[1].response.body == b'{"cookies": {"visit": "first"}}'
    assert "cookie" not in {name for each in exchanges for name, _ in each.request.headers + each.response.headers}


def test_a_redirect_that_keeps_the_body_sends_it_again() -> None:
    """307 posts a body that could be read once to the new place, live and replayed."""

    async def work(client: aiohttp.ClientSession, url: str) -> bytes:
        async with client.post(f"{url}/keep", data=io.BytesIO(b"again")) as response:
            return await response.read()

    live, again, _, exchanges = both(work)
    assert live == again == b"again"
    assert [each.request.body for each in exchanges] == [b"again", b"again"]


@pytest.mark.parametrize("place", ["request", "session", "call", "function"])
def test_an_error_status_is_raised_as_live(place: str) -> None:
    """raise_for_status in each of its forms gives the same error; the exchange is recorded with its body."""

    async def check(response: aiohttp.ClientResponse) -> None:
        if response.status == 404:
            raise LookupError(await response.text())

    async def work(client: aiohttp.ClientSession, url: str) -> tuple[str, str]:
        options: dict[str, Any] = {"request": {"raise_for_status": True}, "function": {"raise_for_status": check}}
        client._raise_for_status = place == "session"
        try:
            async with client.get(f"{url}/missing", **options.get(place, {})) as response:
                if place == "call":
                    response.raise_for_status()
        except (aiohttp.ClientResponseError, LookupError) as error:
            return type(error).__name__, str(error).replace(url, "")
        return "", ""

    live, again, _, exchanges = both(work)
    assert live[0] == ("LookupError" if place == "function" else "ClientResponseError")
    assert again == live
    assert exchanges[0].response.body == b"no such thing"


@pytest.mark.parametrize("path", ["/close", "/nothing"])
def test_a_body_without_a_length_or_none_at_all(path: str) -> None:
    """A body that ends with its connection, and no body, come back as such."""

    async def work(client: aiohttp.ClientSession, url: str) -> tuple[int, bytes, bytes]:
        async with client.get(f"{url}{path}", read_until_eof=True) as response:
            return response.status, await response.read(), await response.content.read()

    live, again, _, _ = both(work)
    assert again == live


READING: dict[str, Callable[[aiohttp.ClientResponse], Awaitable[Any]]] = {
    "read": lambda response: response.read(),
    "text": lambda response: response.text(),
    "lines": lambda response: collect(response.content),
    "sized": lambda response: collect(response.content.iter_chunked(3)),
    "any": lambda response: collect(response.content.iter_any()),
    "exactly": lambda response: response.content.readexactly(4),
    "until": lambda response: response.content.readuntil(b"b"),
    "not at all": lambda response: asyncio.sleep(0),
}


async def collect(source: Any) -> list[bytes]:
    """Everything that an iterator gives."""
    return [piece async for piece in source]


@pytest.mark.parametrize("way", READING)
def test_every_way_of_reading_gives_the_same(way: str) -> None:
    """Whole, by line, by size, as it comes, to a mark, or not at all."""

    async def work(client: aiohttp.ClientSession, url: str) -> tuple[Any, Any, bool]:
        async with client.post(f"{url}/echo", data=b"a\nb\nc d e") as response:
            found = await READING[way](response)
        return found, response.headers["x-request-id"], response.closed

    live, again, _, _ = both(work)
    assert again == live


def test_middleware_and_many_at_once_meet_the_recording() -> None:
    """Middleware stands above the recording; ten requests over a pool of two all come back."""

    async def mark(request: Any, handler: Any) -> Any:
        request.headers["x-marked"] = "yes"
        return await handler(request)

    async def work(client: aiohttp.ClientSession, url: str) -> list[bytes]:
        async def ask(number: int) -> bytes:
            async with own.post(f"{url}/echo", data=str(number).encode()) as response:
                return await response.read()

        connector = aiohttp.TCPConnector(limit=2)
        async with aiohttp.ClientSession(connector=connector, middlewares=(mark,)) as own:
            return await asyncio.gather(*map(ask, range(10)))

    live, again, site, _ = both(work)
    assert live == again == [str(number).encode() for number in range(10)]
    assert {headers.get("x-marked") for _, _, headers, _ in site.received} == {"yes"}


def test_a_time_limit_for_the_whole_request_is_a_stall(server: Any) -> None:
    """A total timeout before the head, or in the body, is recorded as a timeout and raised again."""
    limit = aiohttp.ClientTimeout(total=0.2)

    def work(path: str) -> Callable[[], tuple[str, bytes]]:
        async def ask() -> tuple[str, bytes]:
            seen = b""
            try:
                async with (
                    aiohttp.ClientSession(timeout=limit) as client,
                    client.get(f"{server.url}{path}") as response,
                ):
                    async for piece in response.content.iter_any():
                        seen += piece
            except TimeoutError:
                return "timeout", seen
            return "none", seen

        return lambda: asyncio.run(ask())

    for path in ("/slow", "/stall"):
        live, played = record(work(path))
        assert live[0] == "timeout"
        assert [str(each.exchange.response.ending) for each in played] == ["stalled"]
        assert replay(played, work(path))[0] == live


def test_an_aiohttp_that_cannot_give_its_body_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, server: Any) -> None:
    """Before 3.12 a body could not be read twice: nothing is sent, and the trial fails with what to do."""
    for kind in (Payload, BytesPayload):
        monkeypatch.delattr(kind, "as_bytes")

    async def ask() -> None:
        async with aiohttp.ClientSession() as client, client.post(f"{server.url}/v1/one", data=b"{}"):
            pass

    session = RecordSession(clock=SystemClock(), journal=None)
    with intercepted(), routed(session), pytest.raises(CassetteMissError, match=r"aiohttp before 3\.12"):
        asyncio.run(ask())
    assert session.mismatch is not None
    assert server.count == 0


def test_a_head_that_is_no_text(tmp_path: Path) -> None:
    """A status and a header with a byte that is no UTF-8 are kept, and say nothing of a secret."""

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 Tr\xe8s bien\r\nlocation: /caf\xe9\r\ncontent-length: 2\r\n\r\nok")

    async def ask(url: str) -> tuple[int, bytes]:
        async with aiohttp.ClientSession() as client, client.get(url) as response:
            return response.status, await response.read()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        session = RecordSession(clock=SystemClock(), journal=None)
        with intercepted(), routed(session):
            assert asyncio.run(ask(url)) == (200, b"ok")
        thread.join()
    exchanges = tuple(each.exchange for each in session.played)
    save_cassette(tmp_path / "1.yaml", Cassette(exchanges=exchanges))
    loaded = load_cassette(tmp_path / "1.yaml")
    assert loaded.exchanges[0].response.reason == "Très bien"
    assert dict(loaded.exchanges[0].response.headers)["location"] == "/café"
    with intercepted(), routed(ReplaySession(loaded, clock=RecordedClock())):
        assert asyncio.run(ask(url)) == (200, b"ok")
