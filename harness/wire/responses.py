"""Reads a recorded response of any of the three protocols."""

from __future__ import annotations

from pydantic import JsonValue

from harness.records.json_text import read_json
from harness.records.message import Api, ModelReply
from harness.wire.codecs import codec_for
from harness.wire.failures import classify
from harness.wire.sse import is_event_stream, read_sse

__all__ = ["read_response"]


def read_response(api: Api, status: int, content_type: str, body: bytes) -> ModelReply:
    """The reply that a response holds, whole or streamed.

    Raises the :class:`harness.errors.ProviderError` that it stands for, the same that a client would raise.
    """
    codec = codec_for(api)
    if not 200 <= status < 300:
        raise classify(status, _read_json(body))
    if is_event_stream(content_type, body):
        return codec.read_reply(codec.fold(read_sse(body)))
    return codec.read_reply(_read_json(body))


def _read_json(body: bytes) -> JsonValue:
    """The JSON of a body, or its text where it is none."""
    try:
        value: JsonValue = read_json(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", errors="replace")
    return value
