"""Results of a support desk's run, as the pipeline would hand them over: one case for each way to end."""

from __future__ import annotations

from decimal import Decimal

from pydantic import JsonValue

from harness.records.comparison import CaseComparison, Change, Comparison, Results
from harness.records.message import Api, AssistantMessage, StopReason, Usage
from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.records.outcome import Outcome
from harness.records.run import CaseResult, Run, RunFacts, Trial
from harness.records.score import Score, ScorerKind, ScoreStatus
from harness.records.trace import AgentRaised, Event, ModelCall, SystemPrompt, ToolCalled, Trace, UserTurn

SECOND = 1_000_000_000
PROMPT = """You are the support desk of Northwind Lamps.

Be brief and friendly. Never promise what policy does not allow.
Refunds: only within 30 days of delivery, only for orders that exist.
Look an order up before you speak about it."""

FACTS = RunFacts(
    harness_version="0.1.0",
    python_version="3.11.2",
    platform="Linux x86_64",
    host="ci-7",
    argv=("harness", "run"),
    mode="replay",
    concurrency=2,
    started_at="2026-03-01T09:30:00Z",
    seconds=0.84,
)


def model_call(
    turn: int, text: str = "", *, user_turn: int = 1, cost: str | None = "0.00041", **fields: object
) -> ModelCall:
    """A model call that took a second and a bit."""
    known: dict[str, object] = {
        "turn": turn,
        "user_turn": user_turn,
        "api": Api.OPENAI_CHAT,
        "model": "gpt-5-mini",
        "sent": (),
        "tools": ("find_order", "refund"),
        "status": 200,
        "reply": AssistantMessage(text=text),
        "stop": StopReason.END if text else StopReason.TOOL_CALLS,
        "usage": Usage(input_tokens=310 + 90 * turn, output_tokens=24 + len(text) // 4),
        "cost_usd": Decimal(cost) if cost else None,
        "started": (turn - 1) * 1_400_000_000,
        "duration": 1_150_000_000 + 70_000_000 * turn,
    }
    return ModelCall.model_validate(known | fields)


def tool(turn: int, name: str, arguments: JsonValue, result: str | None, *, is_error: bool = False) -> ToolCalled:
    """A tool call and what came back."""
    return ToolCalled(
        turn=turn, call_id=f"call_{turn}_{name}", name=name, arguments=arguments, result=result, is_error=is_error
    )


def make_trace(*events: Event, outputs: tuple[JsonValue, ...] = (), state: JsonValue = None) -> Trace:
    """A trace whose totals are those of its calls."""
    calls = [event for event in events if isinstance(event, ModelCall)]
    costs = [call.cost_usd for call in calls]
    return Trace(
        run_id="5f1c0a9be2d4",
        events=(SystemPrompt(text=PROMPT), *events),
        outputs=outputs,
        state=state,
        usage=sum((call.usage for call in calls if call.usage), Usage()),
        cost_usd=None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0)),
        duration=max((call.started + call.duration for call in calls), default=0),
    )


def check(name: str, reason: str, *, passed: bool = True, evidence: str | None = None) -> Score:
    """A check's score."""
    status = ScoreStatus.PASSED if passed else ScoreStatus.FAILED
    return Score(
        name=name, scorer=ScorerKind.CHECK, status=status, value=float(passed), reason=reason, evidence=evidence
    )


def refunds(second: str) -> Trace:
    """Two refunds in one message; the second goes to the order given."""
    order = '{"id": "%s", "delivered": "2026-02-20", "total": "24.50"}'
    final = "Both refunds are on their way: 59.00 for order 1042 and 24.50 for order 1043. Allow three working days."
    if second == "1042":
        final = "Your refund for order 1042 is on its way. Allow three working days."
    return make_trace(
        UserTurn(number=1, text="Both lamps arrived broken. Please refund orders 1042 and 1043."),
        model_call(1),
        tool(1, "find_order", {"order_id": "1042"}, order % "1042"),
        tool(1, "find_order", {"order_id": "1043"}, order % "1043"),
        model_call(2, "I have both orders in front of me and will refund them now."),
        tool(2, "refund", {"order_id": "1042", "reason": "arrived broken"}, '{"refunded": "59.00"}'),
        tool(
            2,
            "refund",
            {"order_id": second, "reason": "arrived broken"},
            '{"refunded": "24.50"}' if second == "1043" else "order 1042 was refunded already",
            is_error=second != "1043",
        ),
        model_call(3, final),
        outputs=(final,),
        state={"refunds": {"1042": "59.00"} | ({"1043": "24.50"} if second == "1043" else {})},
    )


