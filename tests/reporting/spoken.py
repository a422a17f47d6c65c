"""A trial whose replies hold more than text: thoughts, media, tools between texts, choices, and broken ones."""

from __future__ import annotations

from harness.records.comparison import Results
from harness.records.message import AssistantMessage, Part, PartKind, ToolCall, UserMessage
from harness.records.trace import FailedAttempt, HttpCall, ToolCalled, Trace, UserTurn
from tests.reporting.desk import SECOND, gather, make_trace, model_call, passed_case, tool

__all__ = ["ASKS", "SEARCHES", "spoken_results", "spoken_trace"]

SEARCH = {"type": "web_search_call", "id": "ws_1", "action": {"query": "tides in Nice"}, "results": ["high at nine"]}
SEARCHES = AssistantMessage(
    text="I look it up.High tide is at nine.",
    parts=(
        Part(kind=PartKind.THOUGHT, text="The tides change daily.\n\nSo I search."),
        Part(kind=PartKind.THOUGHT),
        Part(kind=PartKind.TEXT, text="I look it up."),
        Part(kind=PartKind.PROVIDER_TOOL, text="web_search", call_id="ws_1"),
        Part(kind=PartKind.TEXT, text="High tide is at nine."),
        Part(kind=PartKind.NOTE, text="source: Tides, https://example.org/tides"),
        Part(kind=PartKind.MEDIA, text="image/png, 2,048 bytes"),
        Part(kind=PartKind.UNREAD, text="hologram"),
    ),
    raw=(SEARCH,),
)
"""A reply with one of nearly everything."""
ASKS = AssistantMessage(
    text="One moment.",
    tool_calls=(ToolCall(id="c1", name="find_order", arguments='{"order_id": "1042"}'),),
)
"""Text, then a tool call."""


def spoken_trace() -> Trace:
    """Two answered calls, a redirect, and two broken ones."""
    broken = FailedAttempt(
        turn=3,
        status=200,
        error="the provider's reply is broken: the stream ends before its last frame",
        started=3 * SECOND,
        duration=SECOND,
        reply=ASKS,
    )
    return make_trace(
        UserTurn(number=1, text="When is high tide?"),
        model_call(1, sent=(UserMessage(text="And this?\n[image/png, 2,048 bytes]"),), reply=SEARCHES, started=0),
        ToolCalled(
            turn=1,
            call_id="ws_1",
            name="web_search",
            arguments={"query": "tides in Nice"},
            at_provider=True,
            result="high at nine",
        ),
        HttpCall(
            turn=2,
            method="POST",
            uri="https://old.example.org/v1/chat/completions",
            status=308,
            redirected_to="https://new.example.org/v1/chat/completions",
            started=2 * SECOND,
            duration=SECOND // 10,
        ),
        model_call(
            4,
            attempts=(broken,),
            started=5 * SECOND,
            reply=ASKS,
            others=(
                AssistantMessage(text="Or I guess."),
                AssistantMessage(
                    text="",
                    tool_calls=(ToolCall(id="c2", name="refund", arguments="{}"),),
                    parts=(
                        Part(kind=PartKind.THOUGHT, text="A refund is quicker."),
                        Part(kind=PartKind.TOOL_CALL, text="refund", call_id="c2"),
                    ),
                ),
            ),
        ),
        tool(4, "find_order", {"order_id": "1042"}, "shipped"),
        model_call(
            5,
            model="tide-desk",
            answered_by="gpt-5-mini-2025-08-07",
            started=7 * SECOND,
            reply=ASKS,
            error="the provider's reply is broken: it was left early",
            unread=("the rest of the stream: it holds no JSON",),
        ),
        outputs=("High tide is at nine.",),
    )


def spoken_results() -> Results:
    """A run of this one trial."""
    run, compared = passed_case("travel/tides")
    trial = run.trials[0].model_copy(update={"trace": spoken_trace()})
    return gather([(run.model_copy(update={"trials": (trial,)}), compared)])
