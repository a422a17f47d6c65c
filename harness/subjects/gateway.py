"""Stands between a program under test and its providers: a server on loopback that forwards what it is asked.

It forwards in the trial's own context, by an ordinary client, so that what is in the path of any Python agent is in the
path of a program as well: its requests are recorded, replayed, extended and refused like all others.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextvars import copy_context
from http import HTTPStatus
from urllib.parse import urlsplit

import h11
import httpx2

from harness.cassettes.failures import Failure
from harness.cassettes.httpx_route import MET
from harness.cassettes.playback import Playback
from harness.cassettes.routing import route
from harness.cassettes.sessions import Recording
from harness.errors import CassetteMissError
from harness.providers.connections import tls_context
from harness.records.exchange import Ending

__all__ = ["Gateway"]

_USUAL = {"ANTHROPIC_BASE_URL": "https://api.anthropic.com", "OPENAI_BASE_URL": "https://api.openai.com/v1"}
_HOP_BY_HOP = {
    *(b"connection", b"content-length", b"expect", b"host", b"http2-settings", b"keep-alive"),
    *(b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer", b"transfer-encoding"),
}
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]+)?")
_PIECE = 65_536
_CONNECT = 30.0
"""Seconds that a provider may take to be reached: the program, whose connection is to us, sets no limit for that."""
_PROGRAMS_OWN = b"x-stainless-read-timeout"
"""The header in which the official Python SDKs say how many seconds of silence they bear.

A provider that is silent for longer is recorded as stalled. Without the header we wait for as long as the program does:
a limit of ours would cut an answer that the program had waited for.
"""

RawHeaders = list[tuple[bytes, bytes]]


class Gateway:
    """One trial's way to its providers, from the moment it is made until it is closed.

    To be made in the trial's context. ``base_urls`` are environment variables beyond those of OpenAI and Anthropic,
    each with the address that stands for it where this process has none.
    """

    def __init__(self, base_urls: Mapping[str, str]) -> None:
        known = {**_USUAL, **base_urls}
        self._upstreams = {name: urlsplit(os.environ.get(name) or url) for name, url in known.items()}
        self._context = copy_context()
        self._client = httpx2.Client(
            verify=tls_context(), limits=httpx2.Limits(max_connections=None), follow_redirects=False
        )
        self._lock = threading.Lock()
        self._is_closed = False
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._bell, self._ring = socket.socketpair()
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        """Host and port."""
        threading.Thread(target=self._accept, name="harness-gateway", daemon=True).start()

    @property
    def variables(self) -> dict[str, str]:
        """What the program finds in its environment: where its providers are, and that all else goes here as well."""
        bases = {name: f"http://{self.address}/{name}{url.path}" for name, url in self._upstreams.items()}
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), f"http://{self.address}")
        lowered = {name.lower(): url for name, url in proxies.items()}
        return {**bases, **proxies, **lowered, "NODE_USE_ENV_PROXY": "1"}  # without which Node heeds none of them

    def close(self) -> None:
        """Forward nothing more."""
        self._ring.close()
        with self._lock:
            self._is_closed = True
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)  # closing alone wakes no thread that reads from it
            self._close_client()

    def _close_client(self) -> None:
        """By the last who could still use it."""
        if self._is_closed and not self._sockets:
            self._client.close()

    def _accept(self) -> None:
        with self._bell, self._listener, selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            while self._bell not in [key.fileobj for key, _ in selector.select()]:
                with contextlib.suppress(OSError):  # whoever wanted to come has gone again
                    accepted, _ = self._listener.accept()
                    attend = self._context.copy().run
                    threading.Thread(target=attend, args=(self._attend, accepted), daemon=True).start()

    def _attend(self, accepted: socket.socket) -> None:
        """Serve one connection of the program until either side closes it."""
        with self._lock:
            if self._is_closed:
                return accepted.close()
            self._sockets.add(accepted)
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted.settimeout(None)  # socket.setdefaulttimeout() of the project is not for the program's pace
            connection = _Connection(accepted)
            while not self._is_closed and self._serve(connection):
                pass
        except (OSError, h11.ProtocolError):
            pass  # the program has gone, or does not speak HTTP: there is nobody to answer
        finally:
            with self._lock:
                self._sockets.discard(accepted)
                self._close_client()
            accepted.close()

    def _serve(self, connection: _Connection) -> bool:
        """Answer one request; whether another may follow."""
        received = connection.receive()
        if received is None:
            return False
        try:
            is_whole = self._forward(self._make_request(*received), connection)
        except CassetteMissError as miss:
            connection.refuse(str(miss))
            return True
        except httpx2.TransportError:
            return False  # as the program would have met it
        if is_whole:
            connection.end()
        return is_whole

    def _forward(self, request: httpx2.Request, connection: _Connection) -> bool:
        """Hand on the answer as it comes, but for its end. Whether it is whole."""
        is_whole = True
        with contextlib.ExitStack() as stack:

            def watch(met: Playback | Recording) -> None:
                nonlocal is_whole
                if isinstance(met, Recording):
                    stack.enter_context(connection.watched(met))
                else:  # a program that closed when it was recorded must not take what it had by then for the whole
                    is_whole = met.exchange.response.ending is not Ending.ABANDONED

            request.extensions[MET] = watch
            response = stack.enter_context(contextlib.closing(self._client.send(request, stream=True)))
            reason = response.extensions.get("reason_phrase", b"")
            connection.begin(response.status_code, reason, _end_to_end(response.headers.raw))
            for piece in response.iter_raw():
                connection.send(piece)
        return is_whole

    def _make_request(self, head: h11.Request, body: bytes) -> httpx2.Request:
        headers = _to_provider(head)
        own = dict(headers).get(_PROGRAMS_OWN, b"").decode("latin-1")
        limits = httpx2.Timeout(None, connect=_CONNECT, read=float(own) if _SECONDS.fullmatch(own) else None)
        method, url = head.method.decode(), self._find_url(head)
        return httpx2.Request(method, url, headers=headers, content=body, extensions={"timeout": limits.as_dict()})

    def _find_url(self, head: h11.Request) -> str:
        """Where a request is to go. Raises :class:`CassetteMissError` where that can't be forwarded."""
        target = head.target.decode("latin-1")
        variable, slash, rest = target.removeprefix("/").partition("/")
        if variable in self._upstreams:
            upstream = self._upstreams[variable]
            return f"{upstream.scheme}://{upstream.netloc}{slash}{rest}"
        if target.startswith(("http://", "https://")):
            return target
        names = " and ".join(sorted(self._upstreams))
        if head.method == b"CONNECT":
            cause = (
                f"{target} was asked for past the base addresses, over TLS, which can't be recorded or replayed, so "
                f"nothing was sent; have the program take its addresses from the environment: {names}, and what "
                "base_urls of its declaration adds"
            )
        else:
            cause = f"{target} is nothing that the gateway knows; the addresses in {names} have a path, to be kept"
        session = route(lambda: target)
        raise CassetteMissError(cause) if session is None else session.refuse(cause, target)


