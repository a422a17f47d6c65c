"""Headers that a client acts on come back, each in its own line, and what is secret in them does not reach a file."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import anthropic
import httpx
import httpx2
import openai
import pytest
import requests
import urllib3

from harness.cassettes import (
    ExtendSession,
    RecordSession,
    ReplaySession,
    intercepted,
    load_cassette,
    routed,
    save_cassette,
)
from harness.errors import CassetteMissError
from harness.records.exchange import Cassette, Exchange, HttpRequest, HttpResponse
from harness.seams import ExtendedClock, RecordedClock, SystemClock
from harness.virtual import NANOSECONDS
from tests.cassettes.test_limits import replay

SESSION = "Zq83kLm20PxvT7cR5yWn"
"""What the server gives as a session; long and random, as such are."""

SENT = (
    ("accept-ranges", "bytes"),
    ("anthropic-ratelimit-tokens-remaining", "39000"),
    ("apim-request-id", "5f0c6f2e-7f1b-4c1b-9d0b-2f4f6f8a9b0c"),
    ("azure-asyncoperation", "/jobs/1?api-version=2024-02-01"),
    ("cache-control", "max-age=60"),
    ("content-disposition", 'attachment; filename="a1b2c3d4e5f60718293a.bin"'),
    ("content-range", "bytes 0-1/2"),
    ("etag", '"33a64df551425fcc55e4d42a148795d9f25f89d4"'),
    ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
    ("link", '</items?page=2>; rel="next"'),
    ("link", '</items?page=9>; rel="last"'),
    ("openai-poll-after-ms", "100"),
    ("operation-location", "/jobs/1"),
    ("ratelimit-reset", "30"),
    ("retry-after", "7"),
    ("retry-after-ms", "7000"),
    ("www-authenticate", 'Digest realm="r", nonce="9f86d081884c7d659a2feaa0c55ad015", qop="auth", algorithm=MD5'),
    ("www-authenticate", 'Basic realm="r"'),
    ("x-amzn-requestid", "7a62c49f-347e-4fc4-9331-6e8e7a62c49f"),
    ("x-ms-region", "Sweden Central"),
    ("x-ratelimit-reset-requests", "17ms"),
    ("x-should-retry", "false"),
    ("x-team-quota", "12"),
)
"""Headers of providers, of the standard, and of nobody we know."""
DROPPED = (
    ("alt-svc", 'h3=":443"; ma=86400'),
    ("cf-ray", "8c1f2a3b4c5d6e7f8a9b-AMS"),
    ("strict-transport-security", "max-age=31536000"),
    ("via", "1.1 proxy"),
    ("x-envoy-upstream-service-time", "12"),
)
COOKIES = (f"sid={SESSION}; Path=/; HttpOnly", "theme=dark; Path=/; Expires=Fri, 01 Jan 2027 00:00:00 GMT")


class Site(BaseHTTPRequestHandler):
    """Answers by path."""

    protocol_version = "HTTP/1.1"
    asked: list[str]

    def log_message(self, template: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        self.asked.append(self.path)
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/headers":
            return self.answer({}, *SENT, *DROPPED)
        if path == "/login":
            return self.answer({"csrf": SESSION}, *(("set-cookie", cookie) for cookie in COOKIES))
        if path == "/me":
            return self.answer({"cookies": self.headers.get("cookie"), "asked": body, "query": query})
        if path == "/items":
            page = int(query["page"][0])
            return self.answer([page], *([("link", f'</items?page={page + 1}>; rel="next"')] if page < 3 else []))
        if path == "/analyze":
            return self.answer({}, ("operation-location", f"http://{self.headers['host']}/jobs/1?token={SESSION}"))
        if path == "/moved":
            return self.answer({}, ("location", "/items?page=3"), status=302)
        if path == "/auth" and "authorization" not in self.headers:
            return self.answer({}, *(pair for pair in SENT if pair[0] == "www-authenticate"), status=401)
        return self.answer({"path": path})

    do_POST = do_HEAD = do_GET  # noqa: N815 - what http.server looks for

    def answer(self, data: Any, *headers: tuple[str, str], status: int = 200) -> None:
        """A whole response."""
        body = json.dumps(data).encode()
        self.send_response(status)
        for name, value in (("content-type", "application/json"), ("content-length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The site's address."""
    listener = ThreadingHTTPServer(("127.0.0.1", 0), type("Noting", (Site,), {"asked": []}))
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{listener.server_port}"
    listener.shutdown()
    listener.server_close()
    thread.join()


