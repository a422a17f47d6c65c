"""Reads server-sent events from a recorded body."""

from __future__ import annotations

import re

from harness.records.base import JsonObject
from harness.records.json_text import read_json
from harness.wire.failures import broken_reply

__all__ = ["is_event_stream", "read_sse"]

_LINE_END = re.compile(r"\r\n|\n|\r")  # and no other: JSON text may hold U+2028
_DONE = "[DONE]"


def is_event_stream(content_type: str, body: bytes) -> bool:
    """Whether a response is a stream of events, by its type or else by how it begins."""
    if content_type:
        return content_type.split(";")[0].strip().lower() == "text/event-stream"
    return body.lstrip().startswith((b"data:", b"event:", b":"))


def read_sse(body: bytes) -> list[JsonObject]:
    """The JSON objects of a stream's events, in order, up to ``[DONE]``.

    An event that the end of the body cuts short is left out: whether the stream is whole is for ``fold`` to say. Raises
    :class:`harness.errors.TransientError` where an event before it is no JSON object.
    """
    events: list[JsonObject] = []
    data: list[str] = []
    for line in _LINE_END.split(body.decode("utf-8-sig", errors="replace")):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            text = "\n".join(data)
            data = []
            if text.startswith(_DONE):
                return events
            events.append(_read_event(text))
    if data and not data[0].startswith(_DONE):
        try:
            last = read_json("\n".join(data))
        except (ValueError, RecursionError):
            return events
        if isinstance(last, dict):
            events.append(last)
    return events


def _read_event(text: str) -> JsonObject:
    try:
        event = read_json(text)
    except (ValueError, RecursionError) as error:
        raise broken_reply(f"an event of the stream is not JSON: {text[:80]!r}") from error
    if not isinstance(event, dict):
        raise broken_reply(f"an event of the stream is not an object: {text[:80]!r}")
    return event
