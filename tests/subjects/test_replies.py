"""Where the answer stands in what an endpoint says."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import SubjectError
from harness.subjects.replies import is_last, read_reply

JSON, EVENTS = "application/json", "text/event-stream; charset=utf-8"


@pytest.mark.parametrize(
    ("kind", "body", "path", "answer"),
    [
        (JSON, b'{"answer": "hi"}', "answer", "hi"),
        (JSON, b'{"choices": [{"message": {"content": "hi"}}]}', "choices.0.message.content", "hi"),
        (JSON, b'{"answer": {"a": [1]}}', "answer", {"a": [1]}),
        (JSON, b'"hi"', "", "hi"),
        ("", b'{"answer": null}', "answer", None),
        (
            EVENTS,
            b'data: {"a": "h"}\n\ndata: {"b": 1}\n\ndata: {"a": "i"}\n\ndata: [DONE]\n\ndata: {"a": "!"}\n\n',
            "a",
            "hi",
        ),
        (EVENTS, b': x\r\n\r\nid: 1\r\ndata: {"d": {"t": "hi"}}\r\n\r\n', "d.t", "hi"),
    ],
)
def test_the_answer_is_found(kind: str, body: bytes, path: str, answer: Any) -> None:
    """At its dotted path; in a stream joined, other events passed over, up to the end that is said."""
    assert read_reply(kind, body, path) == answer


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (JSON, b"<html>", "is no JSON .*'<html>'"),
        (JSON, b"", "it is empty"),
        (JSON, b'{"a": ["x"]}', "has no `a.1`"),
        (EVENTS, b"data: hi\n\n", "no stream of JSON objects: .*is not JSON"),
        (EVENTS, b'data: {"b": 1}\n\n', "no event of the server's answer has text at `a.1`"),
        (EVENTS, b'data: {"a": ["", "h"]}\n\ndata: {"error": "no stock"}\n\n', "reports an error: .*no stock"),
    ],
)
def test_no_answer_is_an_error(kind: str, body: bytes, message: str) -> None:
    """It says what was looked for, and what came."""
    with pytest.raises(SubjectError, match=message):
        read_reply(kind, body, "a.1")


def test_the_last_event_ends_a_stream() -> None:
    """Also where the server keeps its connection open; the words in a text are no end."""
    assert is_last(bytearray(b"data: 1\n\ndata: [DONE]\n"))
    assert is_last(bytearray(b"data:[DONE]"))
    assert not is_last(bytearray(b'data: "data: [DONE]"\n\n'))