def both(work: Callable[[], Any], folder: Path) -> tuple[Any, Any, tuple[Exchange, ...]]:
    """What the work gives live, what it gives from the file that was recorded, and what stands there."""
    recording = RecordSession(clock=SystemClock(), journal=None)
    with intercepted(), routed(recording):
        live = work()
    save_cassette(folder / "c.yaml", Cassette(exchanges=tuple(each.exchange for each in recording.played)))
    exchanges = load_cassette(folder / "c.yaml").exchanges
    replaying = ReplaySession(Cassette(exchanges=exchanges), clock=RecordedClock())
    with intercepted(), routed(replaying):
        again = work()
    assert replaying.unplayed == ()
    return live, again, exchanges


class Agent:
    """A session of one client, in one form for all of them: what is asked last, and what comes back."""

    def __init__(self, ask: Callable[[str, str, bytes], tuple[list[tuple[str, str]], bytes]]) -> None:
        self.ask = ask

    def get(self, url: str) -> tuple[list[tuple[str, str]], Any]:
        """Headers and JSON."""
        headers, body = self.ask("GET", url, b"")
        return headers, json.loads(body or b"null")

    def post(self, url: str, body: bytes) -> Any:
        """The answer's JSON."""
        return json.loads(self.ask("POST", url, body)[1])


def with_httpx(module: Any, work: Callable[[Agent], Any]) -> Any:
    """By a sync client."""
    with module.Client(trust_env=False) as client:

        def ask(method: str, url: str, body: bytes) -> tuple[list[tuple[str, str]], bytes]:
            response = client.request(method, url, content=body)
            return response.headers.multi_items(), response.content

        return work(Agent(ask))


def with_async_httpx(module: Any, work: Callable[[Agent], Any]) -> Any:
    """By an async client."""
    with asyncio.Runner() as runner:
        client = module.AsyncClient(trust_env=False)

        def ask(method: str, url: str, body: bytes) -> tuple[list[tuple[str, str]], bytes]:
            response = runner.run(client.request(method, url, content=body))
            return response.headers.multi_items(), response.content

        try:
            return work(Agent(ask))
        finally:
            runner.run(client.aclose())


def with_requests(work: Callable[[Agent], Any]) -> Any:
    """By a session."""
    with requests.Session() as session:
        session.trust_env = False

        def ask(method: str, url: str, body: bytes) -> tuple[list[tuple[str, str]], bytes]:
            response = session.request(method, url, data=body)
            return list(response.raw.headers.items()), response.content

        return work(Agent(ask))


def with_aiohttp(work: Callable[[Agent], Any]) -> Any:
    """By a session."""
    with asyncio.Runner() as runner:

        async def begin() -> aiohttp.ClientSession:
            return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

        async def converse(method: str, url: str, body: bytes) -> tuple[list[tuple[str, str]], bytes]:
            async with session.request(method, url, data=body) as response:
                return list(response.headers.items()), await response.read()

        session = runner.run(begin())
        try:
            return work(Agent(lambda *asked: runner.run(converse(*asked))))
        finally:
            runner.run(session.close())


