"""A server that sends exactly the bytes it is told to, piece by piece, and breaks off as told."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["NUMBER", "End", "Framing", "Noted", "Wire", "WireServer", "running_wire"]


NUMBER = "x-call"
"""The header by which a request says which answer it is to get, from 0. No recording keeps it."""


class Framing(Enum):
    """How the client learns where a body ends."""

    LENGTH = "content-length"
    CHUNKED = "transfer-encoding"
    CLOSE = "connection"


class End(Enum):
    """What the server does after its last piece."""

    KEEP = "keeps the connection"
    CLOSE = "closes it"
    RESET = "resets it"
    STALL = "says nothing more"


@dataclass(frozen=True, slots=True)
class Wire:
    """One answer."""

    pieces: tuple[bytes, ...]
    """The body in the pieces in which it is sent, all of them; none may be empty."""
    status: int = 200
    reason: str = "OK"
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    framing: Framing = Framing.LENGTH
    end: End = End.KEEP
    sent: int | None = None
    """How many pieces are sent before the end; None for all, negative for not even the head."""
    silence: float = 0.0
    """Seconds before the head and before each piece."""

    def head(self) -> bytes:
        """Status line and headers."""
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{name}: {value}" for name, value in self.headers)]
        if self.framing is Framing.LENGTH:
            lines.append(f"content-length: {sum(map(len, self.pieces))}")
        elif self.framing is Framing.CHUNKED:
            lines.append("transfer-encoding: chunked")
        else:
            lines.append("connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def packets(self) -> Iterator[bytes]:
        """The head and each piece, as they go out."""
        if self.sent is not None and self.sent < 0:
            return
        yield self.head()
        for piece in self.pieces[: self.sent]:
            yield b"%x\r\n%s\r\n" % (len(piece), piece) if self.framing is Framing.CHUNKED else piece
        if self.framing is Framing.CHUNKED and self.sent is None:
            yield b"0\r\n\r\n"

    @property
    def stalls(self) -> bool:
        """Whether the client waits for more in vain: after a whole answer it would send the next request."""
        return self.end is End.STALL and (self.sent is not None or self.framing is Framing.CLOSE)

    @property
    def closes(self) -> bool:
        """Whether the connection can't be used again."""
        return self.end in (End.CLOSE, End.RESET) or self.framing is Framing.CLOSE or self.sent is not None


@dataclass(slots=True)
class Noted:
    """What the server saw and did for one request."""

    body: bytes
    heard: int
    """When the request was whole, in nanoseconds of the monotonic clock."""
    sent: list[tuple[int, int]] = field(default_factory=list)
    """The instant before each packet went out, and its size."""


class WireServer:
    """Answers each path from a list of its own."""

    def __init__(self) -> None:
        self.url = ""
        self._answers: dict[str, tuple[Wire, ...]] = {}
        self._noted: defaultdict[str, list[Noted]] = defaultdict(list)
        self._numbers = itertools.count(1)

    def serve(self, *answers: Wire) -> str:
        """A base URL below which every request gets the one of these answers whose number it names."""
        name = f"e{next(self._numbers)}"
        self._answers[name] = answers
        return f"{self.url}/{name}"

    def noted(self, base: str) -> list[Noted]:
        """The requests that came in below a base URL."""
        return self._noted[base.rpartition("/")[2]]

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        name = head.split(" ", 2)[1].split("/")[1]
        headers = {name.lower(): value for name, _, value in (line.partition(":") for line in head.splitlines())}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        noted = Noted(body, time.monotonic_ns())
        self._noted[name].append(noted)
        wire = self._answers[name][int(headers[NUMBER])]
        for packet in wire.packets():
            await asyncio.sleep(wire.silence)
            noted.sent.append((time.monotonic_ns(), len(packet)))
            writer.write(packet)
            await writer.drain()
        if wire.stalls:
            await reader.read()
        if wire.end is End.RESET:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        return not wire.closes


@contextmanager
def running_wire() -> Iterator[WireServer]:
    """A server in a thread of its own."""
    server = WireServer()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        stopped = asyncio.Event()
        listener = await asyncio.start_server(server.attend, "127.0.0.1", 0)
        server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        started.set_result((asyncio.get_running_loop(), stopped))
        await stopped.wait()
        listener.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="scripted-wire", daemon=True)
    thread.start()
    loop, stopped = started.result(timeout=10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
