"""Nothing that looks like a key is kept, and what was masked is named by its place."""

from __future__ import annotations

import logging

import pytest

from harness.cassettes import RecordSession, ReplaySession
from harness.cassettes.cleaning import clean_exchange, mask_request
from harness.cassettes.writing import write_exchange
from harness.records.exchange import Cassette, Chunk, Ending, Exchange, HttpRequest, HttpResponse
from harness.seams import RecordedClock, SystemClock

KEYS = [
    "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12",
    "sk-ant-api03-Ab12Cd34Ef56Gh78Ij90",
    "Bearer eyJhbGciOi.Ab12Cd34Ef56Gh78",
    "bearer Ab12Cd34Ef56Gh78Ij90Kl12==",
]


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_masked_wherever_they_stand(key: str, caplog: pytest.LogCaptureFixture) -> None:
    """In bodies and listed headers; the log names the place and not the value."""
    secret = key.removeprefix("Bearer ").removeprefix("bearer ")
    said = f'{{"text": "my key is {key}."}}'.encode()
    exchange = Exchange(
        request=HttpRequest(method="POST", uri="https://x/v1", body=said, headers=(("accept", key),)),
        response=HttpResponse(status=200, headers=(("x-request-id", key),), body=said),
    )
    with caplog.at_level(logging.WARNING):
        cleaned = clean_exchange(exchange)
    assert secret not in write_exchange(cleaned)
    assert secret not in caplog.text
    places = ("request's body", "request's headers", "response's body", "response's headers")
    assert all(place in caplog.text for place in places)
    assert len(cleaned.response.body) == len(said)
    assert clean_exchange(cleaned) == cleaned


@pytest.mark.parametrize(
    "uri", ["https://x/v1?key=Secret1&a=b", "https://user:Secret1@x/v1", "https://x/?token=Secret1"]
)
def test_keys_in_addresses_are_masked(uri: str) -> None:
    """Query keys and passwords."""
    masked = mask_request(HttpRequest(method="GET", uri=uri)).uri
    assert "Secret1" not in masked
    assert "*masked*" in masked


@pytest.mark.parametrize(
    "text",
    ["risk-assessment-of-the-whole-company-2026", "sk-short", "task-list-number-1234567890-abcdef", "Bearer of news"],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    """What only resembles a key is kept."""
    request = HttpRequest(method="GET", uri="https://x/", body=text.encode())
    assert mask_request(request) is request


def test_a_masked_request_still_matches() -> None:
    """The agent sends the key again, and is answered."""
    body = f'{{"text": "{KEYS[0]}"}}'.encode()
    sent = HttpRequest(method="POST", uri="https://x/v1", body=body)
    recording = RecordSession(clock=SystemClock(), journal=None)
    one = recording.meet(sent)
    one.answer(HttpResponse(status=200))
    one.end()
    kept = recording.played[0].exchange
    assert kept.request.body != body
    session = ReplaySession(Cassette(exchanges=(kept,)), clock=RecordedClock())
    assert session.meet(sent).exchange == kept


def test_a_stream_that_was_closed_after_its_last_event_is_complete() -> None:
    """Clients close a stream at its last event; before it, they have left something."""

    def ending(body: bytes) -> Ending:
        chunks = (Chunk(size=len(body), at=1),)
        response = HttpResponse(status=200, body=body, chunks=chunks, ending=Ending.ABANDONED)
        return clean_exchange(Exchange(request=HttpRequest(method="GET", uri="u"), response=response)).response.ending

    assert ending(b"data: {}\n\ndata: [DONE]\n\n") is Ending.COMPLETE
    assert ending(b'event: message_stop\ndata: {"type": "message_stop"}\n\n') is Ending.COMPLETE
    assert ending(b'event: response.completed\r\ndata: {"a": 1}\r\n\r\n') is Ending.COMPLETE
    assert ending(b"data: {}\n\n") is Ending.ABANDONED
    assert ending(b"data: [DONE]\n\ndata: {}\n\n") is Ending.ABANDONED


@pytest.mark.parametrize(
    ("method", "status", "headers", "body", "ending"),
    [
        ("POST", 200, (("content-length", "2"),), b"{}", Ending.COMPLETE),
        ("POST", 200, (("content-length", "3"),), b"{}", Ending.ABANDONED),
        ("POST", 200, (), b"{}", Ending.ABANDONED),
        ("HEAD", 200, (("content-length", "2"),), b"", Ending.COMPLETE),
        ("HEAD", 0, (), b"", Ending.ABANDONED),
        ("DELETE", 204, (), b"", Ending.COMPLETE),
    ],
)
def test_a_body_that_has_its_length_is_complete(
    method: str, status: int, headers: tuple[tuple[str, str], ...], body: bytes, ending: Ending
) -> None:
    """A client may close as soon as it has all that the head announced."""
    response = HttpResponse(status=status, headers=headers, body=body, ending=Ending.ABANDONED)
    exchange = Exchange(request=HttpRequest(method=method, uri="u"), response=response)
    assert clean_exchange(exchange).response.ending is ending
