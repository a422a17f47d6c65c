"""HTTP proxies work while recording; in a replay not even the proxy is asked, also where only part is replayed."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from contextvars import Context
from http.server import ThreadingHTTPServer
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3

from harness.cassettes import Played, RecordSession, ReplaySession, intercepted, routed, routing, telemetry
from harness.records.exchange import Cassette, HttpRequest
from harness.seams import RecordedClock, SystemClock
from tests.cassettes.conftest import Handler, Server

trustme = pytest.importorskip("trustme")


class Tunnel:
    """A proxy that knows CONNECT alone, and a server with TLS behind it."""

    def __init__(self, proxy: str, server: Server, certificates: str) -> None:
        self.proxy = proxy
        self.server = server
        self.certificates = certificates
        self.asked: list[str] = []

    @property
    def context(self) -> ssl.SSLContext:
        """What trusts the server."""
        return ssl.create_default_context(cafile=self.certificates)


def pump(source: socket.socket, target: socket.socket) -> None:
    """Hand on until either side is closed."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def hang_up(connection: socket.socket) -> None:
    """Wake whoever reads from it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def serve_proxy(listener: socket.socket, asked: list[str]) -> None:
    """Answer CONNECT, until the listener is closed."""
    with ExitStack() as opened:
        accept(listener, asked, opened)


def accept(listener: socket.socket, asked: list[str], opened: ExitStack) -> None:
    """One connection after another, each with two pumps."""
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        opened.enter_context(near)
        head = b""
        while b"\r\n\r\n" not in head:
            head += near.recv(1)
        asked.append(head.decode().split("\r\n")[0].rpartition(" ")[0])
        host, _, port = asked[-1].removeprefix("CONNECT ").partition(":")
        far = opened.enter_context(socket.create_connection((host, int(port))))
        near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for pair in ((near, far), (far, near)):
            thread = threading.Thread(target=pump, args=pair)
            thread.start()
            opened.callback(thread.join)
            opened.callback(hang_up, pair[0])


@pytest.fixture
def tunnel(tmp_path: Any) -> Iterator[Tunnel]:
    """Both, running."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    handler = type("Noting", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    handler.noted = Server(f"https://127.0.0.1:{server.server_port}")
    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tunnel = Tunnel(f"http://127.0.0.1:{listener.getsockname()[1]}", handler.noted, str(tmp_path / "ca.pem"))
        threads.append(threading.Thread(target=serve_proxy, args=(listener, tunnel.asked)))
        for thread in threads:
            thread.start()
        yield tunnel
        listener.shutdown(socket.SHUT_RDWR)
    server.shutdown()
    server.server_close()
    for thread in threads:
        thread.join()


def by_requests(tunnel: Tunnel, path: str) -> bytes:
    """Ask through requests."""
    with requests.Session() as session:
        session.trust_env = False
        proxies = {"https": tunnel.proxy}
        return session.get(tunnel.server.url + path, proxies=proxies, verify=tunnel.certificates, timeout=5).content


def by_urllib3(tunnel: Tunnel, path: str) -> bytes:
    """Ask through urllib3."""
    with urllib3.ProxyManager(tunnel.proxy, ca_certs=tunnel.certificates) as pool:
        return pool.request("GET", tunnel.server.url + path, retries=False, timeout=5).data


def by_httpx(module: Any) -> Callable[[Tunnel, str], bytes]:
    """Ask through httpx or httpx2."""

    def ask(tunnel: Tunnel, path: str) -> bytes:
        with module.Client(proxy=tunnel.proxy, verify=tunnel.context, trust_env=False) as client:
            content: bytes = client.get(tunnel.server.url + path).content
            return content

    return ask


def by_async_httpx2(tunnel: Tunnel, path: str) -> bytes:
    """Ask through httpx2, async."""

    async def ask() -> bytes:
        async with httpx2.AsyncClient(proxy=tunnel.proxy, verify=tunnel.context, trust_env=False) as client:
            return (await client.get(tunnel.server.url + path)).content

    return asyncio.run(ask())


