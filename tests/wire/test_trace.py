"""What happened is read off the wire: exchanges in, ordered events out."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from harness.records.exchange import Ending, Exchange, HttpRequest, HttpResponse
from harness.records.message import AssistantMessage, ToolResult
from harness.records.price import Price
from harness.records.trace import HttpCall, ModelCall, SystemPrompt, ToolCalled, UserTurn
from harness.wire.sums import total_cost
from harness.wire.trace import read_events

CALLS = [
    {"id": "call_a", "type": "function", "function": {"name": "find", "arguments": '{"id": "1"}'}},
    {"id": "call_b", "type": "function", "function": {"name": "find", "arguments": '{"id": '}},
]
SYSTEM = {"role": "system", "content": "Be kind."}
USER = {"role": "user", "content": "Where are they?"}
ASKS = {"role": "assistant", "content": None, "tool_calls": CALLS}
RESULTS = [
    {"role": "tool", "tool_call_id": "call_b", "content": "bad JSON"},
    {"role": "tool", "tool_call_id": "call_a", "content": "on the van"},
]


def exchange(
    messages: list[Any], reply: dict[str, Any] | None, *, status: int = 200, started: int = 0, **fields: Any
) -> Exchange:
    """One Chat Completions exchange; without a reply, a provider's error."""
    request = {"model": "gpt-5-mini", "messages": messages, **fields}
    finish = "tool_calls" if reply and reply.get("tool_calls") else "stop"
    body: dict[str, Any] = {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit"}}
    if reply is not None:
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-5-mini-2025-08-07",
            "choices": [{"index": 0, "message": reply, "finish_reason": finish}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
    return Exchange(
        request=HttpRequest(
            method="POST", uri="https://api.openai.com/v1/chat/completions", body=json.dumps(request).encode()
        ),
        response=HttpResponse(
            status=status, headers=(("content-type", "application/json"),), body=json.dumps(body).encode()
        ),
        started=started,
        duration=1_000,
    )


def test_tool_calls_get_their_results() -> None:
    """Each call gets the result that a later request handed back, whatever the order; bad arguments stay text."""
    events = read_events(
        [
            (exchange([SYSTEM, USER], ASKS), 1),
            (exchange([SYSTEM, USER, ASKS, *RESULTS], {"role": "assistant", "content": "Found."}, started=5), 1),
        ],
        ["Where are they?"],
        {},
    )
    assert [type(event) for event in events] == [UserTurn, SystemPrompt, ModelCall, ToolCalled, ToolCalled, ModelCall]
    first, second = (event for event in events if isinstance(event, ToolCalled))
    assert (first.arguments, first.result, first.turn) == ({"id": "1"}, "on the van", 1)
    assert (second.arguments, second.result, second.turn) == ('{"id": ', "bad JSON", 1)
    last = events[-1]
    assert isinstance(last, ModelCall)
    assert last.reply is not None
    assert (last.turn, last.sent, last.reply.text, last.started) == (2, (), "Found.", 5)


def test_only_what_is_new_is_shown() -> None:
    """A request shows the messages that no earlier one had: a correction, not the whole conversation again."""
    wrong = {"role": "assistant", "content": "{}"}
    correction = {"role": "user", "content": "`answer` is missing."}
    events = read_events(
        [
            (exchange([SYSTEM, USER], wrong), 1),
            (exchange([SYSTEM, USER, wrong, correction], {"role": "assistant", "content": "Found."}), 1),
        ],
        ["Where are they?"],
        {},
    )
    sent = [[message.role for message in event.sent] for event in events if isinstance(event, ModelCall)]
    assert sent == [[], ["user"]]


def test_a_failed_call_is_an_event_with_its_error() -> None:
    """A rate limit has no reply, no usage and no cost."""
    events = read_events([(exchange([USER], None, status=429), 1)], ["Where are they?"], {})
    (failed,) = (event for event in events if isinstance(event, ModelCall))
    assert (failed.status, failed.reply, failed.usage, failed.cost_usd) == (429, None, None, None)
    assert failed.error is not None
    assert "slow down" in failed.error


def test_cost() -> None:
    """The project's own price comes first; an unknown one makes the total unknown, never zero."""
    played = [(exchange([USER], {"role": "assistant", "content": "Hi."}), 1)]
    listed = read_events(played, ["Where are they?"], {})
    assert total_cost(listed) == Decimal("0.000045")
    own = read_events(played, ["x"], {"gpt-5-mini": Price(Decimal(1), Decimal(1))})
    assert total_cost(own) == Decimal("0.00011")
    unknown = read_events([(exchange([USER], {"role": "assistant", "content": "Hi."}, model="my-own"), 1)], ["x"], {})
    assert isinstance(unknown[-1], ModelCall)
    renamed = unknown[-1].model_copy(update={"cost_usd": None})
    assert total_cost([*listed, renamed]) is None


def test_every_user_turn_stands_before_its_calls() -> None:
    """A turn that made no call is shown too."""
    played = [(exchange([USER], {"role": "assistant", "content": "Hi."}), 2)]
    events = read_events(played, ["Hello.", "Where are they?", "Thanks."], {})
    assert [event.kind for event in events] == ["user_turn", "user_turn", "system_prompt", "model_call", "user_turn"]


def test_other_traffic_is_shown_as_it_is() -> None:
    """An exchange of another protocol, or with a body that is none of ours, is a plain HTTP call."""
    strange = exchange([USER], None).model_copy(
        update={"request": HttpRequest(method="GET", uri="https://example.org/tides", body=b"")}
    )
    broken = exchange([USER], None).model_copy(
        update={"request": HttpRequest(method="POST", uri="https://x/v1/chat/completions", body=b"[1]")}
    )
    assert all(isinstance(event, HttpCall) for event in read_events([(strange, 0), (broken, 0)], [], {}))


def test_a_cut_stream_says_how_it_ended() -> None:
    """A stream without its last frame shows what had arrived, and its error says that it was cut."""
    whole = exchange([USER], {"role": "assistant", "content": "Hi."}, stream=True)
    cut = whole.model_copy(
        update={
            "response": HttpResponse(
                status=200,
                headers=(("content-type", "text/event-stream"),),
                body=b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"H"}}]}\n\n',
                ending=Ending.CUT,
            )
        }
    )
    (call,) = (event for event in read_events([(cut, 1)], ["x"], {}) if isinstance(event, ModelCall))
    assert call.reply == AssistantMessage(text="H")
    assert call.usage is None
    assert call.error is not None
    assert "ended cut" in call.error