def with_urllib3(work: Callable[[Agent], Any]) -> Any:
    """By a pool, which keeps no cookies."""
    with urllib3.PoolManager() as pool:

        def ask(method: str, url: str, body: bytes) -> tuple[list[tuple[str, str]], bytes]:
            response = pool.request(method, url, body=body, retries=False)
            return list(response.headers.items()), response.data

        return work(Agent(ask))


CLIENTS: dict[str, Callable[[Callable[[Agent], Any]], Any]] = {
    "httpx2": partial(with_httpx, httpx2),
    "httpx2-async": partial(with_async_httpx, httpx2),
    "httpx": partial(with_httpx, httpx),
    "httpx-async": partial(with_async_httpx, httpx),
    "requests": with_requests,
    "aiohttp": with_aiohttp,
}
ALL = {**CLIENTS, "urllib3": with_urllib3}


@pytest.mark.parametrize("name", ALL)
def test_headers_come_back_line_by_line(name: str, site: str, tmp_path: Path) -> None:
    """Each value that was sent in a line of its own is one in the replay; what no client acts on is left out."""

    def work() -> list[tuple[str, str]]:
        headers = ALL[name](lambda agent: agent.get(f"{site}/headers")[0])
        return [(name.lower(), value) for name, value in headers]

    live, again, _ = both(work, tmp_path)
    assert set(SENT + DROPPED) <= set(live)
    assert sorted(again) == sorted(pair for pair in live if pair not in DROPPED and pair[0] != "server")


@pytest.mark.parametrize("name", CLIENTS)
def test_a_session_by_cookie_replays(name: str, site: str, tmp_path: Path) -> None:
    """The client takes the cookies of a replay and sends them back, also in a body, an address and a form.

    Neither the cookie nor what else holds its value reaches the file.
    """

    def work() -> Any:
        def converse(agent: Agent) -> Any:
            token = agent.get(f"{site}/login")[1]["csrf"]
            said = [agent.post(f"{site}/me", json.dumps({"csrf": token}).encode())]
            said.append(agent.get(f"{site}/me?{urlencode({'csrf': token})}")[1])
            said.append(agent.post(f"{site}/me", urlencode({"csrf": token}).encode()))
            return said

        return CLIENTS[name](converse)

    live, again, exchanges = both(work, tmp_path)
    assert live[0]["cookies"] in (f"sid={SESSION}; theme=dark", f"theme=dark; sid={SESSION}")
    masked = f"*masked*{'*' * (len(SESSION) - 8)}"
    assert again == json.loads(json.dumps(live).replace(SESSION, masked))
    kept = [value for header, value in exchanges[0].response.headers if header == "set-cookie"]
    assert kept == [COOKIES[0].replace(SESSION, masked), COOKIES[1].replace("dark", "*masked*")]
    assert SESSION not in (tmp_path / "c.yaml").read_text()


def test_cookie_jars_are_filled_as_in_life(site: str, tmp_path: Path) -> None:
    """Each client's jar holds the same names, paths and ends of life, and each answer tells its own cookies."""

    def of_jar(jar: Any) -> list[Any]:
        return sorted((each.name, each.path, each.expires or 0, each.has_nonstandard_attr("HttpOnly")) for each in jar)

    def of_morsels(morsels: Any) -> list[Any]:
        return sorted((each.key, each["path"], each["expires"]) for each in morsels)

    async def by_aiohttp() -> list[Any]:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session, session.get(f"{site}/login") as response:
            await response.read()
            return [of_morsels(response.cookies.values()), of_morsels(jar)]

    def work() -> list[Any]:
        with requests.Session() as session, httpx2.Client(trust_env=False) as client:
            session.trust_env = False
            one, other = session.get(f"{site}/login"), client.get(f"{site}/login")
            jars = (session.cookies, one.cookies, client.cookies.jar, other.cookies.jar)
            return [*map(of_jar, jars), *asyncio.run(by_aiohttp())]

    live, again, _ = both(work, tmp_path)
    assert again == live
    assert all(live)


