"""A recorded request that was not sent is named as such, with what may have answered it instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.cassettes import ReplaySession, describe_unplayed
from harness.errors import CassetteMissError
from harness.records.exchange import Cassette, Exchange, HttpRequest, HttpResponse
from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.seams import RecordedClock

CHAT = "https://api.openai.com/v1/chat/completions"
EMBEDDINGS = "https://api.openai.com/v1/embeddings"
SEARCH = "http://search.example/query"
LOOK = "look for an answer that the agent kept from an earlier run, such as a cache of its own"


def post(uri: str, **body: Any) -> HttpRequest:
    """A request with this body."""
    return HttpRequest(method="POST", uri=uri, body=json.dumps(body).encode())


def chat(*said: str, system: str = "Answer.") -> HttpRequest:
    """A chat call in which the user and the model speak in turns."""
    messages = [{"role": "system", "content": system}]
    messages += [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(said)]
    return post(CHAT, model="gpt-5-mini", messages=messages)


SUM = chat("Sum up the book.", system="You sum up.")
ASK = chat("Who did it?", system="The book: a butler, a duke.")
FIRST, SECOND = chat("Hello"), chat("Hello", "Hi", "Who did it?")
EMBED = post(EMBEDDINGS, model="text-embedding-3-small", input="Who did it?")
QUERY = post(SEARCH, vector=[1, 2])


def replay(recorded: list[HttpRequest], *sent: HttpRequest, seconds: int = 1) -> Mismatch:
    """What is said where requests are sent to a recording of others, each of which took a second after the last."""
    exchanges = tuple(
        Exchange(request=each, response=HttpResponse(status=200), started=at * 10**9, duration=seconds * 10**9)
        for at, each in enumerate(recorded)
    )
    session = ReplaySession(Cassette(exchanges=exchanges), clock=RecordedClock())
    try:
        for each in sent:
            session.meet(each)
    except CassetteMissError:
        assert session.mismatch is not None
        return session.mismatch
    return describe_unplayed(session)


LATER = {
    "in the system prompt": (
        [SUM, ASK],
        chat("Who did it?", system="The book: a duke."),
        "gpt-5-mini: Sum up the book.",
    ),
    "in the conversation": ([FIRST, SECOND], chat("Hello", "Good day", "Who did it?"), "gpt-5-mini: Hello"),
    "without that turn": ([FIRST, SECOND], chat("Who did it?"), "gpt-5-mini: Hello"),
    "in another service's body": ([EMBED, QUERY], post(SEARCH, vector=[1, 3]), f"POST {EMBEDDINGS}"),
    "behind another service": ([QUERY, ASK], chat("Who did it?", system="The book: none."), f"POST {SEARCH}"),
}


@pytest.mark.parametrize(("recorded", "sent", "unsent"), LATER.values(), ids=LATER)
def test_a_later_call_without_what_was_not_asked_for(
    recorded: list[HttpRequest], sent: HttpRequest, unsent: str
) -> None:
    """The request that is missing before it comes first, then what differs; it is no edit of the author's."""
    found = replay(recorded, sent)
    assert (found.kind, found.part, found.turn) == (MismatchKind.CHANGED, MismatchPart.UNPLAYED, 1)
    assert found.cause.startswith(f"call 1 of the recording ({unsent}) was not sent: {LOOK}; after it, ")
    assert found.differences[0].cause == found.cause
    assert found.differences[0].diff


def test_an_edit_may_be_what_differs_all_the_same() -> None:
    """What would be called stale without the missing request is the second reading."""
    found = replay([SUM, ASK], chat("Who did it?", system="The book: a duke."))
    assert found.other_reading == "stale: the author edited the agent (system prompt, line 1)"


def test_later_calls_that_match() -> None:
    """A call in the middle that was never asked for is named; the agent did not stop there."""
    found = replay([FIRST, SUM, ASK], FIRST, ASK)
    assert (found.part, found.turn, found.other_reading) == (MismatchPart.UNPLAYED, 2, None)
    assert found.cause == (
        "call 2 of the recording (gpt-5-mini: Sum up the book.) was not sent, though later calls were: "
        f"1 of 3 recorded exchanges was not asked for; {LOOK}"
    )


def test_no_later_call() -> None:
    """An agent that stopped may have had its last answer from elsewhere: the second reading says so."""
    found = replay([FIRST, SUM, ASK], FIRST)
    assert (
        found.cause == "the agent stopped before call 2 of the recording: 2 of 3 recorded exchanges were not asked for"
    )
    assert found.other_reading == f"the agent went on, with another answer to call 2; {LOOK}"


def test_telemetry_that_another_tool_recorded_is_no_later_call() -> None:
    """It is never asked for, so it says nothing of whether the agent went on."""
    telemetry = post("https://api.openai.com/v1/traces/ingest")
    assert replay([FIRST, SUM, telemetry], FIRST).cause.startswith("the agent stopped before call 2 of the recording")


def test_several_that_were_not_sent() -> None:
    """The first is named, the others are counted."""
    found = replay([EMBED, QUERY, ASK], chat("Who did it?", system="The book: none."))
    assert found.cause.startswith(f"call 1 of the recording (POST {EMBEDDINGS}) and 1 more were not sent: ")


@pytest.mark.parametrize(
    ("recorded", "sent", "cause"),
    [
        ([SUM, ASK], chat("Sum up the book.", system="You sum it up."), "system prompt, line 1"),
        ([FIRST, SECOND], chat("Good day"), "opening, message 1 (user) differs"),
        ([ASK, ASK], chat("Who did it?", system="The book: none."), "system prompt, line 1"),
        ([QUERY, QUERY], post(SEARCH, vector=[1, 3]), "`POST /query`: its body differs: vector.2 2 → 3"),
    ],
    ids=["prompt", "opening", "one of several alike", "body"],
)
def test_an_edit_of_the_first_call(recorded: list[HttpRequest], sent: HttpRequest, cause: str) -> None:
    """Where the request may be the first recorded one, nothing is called missing."""
    assert replay(recorded, sent).cause == cause


def test_what_was_asked_at_the_same_time_may_still_come() -> None:
    """Of two requests that were under way at once, neither is missing when the other is sent."""
    found = replay([SUM, ASK], chat("Who did it?", system="The book: a duke."), seconds=5)
    assert (found.kind, found.cause) == (MismatchKind.STALE, "system prompt, line 1")