AZURE = "https://desk.openai.azure.com/openai/deployments/tide%2Ddesk/chat/completions?api-version=2024-10-21"


def moved(one: Exchange, uri: str, *, status: int = 200, to: str = "", started: int = 0, **fields: Any) -> Exchange:
    """The same exchange at another address, and perhaps answered with a redirect."""
    request = one.request.model_copy(update={"uri": uri} | fields)
    response = one.response.model_copy(update={"status": status})
    if to:
        response = HttpResponse(status=status, headers=(("location", to),))
    return one.model_copy(update={"request": request, "response": response, "started": started})


@pytest.mark.parametrize(
    ("uri", "body_model", "expected"),
    [
        (AZURE, None, ("tide-desk", "gpt-5-mini-2025-08-07")),
        (AZURE, "", ("tide-desk", "gpt-5-mini-2025-08-07")),
        (AZURE, "tide-desk", ("tide-desk", "gpt-5-mini-2025-08-07")),
        ("https://gateway.example.org/v1/chat/completions", None, ("", "gpt-5-mini-2025-08-07")),
        (
            "https://desk.openai.azure.com/openai/v1/chat/completions",
            "tide-desk",
            ("tide-desk", "gpt-5-mini-2025-08-07"),
        ),
        ("https://api.openai.com/v1/chat/completions", "gpt-5-mini", ("gpt-5-mini", "")),
        ("https://azure.com.example.org/v1/chat/completions", "gpt-5-mini", ("gpt-5-mini", "")),
    ],
)
def test_a_deployment_is_the_model(uri: str, body_model: str | None, expected: tuple[str, str]) -> None:
    """Where the path names it and the body does not; the model that answered stands beside it and gives the price."""
    one = exchange([USER], {"role": "assistant", "content": "Hi."}, model=body_model)
    (call,) = (event for event in read_events([(moved(one, uri), 1)], ["x"], {}) if isinstance(event, ModelCall))
    assert (call.model, call.answered_by) == expected
    assert call.cost_usd is not None