@pytest.mark.parametrize("name", ALL)
def test_addresses_in_headers_lead_on(name: str, site: str, tmp_path: Path) -> None:
    """The next page, a job's address with a key in it, and a redirect are followed in a replay, to the same answers."""

    def work() -> Any:
        def converse(agent: Agent) -> Any:
            seen, url = [], f"{site}/items?page=1"
            while url:
                headers, page = agent.get(url)
                seen.append(page)
                found = [value for name, value in headers if name.lower() == "link"]
                url = f"{site}{found[0][1:].partition('>')[0]}" if found else ""
            (job,) = (value for name, value in agent.get(f"{site}/analyze")[0] if name.lower() == "operation-location")
            return [*seen, agent.get(job)[1]]

        return ALL[name](converse)

    live, again, _ = both(work, tmp_path)
    assert again == live == [[1], [2], [3], {"path": "/jobs/1"}]
    assert SESSION not in (tmp_path / "c.yaml").read_text()


def test_a_challenge_is_answered(site: str, tmp_path: Path) -> None:
    """Digest authentication of httpx, httpx2, requests and aiohttp asks twice, live and replayed."""

    async def by_aiohttp() -> int:
        digest = aiohttp.DigestAuthMiddleware("u", "password-not-kept")
        async with aiohttp.ClientSession(middlewares=(digest,)) as session, session.get(f"{site}/auth") as response:
            return response.status

    def work() -> list[int]:
        return [
            httpx2.get(f"{site}/auth", auth=httpx2.DigestAuth("u", "password-not-kept")).status_code,
            httpx.get(f"{site}/auth", auth=httpx.DigestAuth("u", "password-not-kept")).status_code,
            requests.get(f"{site}/auth", auth=requests.auth.HTTPDigestAuth("u", "password-not-kept")).status_code,
            asyncio.run(by_aiohttp()),
        ]

    live, again, exchanges = both(work, tmp_path)
    assert again == live == [200] * 4
    assert [each.response.status for each in exchanges] == [401, 200] * 4


@pytest.mark.parametrize("name", ALL)
def test_a_length_is_that_of_the_body(name: str, site: str, tmp_path: Path) -> None:
    """Also for HEAD, where there is no body."""

    def lengths(agent: Agent) -> list[str]:
        answers = [agent.ask(*asked, b"")[0] for asked in (("GET", f"{site}/me"), ("HEAD", f"{site}/me"))]
        return [value for headers in answers for name, value in headers if name.lower() == "content-length"]

    live, again, _ = both(lambda: ALL[name](lengths), tmp_path)
    assert again == live
    assert len(live) == 2


def test_extensions_and_the_raw_response_answer(site: str, tmp_path: Path) -> None:
    """What else a client may ask of a response is there in a replay, as it was recorded or as the plain truth."""

    def by_httpx(module: Any) -> list[Any]:
        with module.Client(trust_env=False) as client, client.stream("GET", f"{site}/me") as response:
            said = response.extensions["network_stream"].get_extra_info
            found = [said(name) for name in ("server_addr", "ssl_object", "unknown")]
            return [response.http_version, response.reason_phrase, *found, len(said("client_addr"))]

    def by_requests() -> list[Any]:
        answer: Any = requests.get(f"{site}/moved")
        raw, original = answer.raw, answer.raw._original_response
        return [
            ([each.status_code for each in answer.history], answer.url, answer.reason),
            (raw.version, raw.version_string, raw.reason, raw.geturl(), raw.url),
            (original.status, original.version, original.reason, original.msg.get_all("content-type")),
        ]

    async def by_aiohttp() -> list[Any]:
        async with aiohttp.ClientSession() as session, session.get(f"{site}/moved") as response:
            raw = {name.lower(): value for name, value in response.raw_headers}
            return [
                (response.version, response.reason, str(response.url), response.method, response.content_type),
                ([each.status for each in response.history], str(response.request_info.url), raw[b"content-type"]),
            ]

    live, again, _ = both(
        lambda: [by_httpx(httpx2), by_httpx(httpx), by_requests(), asyncio.run(by_aiohttp())], tmp_path
    )
    assert again == live