def trial(name: str, outcome: Outcome, reason: str = "", *, number: int = 1, **fields: object) -> Trial:
    """A trial of a scenario's only case."""
    return Trial.model_validate(
        {"scenario": name, "case": "default", "trial": number, "outcome": outcome, "reason": reason} | fields
    )


def case(name: str, description: str, trials: list[Trial], **fields: object) -> CaseResult:
    """A case that ends as the worst of its trials, unless said otherwise."""
    worst = next((one for one in trials if one.outcome is not Outcome.PASSED), None)
    known: dict[str, object] = {
        "scenario": name,
        "case": "default",
        "source": f"scenarios/{name}.yaml",
        "description": description,
        "tags": ("support",),
        "outcome": worst.outcome if worst else Outcome.PASSED,
        "reason": worst.reason if worst else "",
        "passed": sum(one.outcome is Outcome.PASSED for one in trials),
        "required": len(trials) or 1,
        "trials": len(trials) or 1,
    }
    return CaseResult.model_validate(known | fields)


def regressed_case() -> tuple[Run, CaseComparison]:
    """The second refund goes to the wrong order in two of three trials."""
    name, about = "support/two-refunds", "A customer asks for two refunds in one message; both are within policy."
    why = 'turn 2: refund(order_id="1042") instead of refund(order_id="1043")'
    good = (
        check("called refund", "called with order_id=1043, as expected"),
        check("state refunds", 'refunds is {"1042": "59.00", "1043": "24.50"}'),
        Score(
            name="judge clear-answer",
            scorer=ScorerKind.JUDGE,
            status=ScoreStatus.PASSED,
            value=5.0,
            reason="5 of 5: both amounts are named",
        ),
    )
    bad = (
        check(
            "called refund", "no call has order_id=1043", passed=False, evidence='refund({"order_id": "1042"}), twice'
        ),
        check("state refunds", "refunds.1043 is missing; expected '24.50'", passed=False),
        good[2].model_copy(update={"value": 4.0, "reason": "4 of 5: the second order is not mentioned"}),
    )
    mismatch = Mismatch(
        kind=MismatchKind.CHANGED,
        part=MismatchPart.CONVERSATION,
        turn=3,
        cause="tool result of `refund` differs",
        recorded='{"refunded": "24.50"}',
        current="order 1042 was refunded already",
        other_reading="the refund tool's own text was edited on purpose; record again",
    )
    before = [trial(name, Outcome.PASSED, number=n, scores=good, trace=refunds("1043")) for n in (1, 2, 3)]
    now = [
        before[0],
        trial(name, Outcome.FAILED, why, number=2, scores=bad, trace=refunds("1042"), mismatch=mismatch),
        trial(name, Outcome.FAILED, why, number=3, scores=bad, trace=refunds("1042")),
    ]
    accepted = Run(cases=(case(name, about, before),), trials=tuple(before))
    tags = ("support", "refunds")
    result = Run(cases=(case(name, about, now, tags=tags),), trials=tuple(now))
    comparison = CaseComparison(
        scenario=name, case="default", change=Change.REGRESSED, reason="passed 3 of 3, now 1 of 3", before=accepted
    )
    return result, comparison


def failed_case() -> tuple[Run, CaseComparison]:
    """The agent raises; so it did before."""
    name = "support/unknown-order"
    trace = make_trace(
        UserTurn(number=1, text="Where is order 9999?"),
        model_call(1),
        tool(1, "find_order", {"order_id": "9999"}, None),
        AgentRaised(user_turn=1, type="KeyError", message="'9999'", place="scenarios/support/desk.py:48"),
    )
    why = "the agent raised KeyError: '9999' at scenarios/support/desk.py:48"
    one = trial(
        name, Outcome.FAILED, why, trace=trace, scores=(check("output contains", "there is no answer", passed=False),)
    )
    return _plain(name, "An order that does not exist is said to be unknown, kindly.", [one], Change.UNCHANGED)