HELLO = exchange([USER], {"role": "assistant", "content": "Hi."})
OLD, NEW = "https://old.example.org/v1/chat/completions", "https://new.example.org/v1/chat/completions"


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("to", [NEW, "//new.example.org/v1/chat/completions"])
def test_a_redirect_is_no_second_call(status: int, to: str) -> None:
    """A request that was sent on is an HTTP call that says where to; the model was called once."""
    played = [(moved(HELLO, OLD, status=status, to=to), 1), (moved(HELLO, NEW, started=9_000), 1)]
    events = read_events(played, ["x"], {})
    redirects = [event for event in events if isinstance(event, HttpCall)]
    calls = [event for event in events if isinstance(event, ModelCall)]
    assert [(event.turn, event.status, event.redirected_to, event.model_api) for event in redirects] == [
        (1, status, NEW, "")
    ]
    assert [(call.turn, call.unsure, call.attempts) for call in calls] == [(2, "", ())]


def test_redirects_in_a_row_and_before_a_retry() -> None:
    """Each hop is an HTTP call, also that of a request which failed behind it and was sent again."""
    between = "https://between.example.org/v1/chat/completions"
    failure = exchange([USER], None, status=500)
    events = read_events(
        [
            (moved(HELLO, OLD, status=307, to=between), 1),
            (moved(HELLO, between, status=308, to=NEW, started=2_000), 1),
            (moved(failure, NEW, status=500, started=4_000), 1),
            (moved(HELLO, OLD, status=307, to=NEW, started=6_000), 1),
            (moved(HELLO, NEW, started=8_000), 1),
        ],
        ["x"],
        {},
    )
    assert [event.redirected_to for event in events if isinstance(event, HttpCall)] == [between, NEW, NEW]
    (call,) = (event for event in events if isinstance(event, ModelCall))
    assert [attempt.turn for attempt in call.attempts] == [3]


@pytest.mark.parametrize(
    "later",
    [
        moved(HELLO, "https://elsewhere.example.org/v1/chat/completions", started=9_000),
        moved(HELLO, NEW, started=9_000, body=b'{"messages": []}'),
        moved(HELLO, NEW, started=10),
        moved(HELLO, OLD, started=9_000),
    ],
    ids=["another place", "another body", "at the same time", "the same place"],
)
def test_a_redirect_that_nobody_followed_is_a_call(later: Exchange) -> None:
    """It failed: what was sent besides is no continuation of it."""
    events = read_events([(moved(HELLO, OLD, status=307, to=NEW), 1), (later, 1)], ["x"], {})
    first = next(event for event in events if isinstance(event, ModelCall))
    assert first.error is not None or first.attempts[0].status == 307
    assert not any(isinstance(event, HttpCall) and event.redirected_to for event in events)


def test_results_of_calls_that_are_not_in_the_recording_are_shown() -> None:
    """A history that began before the recording hands on results that no reply in it asked for."""
    events = read_events([(exchange([USER, ASKS, *RESULTS], {"role": "assistant", "content": "Found."}), 0)], [], {})
    (call,) = (event for event in events if isinstance(event, ModelCall))
    assert [(message.role, getattr(message, "content", "")) for message in call.sent] == [
        ("user", ""),
        ("assistant", ""),
        ("tool", "bad JSON"),
        ("tool", "on the van"),
    ]


def test_a_result_that_came_twice_is_shown_the_second_time() -> None:
    """The first belongs to the call; the other is what the agent added."""
    again = {"role": "tool", "tool_call_id": "call_a", "content": "delivered"}
    events = read_events(
        [
            (exchange([SYSTEM, USER], ASKS), 1),
            (exchange([SYSTEM, USER, ASKS, *RESULTS, again], {"role": "assistant", "content": "Found."}, started=5), 1),
        ],
        ["Where are they?"],
        {},
    )
    assert [event.result for event in events if isinstance(event, ToolCalled)] == ["on the van", "bad JSON"]
    (*_, last) = (event for event in events if isinstance(event, ModelCall))
    assert [message.content for message in last.sent if isinstance(message, ToolResult)] == ["delivered"]