def test_a_secure_connection_that_was_never_opened_says_so() -> None:
    """Who asks a replayed response for its TLS object gets one that has exchanged nothing."""
    exchange = Exchange(request=HttpRequest(method="GET", uri="https://x.example/"), response=HttpResponse(status=200))
    with intercepted(), routed(ReplaySession(Cassette(exchanges=(exchange,)), clock=RecordedClock())):
        stream = httpx2.get("https://x.example/").extensions["network_stream"]
    assert stream.get_extra_info("server_addr") == ("x.example", 443)
    assert stream.get_extra_info("ssl_object").version() is None


def test_a_session_by_cookie_is_not_extended(site: str) -> None:
    """The server gave the cookie to somebody else, and the recording holds its mask: nothing goes out with it."""
    login = HttpRequest(method="GET", uri=f"{site}/login")
    response = HttpResponse(status=200, headers=(("set-cookie", "sid=*masked*; Path=/"),), body=b"{}")
    recorded = Cassette(exchanges=(Exchange(request=login, response=response),))
    session = ExtendSession(recorded, clock=ExtendedClock(), journal=None)
    with intercepted(), routed(session), httpx2.Client(trust_env=False) as client:
        client.get(login.uri)
        with pytest.raises(CassetteMissError, match="holds a mask for cookie"):
            client.get(f"{site}/me")


DAY = 1_790_000_000
"""When the trial was recorded, in seconds since 1970."""


def by_openai(url: str) -> None:
    """Ask by the SDK, which retries once."""
    with openai.OpenAI(api_key="k", base_url=url, max_retries=1) as client:
        client.models.list()


def by_anthropic(url: str) -> None:
    """The same by an async SDK."""

    async def ask() -> None:
        async with anthropic.AsyncAnthropic(api_key="k", base_url=url, max_retries=1) as client:
            await client.models.list()

    asyncio.run(ask())


def by_urllib3(url: str) -> None:
    """The same by the client that requests and botocore are built on."""
    with urllib3.PoolManager(retries=urllib3.Retry(status=1, status_forcelist=[429])) as pool:
        pool.request("GET", url)


VERSION = anthropic.Anthropic(api_key="k").default_headers["anthropic-version"]
WAITS = {
    "seconds": ("retry-after", "7"),
    "date": ("retry-after", formatdate(DAY + 7, usegmt=True)),
    "milliseconds": ("retry-after-ms", "7000"),
}
ASKERS = {by_openai: "/models", by_anthropic: "/v1/models", by_urllib3: "/"}


@pytest.mark.parametrize(
    ("ask", "form"),
    [(ask, form) for ask in ASKERS for form in WAITS if (ask, form) != (by_urllib3, "milliseconds")],  # unknown to it
)
def test_what_is_to_be_waited_is_waited(ask: Callable[[str], None], form: str) -> None:
    """For seconds, milliseconds or until a date: the trial's calendar begins where it was recorded."""
    told = () if ask is by_urllib3 else (("accept", "application/json"),)
    if ask is by_anthropic:
        told = (*told, ("anthropic-version", VERSION))
    request = HttpRequest(method="GET", uri=f"http://127.0.0.1:9{ASKERS[ask]}", headers=told)
    kind = ("content-type", "application/json")
    limited = HttpResponse(status=429, headers=(kind, WAITS[form]), body=b"{}")
    listed = HttpResponse(status=200, headers=(kind,), body=b'{"object": "list", "data": []}')
    exchanges = tuple(Exchange(request=request, response=response) for response in (limited, listed))
    assert replay(exchanges, lambda: ask("http://127.0.0.1:9"), day=DAY)[1] == 7 * NANOSECONDS
