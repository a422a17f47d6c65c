"""Each check has a trace that it must fail and one that it must pass."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from harness.records.message import AssistantMessage, ToolCall
from harness.records.scenario import Called, Limits, NotCalled, Order, OutputRule, State
from harness.records.score import Score, ScoreStatus
from harness.records.trace import FailedAttempt, HttpCall, ModelCall, Trace
from harness.scorers.checks import (
    check_called,
    check_limits,
    check_not_called,
    check_order,
    check_output,
    check_state,
)
from tests.traces import make_trace

REFUNDED = make_trace(("find_order", {"order_id": "1042", "deep": {"a": 1, "b": 2}}), ("refund", {"order_id": "1042"}))


@pytest.mark.parametrize(
    ("rule", "output", "passes"),
    [
        ({"equals": "Done."}, "Done.", True),
        ({"equals": "Done."}, "Done. ", False),
        ({"equals": {"a": [1, 2.0]}}, {"a": [1.0, 2]}, True),
        ({"equals": {"a": 1}}, {"a": True}, False),
        ({"equals": None}, None, True),
        ({"contains": "30 days"}, "Only within 30 days.", True),
        ({"contains": "30 Days"}, "Only within 30 days.", False),
        ({"contains": ["30", "days"]}, "30 days", True),
        ({"contains": ["30", "weeks"]}, "30 days", False),
        ({"contains": '"declined": true'}, {"declined": True}, True),
        ({"matches": r"\b\d+ days\b"}, "Only within 30 days.", True),
        ({"matches": r"^\d+ days"}, "Only within 30 days.", False),
    ],
)
def test_output(rule: dict[str, JsonValue], output: JsonValue, passes: bool) -> None:
    """The answer is held against text, parts of text, a pattern or data."""
    (score,) = check_output(OutputRule.model_validate(rule), make_trace(output=output))
    assert (score.status is ScoreStatus.PASSED) is passes
    assert score.value == float(passes)


def test_endless_pattern_is_an_error_of_its_own() -> None:
    """A pattern that searches for ever ends in an error that names it, and is never a verdict."""
    rule = OutputRule(matches=r"(a|aa)+$")
    (score,) = check_output(rule, make_trace(output="a" * 60 + "b"))
    assert score.status is ScoreStatus.ERRORED
    assert "simplify it" in score.reason


@pytest.mark.parametrize(
    ("expected", "passes"),
    [
        ({"called": "refund"}, True),
        ({"called": "escalate"}, False),
        ({"called": "find_order", "arguments": {"order_id": "1042"}}, True),
        ({"called": "find_order", "arguments": {"deep": {"b": 2}}}, True),
        ({"called": "find_order", "arguments": {"order_id": "1043"}}, False),
        ({"called": "find_order", "arguments": {"other": None}}, False),
        ({"called": "refund", "exactly": {"order_id": "1042"}}, True),
        ({"called": "find_order", "exactly": {"order_id": "1042"}}, False),
        ({"called": "refund", "times": 1}, True),
        ({"called": "refund", "times": 2}, False),
    ],
)
def test_called(expected: dict[str, JsonValue], passes: bool) -> None:
    """A call is found by name, by a subset of its arguments, by the whole, by count."""
    score = check_called(Called.model_validate(expected), REFUNDED)
    assert (score.status is ScoreStatus.PASSED) is passes


def test_not_called_names_the_turn() -> None:
    """A forbidden call fails with the turn and the call as it was made."""
    score = check_not_called(NotCalled(not_called="refund"), REFUNDED)
    assert score.status is ScoreStatus.FAILED
    assert 'turn 2: refund(order_id="1042")' in score.reason
    assert check_not_called(NotCalled(not_called="escalate"), REFUNDED).status is ScoreStatus.PASSED


@pytest.mark.parametrize("trace", [REFUNDED, REFUNDED.model_copy(update={"events": ()})])
def test_a_tool_that_was_never_offered_proves_nothing(trace: Trace) -> None:
    """A misspelt name fails `not_called` too, for nothing was checked."""
    score = check_not_called(NotCalled(not_called="refnd"), trace)
    assert score.status is ScoreStatus.FAILED
    assert "never offered" in score.reason or "no model call" in score.reason


@pytest.mark.parametrize(
    ("order", "passes"), [(("find_order", "refund"), True), (("refund", "find_order"), False), (("refund",) * 2, False)]
)
def test_order(order: tuple[str, ...], passes: bool) -> None:
    """Calls must come in this order; each is used once."""
    assert (check_order(Order(order=order), REFUNDED).status is ScoreStatus.PASSED) is passes


@pytest.mark.parametrize(
    ("path", "value", "passes"),
    [
        ("refunds", {}, True),
        ("orders.1042.status", "delivered", True),
        ("orders.1042.status", "refunded", False),
        ("orders.1042.notes.0", "fragile", True),
        ("orders.1042.notes.1", "fragile", False),
        ("orders.1043", None, False),
    ],
)
def test_state(path: str, value: JsonValue, passes: bool) -> None:
    """Each path is exact, and a path that leads nowhere is not null."""
    state: JsonValue = {"refunds": {}, "orders": {"1042": {"status": "delivered", "notes": ["fragile"]}}}
    (score,) = check_state(State(state={path: value}), make_trace(state=state))
    assert (score.status is ScoreStatus.PASSED) is passes


@pytest.mark.parametrize(
    ("limits", "passes"),
    [
        ({"model_calls": 3}, True),
        ({"model_calls": 2}, False),
        ({"tool_calls": 2}, True),
        ({"tool_calls": 1}, False),
        ({"tokens": 360}, True),
        ({"tokens": 359}, False),
        ({"cost_usd": "0.03"}, True),
        ({"cost_usd": "0.02"}, False),
        ({"seconds": 3}, True),
        ({"seconds": 2.9}, False),
    ],
)
def test_limits(limits: dict[str, JsonValue], passes: bool) -> None:
    """A limit holds up to its own value and not beyond."""
    (score,) = check_limits(Limits.model_validate(limits, strict=False), REFUNDED)
    assert (score.status is ScoreStatus.PASSED) is passes


def test_unknown_cost_never_passes_a_cost_limit() -> None:
    """Where the price is unknown the limit fails and says which price is missing."""
    (score,) = check_limits(Limits.model_validate({"cost_usd": "1.00"}), make_trace(cost=None))
    assert score.status is ScoreStatus.FAILED
    assert score.value is None
    assert score.reason == "unknown: turn 1: give the price of gpt-5-mini in [tool.harness.prices]"


def test_unknown_usage_never_passes_a_limit() -> None:
    """Where a reply does not say what it took, neither its tokens nor its cost count as 0."""
    trace = make_trace(cost=None)
    unsaid = {"usage": None, "usage_unknown": "says no usage"}
    silent = tuple(event.model_copy(update=unsaid) if isinstance(event, ModelCall) else event for event in trace.events)
    limits = Limits.model_validate({"tokens": 1_000_000, "cost_usd": "1.00"})
    for score in check_limits(limits, trace.model_copy(update={"events": silent})):
        assert (score.status, score.value) == (ScoreStatus.FAILED, None)
        assert score.reason == "unknown: the reply of gpt-5-mini in turn 1 says no usage"


def test_what_is_known_may_exceed_a_limit_that_is_unknown() -> None:
    """Two calls took 240 tokens and 0.02 dollars, and there is one of an API that is not read."""
    trace = make_trace(("refund", {}))
    unread = HttpCall(
        turn=9, method="POST", uri="https://x", status=200, model_api="rerank", takes_tokens=True, started=0, duration=0
    )
    trace = trace.model_copy(update={"events": (*trace.events, unread)})
    limits = Limits.model_validate({"tokens": 239, "cost_usd": "0.01"})
    reasons = [(score.value, score.reason) for score in check_limits(limits, trace)]
    assert reasons == [(0.0, "at least 240 tokens, limit 239"), (0.0, "at least 0.02 cost_usd, limit 0.01")]
    limits = Limits.model_validate({"tokens": 240, "cost_usd": "0.02"})
    rest = "turn 9 is a call of an API that is not read (rerank)"
    reasons = [(score.value, score.reason) for score in check_limits(limits, trace)]
    assert reasons == [
        (None, f"unknown: at least 240 tokens; {rest}"),
        (None, f"unknown: at least 0.02 cost_usd; {rest}"),
    ]


HIDDEN = "turn 9 is a call of an API that is not read (Gemini)"


def hiding(trace: Trace) -> Trace:
    """The same trace with a call of an API that we do not read."""
    call = HttpCall(
        turn=9, method="POST", uri="https://x", status=200, model_api="Gemini", hides_tools=True, started=0, duration=0
    )
    return trace.model_copy(update={"events": (*trace.events, call)})


def breaking(trace: Trace, tool: str) -> Trace:
    """The same trace with a call of a tool in an attempt that broke off."""
    reply = AssistantMessage(tool_calls=(ToolCall(id="x", name=tool, arguments="{}"),))
    failed = FailedAttempt(turn=7, status=200, error="cut", started=0, duration=0, reply=reply)
    last = trace.model_calls[-1]
    again = last.model_copy(update={"attempts": (failed,)})
    return trace.model_copy(update={"events": tuple(again if each is last else each for each in trace.events)})


@pytest.mark.parametrize(
    ("score", "status"),
    [
        (check_not_called(NotCalled(not_called="refund"), hiding(make_trace())), ScoreStatus.ERRORED),
        (check_not_called(NotCalled(not_called="refund"), hiding(make_trace(("refund", {})))), ScoreStatus.FAILED),
        (check_not_called(NotCalled(not_called="nonsense"), hiding(make_trace())), ScoreStatus.ERRORED),
        (check_called(Called(called="refund"), hiding(make_trace())), ScoreStatus.ERRORED),
        (check_called(Called(called="refund"), hiding(make_trace(("refund", {})))), ScoreStatus.PASSED),
        (check_called(Called(called="refund", times=1), hiding(make_trace(("refund", {})))), ScoreStatus.ERRORED),
        (check_called(Called(called="refund", times=1), hiding(make_trace(*[("refund", {})] * 2))), ScoreStatus.FAILED),
        (check_order(Order(order=("find_order", "refund")), hiding(make_trace(("refund", {})))), ScoreStatus.ERRORED),
        (check_order(Order(order=("refund", "refund")), hiding(make_trace(*[("refund", {})] * 2))), ScoreStatus.PASSED),
        (check_not_called(NotCalled(not_called="refund"), breaking(make_trace(), "refund")), ScoreStatus.ERRORED),
        (check_not_called(NotCalled(not_called="escalate"), breaking(make_trace(), "refund")), ScoreStatus.PASSED),
    ],
)
def test_what_was_not_read_passes_no_check(score: Score, status: ScoreStatus) -> None:
    """Where calls may be hidden, a check holds only by what is shown, and says what hides them."""
    assert score.status is status
    if status is ScoreStatus.ERRORED:
        assert score.value is None
        assert score.reason.startswith(("can't tell: turn 9", "can't tell: turn 7 broke off"))


@pytest.mark.parametrize(
    ("limits", "trace", "value", "reason"),
    [
        ({"tool_calls": 3}, hiding(make_trace()), None, f"unknown: {HIDDEN}"),
        ({"tool_calls": 1}, hiding(make_trace(*[("refund", {})] * 2)), 0.0, "at least 2 tool_calls, limit 1"),
        ({"model_calls": 3}, hiding(make_trace()), None, f"unknown: at least 1 model_calls; {HIDDEN}"),
        ({"model_calls": 1}, hiding(make_trace(("refund", {}))), 0.0, "at least 2 model_calls, limit 1"),
        (
            {"tool_calls": 1},
            breaking(make_trace(), "refund"),
            None,
            "unknown: turn 7 broke off after a call of refund had arrived",
        ),
    ],
)
def test_a_limit_on_calls_that_may_be_hidden(
    limits: dict[str, int], trace: Trace, value: float | None, reason: str
) -> None:
    """It fails as unknown, and by its number where what is shown exceeds it already."""
    (score,) = check_limits(Limits(**limits), trace)
    assert (score.status, score.value, score.reason) == (ScoreStatus.FAILED, value, reason)


def test_a_tool_of_a_server_that_lists_nothing_is_not_called_unknown() -> None:
    """It may be one of the server's; a call of it would be in the trace."""
    trace = make_trace()
    (call,) = trace.model_calls
    served = trace.model_copy(update={"events": (call.model_copy(update={"servers": ("wiki",)}),)})
    expected = NotCalled(not_called="delete_page")
    assert check_not_called(expected, served).status is ScoreStatus.PASSED
    assert check_not_called(expected, trace).status is ScoreStatus.FAILED