def stale_case(name: str) -> tuple[Run, CaseComparison]:
    """The author changed the system prompt."""
    mismatch = Mismatch(
        kind=MismatchKind.STALE,
        part=MismatchPart.SYSTEM_PROMPT,
        turn=1,
        cause="system prompt, line 4",
        recorded=PROMPT,
        current=PROMPT.replace("30 days of delivery", "14 days of delivery"),
    )
    why = "system prompt of support-desk, line 4, changed since the recording"
    one = trial(name, Outcome.STALE, why, mismatch=mismatch, trace=make_trace(UserTurn(number=1, text="Hello?")))
    return _plain(name, "Policy is explained.", [one], Change.STALE, command=f"harness record scenarios/{name}.yaml")


def passed_case(name: str, *, change: Change = Change.UNCHANGED) -> tuple[Run, CaseComparison]:
    """A plain pass."""
    text = "Order 1042 was delivered 56 days ago, and policy allows refunds for 30 days, so I can't refund it."
    trace = make_trace(
        UserTurn(number=1, text="I want my money back for order 1042."),
        model_call(1),
        tool(1, "find_order", {"order_id": "1042"}, '{"delivered": "2026-01-04", "total": "59.00"}'),
        model_call(2, text),
        outputs=(text,),
        state={"refunds": {}},
    )
    one = trial(name, Outcome.PASSED, trace=trace, scores=(check("not_called refund", "refund was not called"),))
    about = "Policy allows refunds for 30 days; this order is 56 days old."
    return _plain(name, about, [one], change, tags=("support", "policy"))


def _plain(name: str, about: str, trials: list[Trial], change: Change, **fields: object) -> tuple[Run, CaseComparison]:
    run = Run(cases=(case(name, about, trials, **fields),), trials=tuple(trials))
    return run, CaseComparison(scenario=name, case="default", change=change, reason="")


def _without_trial(
    name: str, outcome: Outcome, reason: str, change: Change, command: str | None = None
) -> tuple[Run, CaseComparison]:
    return _plain(name, "", [], change, outcome=outcome, reason=reason, command=command)


def gather(parts: list[tuple[Run, CaseComparison]]) -> Results:
    """One result out of several cases."""
    run = Run.merge(part for part, _ in parts)
    compared = sorted((comparison for _, comparison in parts), key=lambda one: (one.scenario, one.case))
    return Results(cases=run.cases, trials=run.trials, comparison=Comparison(cases=tuple(compared)))


def desk_results(passes: int = 14) -> Results:
    """Every way to end, and a number of plain passes."""
    judged = [trial("support/angry-customer", Outcome.NOT_JUDGED, "the judge has no recorded verdict for this answer")]
    errored = [trial("research/opening-hours", Outcome.ERRORED, "scorer `cited-answer` broke: ZeroDivisionError")]
    xfailed = [trial("research/two-documents", Outcome.XFAILED, "known: the index has no stemming")]
    gone = passed_case("support/fax-number")[0]
    parts = [
        regressed_case(),
        failed_case(),
        *(stale_case(f"support/{name}") for name in ("policy-in-words", "late-refund", "gift-card")),
        _plain(
            "support/angry-customer",
            "An angry customer changes their mind.",
            judged,
            Change.STALE,
            command="harness record scenarios/support/angry-customer.yaml",
        ),
        _plain("research/opening-hours", "The opening hours are cited.", errored, Change.ERRORED),
        _plain("research/two-documents", "The answer needs two documents.", xfailed, Change.UNCHANGED),
        _without_trial(
            "support/address-change",
            Outcome.UNRECORDED,
            "no recording yet",
            Change.STALE,
            "harness record scenarios/support/address-change.yaml",
        ),
        _without_trial("support/in-french", Outcome.SKIPPED, "no French policy yet", Change.SKIPPED),
        passed_case("support/refund-outside-window", change=Change.IMPROVED),
        passed_case("support/refund-by-mail", change=Change.NEW),
        *(passed_case(f"support/plain-{number:04d}") for number in range(1, passes + 1)),
    ]
    results = gather(parts)
    removed = CaseComparison(
        scenario="support/fax-number",
        case="default",
        change=Change.REMOVED,
        reason="the run no longer has it",
        before=gone,
    )
    return results.model_copy(update={"comparison": Comparison(cases=(*results.comparison.cases, removed))})
