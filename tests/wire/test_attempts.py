"""What was sent again because it failed is one model call with its failed attempts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.records.exchange import Ending, Exchange, HttpRequest, HttpResponse
from harness.records.message import Usage
from harness.records.trace import Event, ModelCall
from harness.wire.sums import known_usage, total_cost, total_usage, unknown_tokens
from harness.wire.trace import read_events
from tests.wire.talking import SECOND, calls_in, exchange, says, user

HELLO = [user("Hello.")]
FAILED = {"status": 429, "took": 0.5}


def read(*exchanges: Exchange) -> list[ModelCall]:
    """The model calls of one user turn."""
    return calls_in(read_events([(each, 1) for each in exchanges], ["Hello."], {}))


def test_a_retry_is_one_call_with_its_failed_attempts() -> None:
    """Status, error, times and the provider's wish are kept of each failed attempt; the call is the answered one's."""
    (call,) = read(
        exchange(HELLO, None, at=0, headers=[("retry-after", "2")], **FAILED),
        exchange(HELLO, None, at=2.5, status=500),
        exchange(HELLO, says("Hi."), at=4),
    )
    assert (call.turn, call.status, call.error, call.began, call.started) == (3, 200, None, 0, 4 * SECOND)
    first, second = call.attempts
    assert (first.turn, first.status, first.started, first.duration) == (1, 429, 0, SECOND // 2)
    assert (first.retry_after, second.retry_after) == (2 * SECOND, None)
    assert "slow down" in first.error
    assert (second.turn, second.status) == (2, 500)


def test_a_call_that_never_succeeds_keeps_its_last_error() -> None:
    """The last attempt is the call; those before it are its failed attempts."""
    (call,) = read(exchange(HELLO, None, at=0, status=503), exchange(HELLO, None, at=2, status=429))
    assert (call.status, call.reply, [attempt.status for attempt in call.attempts]) == (429, None, [503])


def test_a_request_without_a_response_is_a_failed_attempt() -> None:
    """A timeout before any byte has status 0 and the client's word for it."""
    silent = exchange(HELLO, None, at=0, status=0, ending=Ending.STALLED)
    silent = silent.model_copy(
        update={"response": silent.response.model_copy(update={"reason": "ReadTimeout"}), "duration": 30 * SECOND}
    )
    (call,) = read(silent, exchange(HELLO, says("Hi."), at=31))
    (attempt,) = call.attempts
    assert (attempt.status, attempt.error, attempt.duration) == (0, "no response arrived (ReadTimeout)", 30 * SECOND)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (exchange(HELLO, says("Hi."), at=0), exchange(HELLO, says("Hi."), at=2)),
        (exchange(HELLO, None, at=0, status=429, took=3), exchange(HELLO, says("Hi."), at=2)),
        (exchange(HELLO, None, at=0, status=429), exchange(HELLO, says("Hi."), at=2, temperature=0)),
        (exchange(HELLO, None, at=0, status=429), exchange(HELLO, says("Hi."), at=2, model="gpt-5")),
    ],
    ids=["the first was answered", "both at once", "another setting", "another model"],
)
def test_what_is_no_retry_stays_two_calls(first: Exchange, second: Exchange) -> None:
    """A deliberate repeat, a request sent beside another, and a failover are calls of their own."""
    assert [call.attempts for call in read(first, second)] == [(), ()]


def test_a_later_user_turn_is_no_retry() -> None:
    """The same words in another turn of the user are a new call."""
    played = [(exchange(HELLO, None, at=0, status=429), 1), (exchange(HELLO, says("Hi."), at=2), 2)]
    events = read_events(played, ["Hello.", "Hello."], {})
    assert [event.kind for event in events if event.kind in ("user_turn", "model_call")] == [
        "user_turn",
        "model_call",
    ] * 2


def test_equal_requests_side_by_side_each_have_their_own_retry() -> None:
    """Two equal requests at once that both fail are two calls with one failed attempt each."""
    calls = read(
        exchange(HELLO, None, at=0, status=429),
        exchange(HELLO, None, at=0.1, status=429),
        exchange(HELLO, says("A."), at=2),
        exchange(HELLO, says("B."), at=2.1),
    )
    assert [(call.turn, [attempt.turn for attempt in call.attempts]) for call in calls] == [(3, [1]), (4, [2])]


def stream(*events: dict[str, Any], at: float, ending: Ending) -> Exchange:
    """A streamed Anthropic reply."""
    request = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": HELLO, "stream": True}
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return Exchange(
        request=HttpRequest(
            method="POST", uri="https://api.anthropic.com/v1/messages", body=json.dumps(request).encode()
        ),
        response=HttpResponse(
            status=200, headers=(("content-type", "text/event-stream"),), body=body.encode(), ending=ending
        ),
        started=round(at * SECOND),
        duration=SECOND,
    )


def test_a_cut_stream_is_a_failed_attempt_with_what_it_had_reported() -> None:
    """Tokens that a broken stream had reported stand with the attempt; what it took in the end, nobody knows."""
    start = {
        "type": "message_start",
        "message": {"id": "m", "model": "claude-sonnet-4-5", "usage": {"input_tokens": 1200, "output_tokens": 1}},
    }
    end: list[dict[str, Any]] = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hi."}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]
    played = [
        (stream(start, at=0, ending=Ending.CUT), 1),
        (stream(start, *end, at=2, ending=Ending.COMPLETE), 1),
    ]
    events: tuple[Event, ...] = read_events(played, ["Hello."], {})
    (call,) = calls_in(events)
    assert call.attempts[0].usage == Usage(input_tokens=1200, output_tokens=1)
    assert "ended cut" in call.attempts[0].error
    assert known_usage(events) == call.usage == Usage(input_tokens=1200, output_tokens=5)
    assert (total_usage(events), total_cost(events)) == (None, None)
    assert unknown_tokens(events) == ("turn 1 broke off after it had begun to answer",)
    (alone,) = calls_in(read_events(played[:1], ["Hello."], {}))
    assert (alone.usage, alone.cost_usd, total_usage([alone])) == (call.attempts[0].usage, None, None)