def by_aiohttp(tunnel: Tunnel, path: str) -> bytes:
    """Ask through aiohttp."""

    async def ask() -> bytes:
        async with (
            aiohttp.ClientSession() as client,
            client.get(tunnel.server.url + path, proxy=tunnel.proxy, ssl=tunnel.context) as response,
        ):
            return await response.read()

    return asyncio.run(ask())


CLIENTS: dict[str, Callable[[Tunnel, str], bytes]] = {
    "requests": by_requests,
    "urllib3": by_urllib3,
    "httpx": by_httpx(httpx),
    "httpx2": by_httpx(httpx2),
    "httpx2-async": by_async_httpx2,
    "aiohttp": by_aiohttp,
}


def record(work: Callable[[], bytes]) -> tuple[bytes, list[Played]]:
    """Do the work for real."""
    session = RecordSession(clock=SystemClock(), journal=None)
    with intercepted(), routed(session):
        return work(), session.played


class PartlyReplayed(RecordSession):
    """Answers what it has, and lets the rest through, as where a recording is extended."""

    def __init__(self, played: list[Played]) -> None:
        super().__init__(clock=SystemClock(), journal=None)
        cassette = Cassette(exchanges=tuple(each.exchange for each in played))
        self.old = ReplaySession(cassette, clock=RecordedClock())

    def meet(self, request: HttpRequest) -> Any:
        """What was recorded, or the network."""
        known = {each.request.uri for each in self.old.unplayed}
        return self.old.meet(request) if request.uri in known else super().meet(request)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_proxy_is_used_while_recording_and_never_in_a_replay(name: str, tunnel: Tunnel) -> None:
    """One tunnel, one exchange; the replay needs neither; what is new opens its tunnel when it goes out."""
    live, played = record(lambda: CLIENTS[name](tunnel, "/v1/one"))
    assert len(tunnel.asked) == tunnel.server.count == len(played) == 1
    assert tunnel.asked[0] == f"CONNECT {tunnel.server.url.removeprefix('https://')}"
    assert played[0].exchange.request.uri == f"{tunnel.server.url}/v1/one"
    session = PartlyReplayed(played)
    with intercepted(), routed(session):
        assert CLIENTS[name](tunnel, "/v1/one") == live
        assert len(tunnel.asked) == tunnel.server.count == 1
        assert CLIENTS[name](tunnel, "/v1/two") != live
    assert len(tunnel.asked) == tunnel.server.count == 2
    assert [each.exchange.request.uri for each in session.played] == [f"{tunnel.server.url}/v1/two"]


def test_a_proxy_that_nobody_is_at_is_a_connection_error_again() -> None:
    """The same exception, live and replayed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    raised = []

    def work() -> bytes:
        with pytest.raises(requests.RequestException) as caught:
            requests.get("https://x.invalid/", proxies={"https": nobody}, timeout=5)
        raised.append(caught.type)
        return b""

    _, played = record(work)
    cassette = Cassette(exchanges=tuple(each.exchange for each in played))
    with intercepted(), routed(ReplaySession(cassette, clock=RecordedClock())):
        work()
    assert raised[0] is raised[1] is requests.exceptions.ProxyError


@pytest.mark.parametrize("in_trial", [True, False], ids=["of the agent", "of a thread of its own"])
@pytest.mark.parametrize("name", CLIENTS)
def test_telemetry_by_a_proxy(name: str, in_trial: bool, tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy too telemetry goes out while recording and is not kept, and a replay does not ask the proxy."""
    host = tunnel.server.url.removeprefix("https://")
    monkeypatch.setattr(routing, "_REPLAYED", threading.Event())
    monkeypatch.setattr(telemetry, "_BY_HOST", {host: telemetry.Service("Ours", (), (host,), ("/v1/one",))})

    def report() -> bytes:
        if in_trial:
            return CLIENTS[name](tunnel, "/v1/one")
        with ThreadPoolExecutor() as pool:
            return Context().run(pool.submit, CLIENTS[name], tunnel, "/v1/one").result()

    live, played = record(report)
    assert (len(tunnel.asked), tunnel.server.count, played) == (1, 1, [])
    session = ReplaySession(Cassette(exchanges=()), clock=RecordedClock())
    with intercepted(), routed(session):
        assert report() == b"{}" != live
    assert (len(tunnel.asked), session.mismatch) == (1, None)
