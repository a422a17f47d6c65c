"""Reads a recorded response of any of the three protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from harness.errors import ProviderError
from harness.records.exchange import HttpResponse
from harness.records.json_text import read_json
from harness.records.message import Api, AssistantMessage, ModelReply
from harness.wire.codecs import codec_for
from harness.wire.failures import classify
from harness.wire.sse import EventStream, is_event_stream, read_event_stream

__all__ = ["Reading", "read_response", "read_stream", "read_streamed"]

_CONTENT_TYPE = "content-type"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a response says."""

    reply: ModelReply | None
    """None where nothing of a reply arrived."""
    error: ProviderError | None = None
    """What a client would raise. Together with a reply: why that is not whole."""


def read_response(api: Api, response: HttpResponse) -> Reading:
    """The reply that a response holds, whole or streamed, or what had arrived of it."""
    if not 200 <= response.status < 300:
        return Reading(None, classify(response.status, _read_json(response.body)))
    stream = read_stream([response])
    if stream is not None:
        return read_streamed(api, stream)
    try:
        return Reading(codec_for(api).read_reply(_read_json(response.body)))
    except ProviderError as error:
        return Reading(None, error)


def read_stream(responses: Sequence[HttpResponse]) -> EventStream | None:
    """The events of the streams among responses, one after the other, each event once; None where none is a stream.

    A client that lost the stream of a background response asks for the rest, from a number on.
    """
    streams = [
        read_event_stream(response.body)
        for response in responses
        if is_event_stream(dict(response.headers).get(_CONTENT_TYPE, ""), response.body)
    ]
    if not streams:
        return None
    events = [event for stream in streams for event in stream.events]
    once = {event.get("sequence_number", -position): event for position, event in enumerate(events, 1)}
    return replace(streams[-1], events=tuple(once.values()))


def read_streamed(api: Api, stream: EventStream) -> Reading:
    """The reply that a stream's events add up to, or what had arrived of it."""
    codec = codec_for(api)
    folded = codec.fold(stream.events, done=stream.done)
    error = stream.broken if stream.broken and folded.broken else folded.broken
    try:
        reply = codec.read_reply(folded.body)
    except ProviderError as unreadable:
        return Reading(None, error or unreadable)
    reply = reply.model_copy(update={"unread": (*reply.unread, *folded.unread)})
    if error is not None and reply.message == AssistantMessage() and not reply.others and not reply.unread:
        return Reading(None, error)
    return Reading(reply, error)


def _read_json(body: bytes) -> JsonValue:
    """The JSON of a body, or its text where it is none."""
    try:
        value: JsonValue = read_json(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", errors="replace")
    return value
