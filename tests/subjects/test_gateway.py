"""The gateway of programs under test: what passes it, what does not, and that a replay of it is the same bytes."""

from __future__ import annotations

import gzip
import inspect
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import h11
import httpx2
import pytest

from harness.cassettes import RecordSession, ReplaySession, Session, intercepted, routed
from harness.records.exchange import Cassette, Ending
from harness.seams import RecordedClock, SystemClock
from harness.subjects.gateway import Gateway, _to_provider
from tests.cassettes.scripted_wire import NUMBER, End, Framing, Wire, WireServer, running_wire

EVENTS = (b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n")
STREAM = (("content-type", "text/event-stream"),)
BROKEN = "the body broke off"

WIRES = {
    "whole": Wire((b'{"a":1}',)),
    "chunked": Wire(EVENTS, headers=STREAM, framing=Framing.CHUNKED),
    "until closed": Wire(EVENTS, headers=STREAM, framing=Framing.CLOSE),
    "refused": Wire((b'{"error":{}}',), status=429, reason="Slow", headers=(("retry-after", "1"),)),
    "empty": Wire((), status=204, reason="No Content", headers=()),
    "coded": Wire((gzip.compress(b'{"a":1}'),), headers=(("content-type", "a/b"), ("content-encoding", "gzip"))),
    "cut": Wire(EVENTS, headers=STREAM, framing=Framing.CHUNKED, sent=2, end=End.CLOSE),
    "cut short": Wire((b'{"a":1}', b"..."), sent=1, end=End.CLOSE),
    "reset": Wire(EVENTS, headers=STREAM, framing=Framing.CHUNKED, sent=1, end=End.RESET),
    "no answer": Wire((b"{}",), sent=-1, end=End.CLOSE),
}


class Program:
    """The other side: a connection to the gateway on which requests are sent."""

    def __init__(self, gateway: Gateway) -> None:
        host, _, port = gateway.address.partition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.protocol = h11.Connection(h11.CLIENT)

    def __enter__(self) -> Program:
        """Speak."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave."""
        self.socket.close()

    def ask(
        self, target: str, number: int = 0, method: str = "POST", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request; its status, headers and body, which ends in a word of ours where it broke off."""
        self.send(target, number, method, **headers)
        return self.receive()

    def send(self, target: str, number: int = 0, method: str = "POST", **headers: str) -> None:
        """Send one request."""
        if self.protocol.our_state is h11.DONE:
            self.protocol.start_next_cycle()
        body = b"{}" if method == "POST" else b""
        given = [("host", "gateway"), (NUMBER, str(number)), ("content-length", str(len(body)))]
        given += [(name.replace("_", "-"), value) for name, value in headers.items()]
        for event in (h11.Request(method=method, target=target, headers=given), h11.Data(body), h11.EndOfMessage()):
            self.socket.sendall(self.protocol.send(event) or b"")

    def receive(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer."""
        status, headers, body = 0, {}, bytearray()
        while True:
            try:
                event = self.protocol.next_event()
                if event is h11.NEED_DATA:
                    self.protocol.receive_data(self.socket.recv(65536))
            except (h11.RemoteProtocolError, ConnectionError):
                return status, headers, bytes(body) + BROKEN.encode()
            if isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode(): value.decode() for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return status, headers, bytes(body)


@pytest.fixture(scope="module")
def wire() -> Iterator[WireServer]:
    """A provider that sends what it is told to."""
    with running_wire() as server:
        yield server


@contextmanager
def standing(session: Session) -> Iterator[Gateway]:
    """A gateway of one trial."""
    with intercepted(), routed(session):
        gateway = Gateway({})
        try:
            yield gateway
        finally:
            gateway.close()


def recording() -> RecordSession:
    """A trial that is recorded."""
    return RecordSession(clock=SystemClock(), journal=None)


def ask_all(session: Session) -> dict[str, tuple[int, bytes]]:
    """What a program gets for each of the answers, one connection each."""
    answers = {}
    with standing(session) as gateway:
        base = gateway.variables["OPENAI_BASE_URL"].removeprefix(f"http://{gateway.address}")
        for number, name in enumerate(WIRES):
            with Program(gateway) as program:
                status, _, body = program.ask(f"{base}/{number}", number, accept_encoding="gzip")
            answers[name] = status, body
    return answers


def test_a_replay_is_what_was_recorded(wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, streamed, refused, cut and reset answers reach the program, live and replayed, up to the same byte."""
    monkeypatch.setenv("OPENAI_BASE_URL", wire.serve(*WIRES.values()))
    session = recording()
    live = ask_all(session)
    assert live["whole"] == (200, b'{"a":1}')
    assert live["chunked"] == live["until closed"] == (200, b"".join(EVENTS))
    assert live["refused"] == (429, b'{"error":{}}')
    assert live["empty"] == (204, b"")
    assert gzip.decompress(live["coded"][1]) == b'{"a":1}'
    assert live["cut"] == (200, b"".join(EVENTS[:2]) + BROKEN.encode())
    assert live["cut short"] == (200, b'{"a":1}' + BROKEN.encode())
    assert live["reset"][1].endswith(BROKEN.encode())
    assert live["no answer"] == (0, BROKEN.encode())
    exchanges = tuple(each.exchange for each in session.played)
    endings = [exchange.response.ending for exchange in exchanges]
    assert endings[-4:] == [Ending.CUT, Ending.CUT, Ending.RESET, Ending.CUT]
    replayed = ask_all(ReplaySession(Cassette(exchanges=exchanges), clock=RecordedClock()))
    assert replayed == {**live, "coded": (200, b'{"a":1}')}  # which is kept decoded, without the header


def test_a_piece_passes_as_it_comes(wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first event of a stream is there while the provider has not sent the second."""
    stalled = Wire(EVENTS, headers=STREAM, framing=Framing.CHUNKED, sent=1, end=End.STALL)
    monkeypatch.setenv("OPENAI_BASE_URL", wire.serve(stalled))
    with standing(recording()) as gateway, socket.create_connection(tuple(gateway.address.split(":"))) as sock:
        base = gateway.variables["OPENAI_BASE_URL"]
        sock.sendall(
            f"GET {base.removeprefix('http://' + gateway.address)}/ HTTP/1.1\r\nhost: a\r\n{NUMBER}: 0\r\n\r\n".encode()
        )
        sock.settimeout(30)
        heard = b""
        while EVENTS[0] not in heard:
            heard += sock.recv(65536)
    assert EVENTS[1] not in heard


@pytest.fixture
def library_limits(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the limits that the HTTP library has of its own, in seconds."""
    limits = inspect.signature(httpx2.Client).parameters["timeout"].default

    def limit(seconds: float) -> None:
        for name in limits.as_dict():
            monkeypatch.setattr(limits, name, seconds)

    return limit


@pytest.mark.parametrize(
    "headers", [{}, {"x_stainless_read_timeout": "30.0"}, {"x_stainless_read_timeout": "NOT_GIVEN"}], ids=str
)
@pytest.mark.parametrize(
    "answer", [Wire((b'{"a":1}',)), Wire(EVENTS, headers=STREAM, framing=Framing.CHUNKED)], ids=["plain", "streamed"]
)
def test_a_slow_model_is_waited_for(
    wire: WireServer,
    monkeypatch: pytest.MonkeyPatch,
    library_limits: Callable[[float], None],
    answer: Wire,
    headers: dict[str, str],
) -> None:
    """An answer may be silent before it begins and within, whatever the HTTP library allows by itself."""
    library_limits(0.1)
    monkeypatch.setenv("OPENAI_BASE_URL", wire.serve(replace(answer, silence=0.3)))
    session = recording()
    with standing(session) as gateway, Program(gateway) as program:
        base = gateway.variables["OPENAI_BASE_URL"].removeprefix(f"http://{gateway.address}")
        assert program.ask(f"{base}/x", **headers)[2] == b"".join(answer.pieces)
    assert [each.exchange.response.ending for each in session.played] == [Ending.COMPLETE]


@pytest.mark.parametrize(("before_asking", "before_reading"), [(0.3, 0), (0, 0.3)])
def test_a_slow_program_is_waited_for(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, before_asking: float, before_reading: float
) -> None:
    """A program may be slow to send a request and to read the answer, whatever limit the project gives its sockets."""
    large = Wire((b"x" * 1_000_000,) * 8)
    monkeypatch.setenv("OPENAI_BASE_URL", wire.serve(large))
    default = socket.getdefaulttimeout()
    socket.setdefaulttimeout(0.1)
    try:
        with standing(recording()) as gateway, Program(gateway) as program:
            program.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # so that the answer finds no room
            time.sleep(before_asking)
            base = gateway.variables["OPENAI_BASE_URL"].removeprefix(f"http://{gateway.address}")
            program.send(f"{base}/x")
            time.sleep(before_reading)
            assert len(program.receive()[2]) == 8_000_000
    finally:
        socket.setdefaulttimeout(default)


def test_who_stops_waiting_is_recorded_so(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, library_limits: Callable[[float], None]
) -> None:
    """Where the program's SDK says how long it waits, a provider that is silent for longer has stalled; so replayed."""
    library_limits(60)
    stalled = Wire(EVENTS, headers=STREAM, framing=Framing.CHUNKED, sent=1, end=End.STALL)
    monkeypatch.setenv("OPENAI_BASE_URL", wire.serve(stalled))
    heard = []
    session: Session = recording()
    for _ in range(2):
        with standing(session) as gateway, Program(gateway) as program:
            base = gateway.variables["OPENAI_BASE_URL"].removeprefix(f"http://{gateway.address}")
            heard.append(program.ask(f"{base}/x", x_stainless_read_timeout="0.3")[2])
        exchanges = tuple(each.exchange for each in session.played)
        assert [exchange.response.ending for exchange in exchanges] == [Ending.STALLED]
        session = ReplaySession(Cassette(exchanges=exchanges), clock=RecordedClock())
    assert heard == [EVENTS[0] + BROKEN.encode()] * 2


@pytest.mark.parametrize(
    ("sent", "heard", "ending"), [(-1, b"", Ending.STALLED), (1, EVENTS[0], Ending.ABANDONED)], ids=["first", "gap"]
)
def test_a_program_that_hangs_up_ends_its_exchange(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, sent: int, heard: bytes, ending: Ending
) -> None:
    """What comes after a program's own time limit is no answer to it; replayed it breaks off where the program left."""
    monkeypatch.setenv("OPENAI_BASE_URL", wire.serve(Wire(EVENTS, headers=STREAM, sent=sent, end=End.STALL)))
    session = recording()
    with standing(session) as gateway:
        target = gateway.variables["OPENAI_BASE_URL"].removeprefix(f"http://{gateway.address}") + "/x"
        with Program(gateway) as program:
            program.send(target)
            while heard and heard not in program.protocol.trailing_data[0]:
                program.protocol.receive_data(program.socket.recv(65536))
        deadline = time.monotonic() + 30
        while not session.played and time.monotonic() < deadline:
            time.sleep(0.01)
        exchanges = tuple(each.exchange for each in session.played)
    assert [exchange.response.ending for exchange in exchanges] == [ending]
    with (
        standing(ReplaySession(Cassette(exchanges=exchanges), clock=RecordedClock())) as gateway,
        Program(gateway) as program,
    ):
        assert program.ask(target)[2] == heard + BROKEN.encode()


def test_connections_are_kept_and_many_may_ask(wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several requests go over one connection, and several connections ask at once."""
    monkeypatch.setenv("OPENAI_BASE_URL", wire.serve(WIRES["whole"], WIRES["chunked"]))
    session, bodies = recording(), []
    with standing(session) as gateway:
        target = gateway.variables["OPENAI_BASE_URL"].removeprefix(f"http://{gateway.address}") + "/x"

        def converse() -> None:
            with Program(gateway) as program:
                bodies.extend(program.ask(target, number % 2, expect="100-continue")[2] for number in range(4))

        threads = [threading.Thread(target=converse) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(bodies) == sorted([b'{"a":1}', b"".join(EVENTS)] * 16)
    assert len(session.played) == 32


@pytest.mark.parametrize(
    ("method", "target", "headers", "cause"),
    [
        ("CONNECT", "api.openai.com:443", {}, "api.openai.com:443 was asked for past the base addresses, over TLS"),
        ("POST", "/v1/chat/completions", {}, "/v1/chat/completions is nothing that the gateway knows"),
        ("GET", "/OPENAI_BASE_URL/v1/realtime", {"connection": "upgrade", "upgrade": "websocket"}, "is a WebSocket"),
        ("POST", "http://elsewhere.example/x", {}, "no recorded exchange answers call 1"),
        ("POST", "/ANTHROPIC_BASE_URL/v1/messages", {}, "no recorded exchange answers call 1"),
    ],
)
def test_what_can_not_be_served_fails_the_trial(method: str, target: str, headers: dict[str, str], cause: str) -> None:
    """The program gets an error that no SDK tries again, and the trial knows of it whatever the program does."""
    session = ReplaySession(Cassette(exchanges=()), clock=RecordedClock())
    with standing(session) as gateway, Program(gateway) as program:
        status, answered, body = program.ask(target, method=method, **headers)
    assert status == 418
    assert answered["x-should-retry"] == "false"
    assert cause in json.loads(body)["error"]["message"]
    assert session.mismatch is not None


def test_a_plain_proxy_request_is_recorded(wire: WireServer) -> None:
    """What a program sends over plain HTTP to a host that it does not take from the environment is an exchange too."""
    base = wire.serve(WIRES["whole"])
    session = recording()
    with standing(session) as gateway, Program(gateway) as program:
        assert program.ask(f"{base}/tool")[2] == b'{"a":1}'
    assert [each.exchange.request.uri for each in session.played] == [f"{base}/tool"]


def test_a_program_reports_nothing_in_a_replay() -> None:
    """Telemetry of a program by plain HTTP is answered as its service does, and fails no trial."""
    session = ReplaySession(Cassette(exchanges=()), clock=RecordedClock())
    with standing(session) as gateway, Program(gateway) as program:
        assert program.ask("http://us.i.posthog.com/batch/")[2] == b"{}"
    assert session.mismatch is None


def test_what_is_of_one_connection_stays_there() -> None:
    """Headers that speak of the program's connection to us are not sent on; all others are, in their order."""
    head = h11.Request(
        method="POST",
        target="/",
        headers=[
            *(("Host", "a"), ("Connection", "keep-alive, X-Mine"), ("X-Mine", "1"), ("Keep-Alive", "5")),
            *(("Proxy-Authorization", "b"), ("Transfer-Encoding", "chunked"), ("Upgrade", "h2c"), ("TE", "trailers")),
            *(("X-B", "2"), ("X-A", "1"), ("X-B", "3"), ("Accept", "c")),
        ],
    )
    asked = [(b"x-b", b"2"), (b"x-a", b"1"), (b"x-b", b"3"), (b"accept", b"c")]
    assert _to_provider(head) == [*asked, (b"accept-encoding", b"identity")]


def test_nobody_is_served_after_the_trial(wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed gateway ends its connections and takes no new ones."""
    monkeypatch.setenv("OPENAI_BASE_URL", wire.serve(WIRES["whole"]))
    with standing(recording()) as gateway:
        target = gateway.variables["OPENAI_BASE_URL"].removeprefix(f"http://{gateway.address}") + "/x"
        program = Program(gateway)
        assert program.ask(target)[0] == 200
    with program:
        assert program.socket.recv(1) == b""
