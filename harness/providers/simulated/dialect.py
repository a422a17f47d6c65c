"""What the server asks of each wire protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Protocol

from pydantic import JsonValue

from harness.providers.simulated.identifiers import Identifiers
from harness.providers.simulated.reply import RejectedError, Reply
from harness.records.base import JsonObject
from harness.records.message import Api, ModelRequest

__all__ = ["Dialect", "compact_json", "fragments", "server_sent"]


class Dialect(Protocol):
    """One wire protocol, both ways."""

    api: Api
    path: str

    def admit(self, headers: Mapping[str, str]) -> None:
        """Check key and version. Raises :class:`RejectedError`."""
        ...

    def read(self, body: JsonObject) -> ModelRequest:
        """Read a request. Raises :class:`RejectedError` for what the provider would refuse."""
        ...

    def whole(self, body: JsonObject, reply: Reply) -> bytes:
        """The body of a plain response."""
        ...

    def events(self, body: JsonObject, reply: Reply) -> Iterator[bytes]:
        """The server-sent events of a streamed response."""
        ...

    def success_headers(self, reply: Reply) -> list[tuple[str, str]]:
        """The provider's own headers of a reply."""
        ...

    def refuse(self, rejection: RejectedError, ids: Identifiers) -> tuple[list[tuple[str, str]], bytes]:
        """Headers and body of an error."""
        ...


def compact_json(value: JsonValue) -> str:
    """JSON as it stands in events."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def server_sent(value: JsonObject, *, named: bool) -> bytes:
    """One server-sent event; its name is the object's ``type``."""
    name = f"event: {value['type']}\n" if named else ""
    return f"{name}data: {compact_json(value)}\n\n".encode()


def fragments(pieces: list[str], size: int) -> Iterator[str]:
    """Neighbouring pieces joined, ``size`` at a time."""
    for start in range(0, len(pieces), size):
        yield "".join(pieces[start : start + size])