class _Connection:
    """The program's side of HTTP/1.1, request by request."""

    def __init__(self, accepted: socket.socket) -> None:
        self._socket = accepted
        self._protocol = h11.Connection(h11.SERVER)

    def receive(self) -> tuple[h11.Request, bytes] | None:
        """The next request with its whole body; None where the program has closed."""
        if self._protocol.our_state is h11.DONE:
            self._protocol.start_next_cycle()
        if self._protocol.our_state is not h11.IDLE:
            return None
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                if self._protocol.they_are_waiting_for_100_continue:
                    self._send(h11.InformationalResponse(status_code=100, headers=[]))
                self._protocol.receive_data(self._socket.recv(_PIECE))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return head, bytes(body)
            else:
                return None

    @contextlib.contextmanager
    def watched(self, recording: Recording) -> Iterator[None]:
        """End an exchange when the program hangs up, as one does that waits no longer.

        We learn nothing of it while we wait for the provider: what came later would be recorded as an answer.
        """
        bell, ring = socket.socketpair()

        def watch() -> None:
            with bell, selectors.DefaultSelector() as selector:
                selector.register(bell, selectors.EVENT_READ)
                selector.register(self._socket, selectors.EVENT_READ)
                ready = [key.fileobj for key, _ in selector.select()]
                if bell in ready or not self._is_closed():
                    return
                if recording.answered:
                    recording.end(Ending.ABANDONED)
                else:
                    recording.fail(Failure.READ_TIMEOUT)

        thread = threading.Thread(target=watch, name="harness-gateway-watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ring.close()
            thread.join()

    def _is_closed(self) -> bool:
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except ConnectionError:
            return True

    def begin(self, status: int, reason: bytes, headers: RawHeaders) -> None:
        """Send status and headers; how the body is framed is for this connection to say."""
        self._send(h11.Response(status_code=status, reason=reason, headers=headers))

    def send(self, piece: bytes) -> None:
        """Send a piece of the body, at once."""
        self._send(h11.Data(data=piece))

    def end(self) -> None:
        """The body is whole."""
        self._send(h11.EndOfMessage())

    def refuse(self, cause: str) -> None:
        """Answer with an error that no client tries again."""
        status = HTTPStatus.IM_A_TEAPOT  # none that a provider uses
        headers = [(b"content-type", b"application/json"), (b"x-should-retry", b"false")]
        self.begin(status, status.phrase.encode(), headers)
        error = {"type": "not_recorded", "code": "not_recorded", "message": f"harness: {cause}"}
        self.send(json.dumps({"type": "error", "error": error}).encode())
        self.end()

    def _send(self, event: h11.Event) -> None:
        self._socket.sendall(self._protocol.send(event) or b"")


def _to_provider(head: h11.Request) -> RawHeaders:
    """The request's headers without those that speak of the program's connection to us."""
    headers = _end_to_end(head.headers)
    upgrade = dict(headers).get(b"upgrade", b"").lower()
    if upgrade != b"websocket":  # that is refused by name, when it is met
        headers = [(name, value) for name, value in headers if name != b"upgrade"]
    if b"accept-encoding" not in dict(headers):
        headers.append((b"accept-encoding", b"identity"))  # or our client would ask for what the program can't read
    return headers


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    lowered = [(name.lower(), value) for name, value in headers]
    named = b",".join(value for name, value in lowered if name == b"connection").lower().split(b",")
    dropped = _HOP_BY_HOP | {name.strip() for name in named} - {b"upgrade"}
    return [(name, value) for name, value in lowered if name not in dropped]
