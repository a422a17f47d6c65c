"""A trial in which much happens at once: a guard, two sub-agents side by side, a retry, a provider's own tool."""

from __future__ import annotations

from harness.records.comparison import Results
from harness.records.message import UserMessage
from harness.records.trace import (
    Conversation,
    FailedAttempt,
    HttpCall,
    Role,
    SystemPrompt,
    ToolCalled,
    Trace,
    UserTurn,
)
from harness.wire.sums import total_cost, total_usage
from tests.reporting.desk import SECOND, gather, make_trace, model_call, passed_case, tool

__all__ = ["threaded_results", "threaded_trace"]


def threaded_trace() -> Trace:
    """Six calls in four conversations."""
    second = SECOND
    attempts = (
        FailedAttempt(
            turn=3,
            status=429,
            error="the provider answered 429 rate_limit_exceeded: Slow down.",
            started=2 * second,
            duration=second // 2,
            retry_after=2 * second,
        ),
        FailedAttempt(
            turn=5, status=0, error="no response arrived (ReadTimeout)", started=int(4.5 * second), duration=second
        ),
    )
    boss = {"tools": ("research", "web_search")}
    calls = [
        model_call(1, "yes", conversation=2, started=0, duration=second, tools=()),
        model_call(2, "", started=second // 10, duration=second, **boss),
        model_call(
            6,
            "The TGV at nine.",
            conversation=3,
            attempts=attempts,
            started=6 * second,
            duration=second,
            sent=(UserMessage(text="Find trains to Lyon."),),
        ),
        model_call(
            4,
            "The Negresco.",
            conversation=4,
            started=int(2.1 * second),
            duration=second,
            linked="the last reply stands in it; older messages were dropped or rewritten",
            unsure="several conversations hold what it goes on from",
        ),
        model_call(7, "Take the TGV, stay at the Negresco.", started=8 * second, duration=second, **boss),
    ]
    return make_trace(
        UserTurn(number=1, text="Plan my trip."),
        Conversation(number=2, role=Role.SIDE, name="Say whether this is …", ground="nothing holds its reply"),
        SystemPrompt(text="Say whether this is about travel.", conversation=2),
        calls[0],
        Conversation(number=1, role=Role.MAIN, name="You run a travel desk.", ground="its reply is the agent's answer"),
        calls[1],
        tool(2, "research", {"about": "trains to Lyon"}, "The TGV at nine."),
        tool(2, "research", {"about": "hotels in Nice"}, "The Negresco."),
        *(
            event
            for number, call in ((3, calls[2]), (4, calls[3]))
            for event in (
                Conversation(
                    number=number,
                    role=Role.SUB_AGENT,
                    name="You search.",
                    parent=1,
                    tool="research",
                    tool_call="call_2_research",
                    ground="its last reply is the result of the tool call",
                ),
                SystemPrompt(text="You search.", conversation=number),
                call,
            )
        ),
        ToolCalled(
            turn=4,
            call_id="ws_1",
            name="web_search",
            arguments={"query": "hotels in Nice"},
            at_provider=True,
            result=None,
        ),
        ToolCalled(turn=6, call_id="c", name="timetable", arguments="{when: nine", not_json=True, result="bad JSON"),
        HttpCall(
            turn=8,
            method="POST",
            uri="https://api.openai.com/v1/embeddings",
            status=200,
            model_api="embeddings",
            takes_tokens=True,
            started=7 * second,
            duration=second // 10,
        ),
        calls[4],
        outputs=("Take the TGV, stay at the Negresco.",),
    )


def threaded_results() -> Results:
    """A run of this one trial."""
    run, compared = passed_case("travel/plan")
    trace = threaded_trace()
    sums = {"usage": total_usage(trace.events), "cost_usd": total_cost(trace.events)}
    trial = run.trials[0].model_copy(update={"trace": trace.model_copy(update=sums)})
    return gather([(run.model_copy(update={"trials": (trial,)}), compared)])
