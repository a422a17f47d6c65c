"""Reads server-sent events from a recorded body."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.errors import ProviderError
from harness.records.base import JsonObject
from harness.records.json_text import read_json
from harness.wire.failures import broken_reply

__all__ = ["EventStream", "is_event_stream", "read_event_stream", "read_sse"]

_LINE_END = re.compile(r"\r\n|\n|\r")  # and no other: JSON text may hold U+2028
_BEGINNINGS = (b"data:", b"event:", b"id:", b"retry:", b":")
_DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class EventStream:
    """The events of a body."""

    events: tuple[JsonObject, ...]
    """The JSON objects, in order."""
    done: bool
    """Whether ``[DONE]`` ended them."""
    broken: ProviderError | None = None
    """Why the rest is not read: an event before the end is no JSON object."""


def is_event_stream(content_type: str, body: bytes) -> bool:
    """Whether a response is a stream of events: by its type, or by how it begins, whatever its type."""
    if content_type.split(";")[0].strip().lower() == "text/event-stream":
        return True
    return body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_BEGINNINGS)


def read_event_stream(body: bytes) -> EventStream:
    """The events of a stream up to ``[DONE]``.

    An event counts once the empty line after it has arrived, as for the SDKs: whether the stream is whole is for
    ``fold`` to say.
    """
    events: list[JsonObject] = []
    data: list[str] = []
    *lines, rest = _LINE_END.split(body.decode("utf-8-sig", errors="replace"))
    for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            text = "\n".join(data)
            data = []
            if text.startswith(_DONE):
                return EventStream(tuple(events), done=True)
            try:
                events.append(_read_event(text))
            except ProviderError as error:
                return EventStream(tuple(events), done=False, broken=error)
    done = data[0] if data else rest.removeprefix("data:").lstrip()
    return EventStream(tuple(events), done=done.startswith(_DONE))


def read_sse(body: bytes) -> list[JsonObject]:
    """The JSON objects of a stream's events, in order; the last one needs no empty line after it.

    Raises :class:`harness.errors.TransientError` where an event before the last is no JSON object.
    """
    stream, closed = read_event_stream(body), read_event_stream(body + b"\n\n")
    if stream.broken is not None:
        raise stream.broken
    return list(stream.events if closed.broken else closed.events)


def _read_event(text: str) -> JsonObject:
    try:
        event = read_json(text)
    except (ValueError, RecursionError) as error:
        raise broken_reply(f"an event of the stream is not JSON: {text[:80]!r}") from error
    if not isinstance(event, dict):
        raise broken_reply(f"an event of the stream is not an object: {text[:80]!r}")
    return event
