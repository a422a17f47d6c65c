"""Server-sent events as they are found in recordings."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import FatalError, LogicError, TransientError
from harness.records.exchange import HttpResponse
from harness.records.message import Api
from harness.wire.responses import read_response
from harness.wire.sse import read_event_stream, read_sse


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_events_are_read_in_order(end: bytes) -> None:
    """Every line end, comments, event names, data without a space, data over two lines, up to [DONE]."""
    lines = [b": hello", b"event: a", b'data: {"n": 1}', b"", b'data:{"n":', b"data: 2}", b"", b": ping", b""]
    lines += [b"data: [DONE]", b"", b'data: {"n": 3}', b"", b""]
    assert read_sse(end.join(lines)) == [{"n": 1}, {"n": 2}]


def test_line_separators_inside_text_end_no_line() -> None:
    """U+2028 and NEL are characters of a JSON text."""
    assert read_sse('data: {"t": "a\u2028b\x85c"}\n\n'.encode()) == [{"t": "a\u2028b\x85c"}]


@pytest.mark.parametrize(
    ("tail", "kept"), [(b'data: {"n": 2}', 2), (b'data: {"n": ', 1), (b"data: [DONE]", 1), (b"data: 7", 1), (b"ev", 1)]
)
def test_a_cut_last_event(tail: bytes, kept: int) -> None:
    """An event that the end cuts is left out; one that only lacks its empty line counts, but not for a trace: no SDK
    hands that one on."""
    assert len(read_sse(b'data: {"n": 1}\n\n' + tail)) == kept
    assert len(read_event_stream(b'data: {"n": 1}\n\n' + tail).events) == 1


@pytest.mark.parametrize("bad", [b"data: {\n\n", b"data: [1]\n\n"])
def test_a_broken_event_before_the_end(bad: bytes) -> None:
    """An event inside the stream that is no object is an error, not a gap."""
    with pytest.raises(TransientError, match="an event of the stream is not"):
        read_sse(bad + b'data: {"n": 1}\n\n')


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes(body: bytes) -> None:
    """Nothing but our own error comes out of it."""
    with suppress(TransientError):
        read_sse(b"data: " + body)


def test_a_stream_is_known_by_its_start_whatever_its_type() -> None:
    """Recordings may have lost their headers, and gateways send streams under other types."""
    body = b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\n'
    for content_type in ("", "text/plain; charset=utf-8", "application/json", "application/octet-stream"):
        headers = (("content-type", content_type),) if content_type else ()
        read = read_response(Api.OPENAI_CHAT, HttpResponse(status=200, headers=headers, body=body))
        assert read.error is None
        assert read.reply is not None
        assert read.reply.message.text == "Hi"


@pytest.mark.parametrize(
    ("status", "body", "wanted", "text"),
    [
        (200, b"<html>", TransientError, "no JSON object"),
        (200, b"[" * 100_000, TransientError, "no JSON object"),
        (302, b"", LogicError, "answered 302"),
        (401, b'{"error": {"message": "Bad key"}}', FatalError, "answered 401: Bad key"),
    ],
)
def test_a_response_that_is_no_reply(status: int, body: bytes, wanted: type[Exception], text: str) -> None:
    """A trace reads the error that a client would have raised."""
    read = read_response(Api.OPENAI_CHAT, HttpResponse(status=status, body=body))
    assert read.reply is None
    assert type(read.error) is wanted
    assert text in str(read.error)
