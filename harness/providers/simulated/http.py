"""HTTP/1.1 on one accepted socket, with a hand on every chunk: h11 on asyncio's streams."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus

import h11

from harness.records.exchange import HttpRequest

__all__ = ["HttpConnection"]

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_READ_SIZE = 65_536
_MAX_BODY = 32 * 1024 * 1024


class HttpConnection:
    """One client's connection, request by request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.SERVER)

    async def receive(self) -> HttpRequest | None:
        """The next request, whole; None where the client has closed or doesn't speak HTTP."""
        if self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE:
            self._protocol.start_next_cycle()
        if self._protocol.our_state is not h11.IDLE:
            return None
        head: h11.Request | None = None
        body = bytearray()
        while True:
            try:
                event = await self._next_event()
            except h11.RemoteProtocolError:
                return None
            if isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > _MAX_BODY:
                    return None
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
                return HttpRequest(
                    method=head.method.decode(), uri=head.target.decode("latin-1"), headers=headers, body=bytes(body)
                )
            else:
                return None

    async def begin(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Send the status line and headers."""
        reason = _PHRASES.get(status, "")
        await self._send(h11.Response(status_code=status, headers=list(headers), reason=reason.encode()))

    async def send(self, data: bytes) -> None:
        """Send a piece of the body; without a content-length it goes as one HTTP chunk."""
        await self._send(h11.Data(data=data))

    async def end(self) -> None:
        """The body is whole."""
        await self._send(h11.EndOfMessage())

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while True:
            event = self._protocol.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._protocol.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._protocol.receive_data(await self._reader.read(_READ_SIZE))

    async def _send(self, event: h11.Event) -> None:
        self._writer.write(self._protocol.send(event) or b"")
        await self._writer.drain()
