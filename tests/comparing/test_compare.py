"""Each change has a pair of runs that shows it."""

from __future__ import annotations

import pytest

from harness.comparing import compare
from harness.records.comparison import Change
from harness.records.message import UserMessage
from harness.records.outcome import Outcome
from harness.records.run import CaseResult, Run, Trial
from harness.records.score import Score, ScorerKind, ScoreStatus
from harness.records.trace import Conversation, Event, FailedAttempt, ModelCall, ToolCalled, Trace
from tests.reporting.threaded import threaded_trace
from tests.traces import make_trace


def make_run(
    outcome: str = "passed",
    *,
    passed: int = 3,
    trials: int = 3,
    required: int = 2,
    score: str = "judge tone",
    mark: float = 5.0,
    output: str = "Done.",
) -> Run:
    """One case, all of whose trials have the same mark and answer."""
    case = CaseResult(
        scenario="desk/refund",
        case="default",
        source="scenarios/desk/refund.yaml",
        outcome=Outcome(outcome),
        reason="why",
        passed=passed,
        required=required,
        trials=trials,
    )
    judged = Score(name=score, scorer=ScorerKind.JUDGE, status=ScoreStatus.PASSED, value=mark, reason="")
    run = tuple(
        Trial(
            scenario="desk/refund",
            case="default",
            trial=number,
            outcome=Outcome.PASSED if number <= passed else Outcome.FAILED,
            reason="",
            scores=(judged,),
            trace=make_trace(output=output),
        )
        for number in range(1, trials + 1)
    )
    return Run(cases=(case,), trials=run)


NONE = Run(cases=(), trials=())


@pytest.mark.parametrize(
    ("before", "now", "change", "reason"),
    [
        (make_run(), make_run(), "unchanged", ""),
        (make_run(), make_run("failed", passed=1), "regressed", "3 of 3 passed, now 1 of 3 passed: why"),
        (make_run(), make_run(passed=2), "regressed", "3 of 3 passed, now 2 of 3 passed"),
        (make_run(), make_run(mark=4.0), "regressed", "judge tone: 5, now 4"),
        (make_run(mark=4.0), make_run(), "improved", "judge tone: 4, now 5"),
        (make_run("failed", passed=0), make_run(), "improved", "0 of 3 passed, now 3 of 3 passed"),
        (make_run("failed", passed=0), make_run("failed", passed=0), "unchanged", ""),
        (make_run(), make_run("xfailed", passed=0), "unchanged", "accepted as passed, now expected to fail"),
        (make_run("xfailed", passed=0), make_run("xfailed", passed=0, mark=4.0), "unchanged", ""),
        (make_run("xfailed", passed=0), make_run("failed", passed=0), "unchanged", ""),
        (make_run("xfailed", passed=0), make_run("failed"), "improved", "0 of 3 passed, now 3 of 3 passed"),
        (make_run(), make_run("failed"), "unchanged", ""),
        (make_run(), make_run(passed=2, trials=2, required=1), "unchanged", "2 of 3 had to pass, now 1 of 2"),
        (
            make_run(),
            make_run(passed=1, trials=2, required=1),
            "regressed",
            "3 of 3 passed, now 1 of 2 passed; 2 of 3 had to pass, now 1 of 2",
        ),
        (make_run(), make_run(score="judge taste"), "unchanged", "no longer expected: judge tone"),
        (make_run(), make_run(output="Gladly."), "unchanged", "other than accepted: answer"),
        (make_run(), make_run("stale", passed=0), "stale", "why"),
        (make_run(), make_run("unrecorded", passed=0), "stale", "why"),
        (make_run(), make_run("errored", passed=0), "errored", "why"),
        (make_run(), make_run("skipped", passed=0), "skipped", "why"),
        (NONE, make_run(), "new", "not in the baseline"),
        (NONE, make_run("stale"), "stale", "why"),
    ],
)
def test_change(before: Run, now: Run, change: str, reason: str) -> None:
    """In replay any difference is a difference, and the reason has the numbers."""
    (compared,) = compare(now, before, whole=False).cases
    assert (compared.change, compared.reason) == (change, reason)


def test_the_accepted_state_is_kept_only_where_something_differs() -> None:
    """An equal case carries nothing; another answer with the same scores carries the accepted one."""
    assert compare(make_run(), make_run(), whole=True).cases[0].before is None
    differing = compare(make_run(output="Gladly done."), make_run(), whole=True).cases[0]
    assert differing.change is Change.UNCHANGED
    assert differing.before == make_run()


def test_removed_only_where_the_run_was_whole() -> None:
    """What a selection left out was not removed."""
    assert compare(NONE, make_run(), whole=False).cases == ()
    assert compare(NONE, make_run(), whole=True).cases[0].change is Change.REMOVED


def as_written_before(trace: Trace) -> Trace:
    """The trace as versions before conversations wrote it: each failed attempt a call of its own, nothing else new."""
    events: list[Event] = []
    for event in trace.events:
        if isinstance(event, ModelCall):
            plain = event.model_copy(update={"attempts": (), "linked": "", "unsure": "", "conversation": 1})
            failed = [{"reply": None, "status": one.status, "error": "older words"} for one in event.attempts]
            calls = [plain.model_copy(update=changes) for changes in (*failed, {})]
            events += [calls[0], *(call.model_copy(update={"sent": ()}) for call in calls[1:])]
        elif not isinstance(event, Conversation) and not (isinstance(event, ToolCalled) and event.at_provider):
            events.append(event)
    return trace.model_copy(update={"events": tuple(events)})


def test_a_baseline_of_an_earlier_version_is_no_other_conversation() -> None:
    """Folding, conversations and what ran at the provider make no difference; another status of a failure does."""
    now = make_run()
    threaded = threaded_trace()
    trials = tuple(trial.model_copy(update={"trace": threaded}) for trial in now.trials)
    now = now.model_copy(update={"trials": trials})
    old = tuple(trial.model_copy(update={"trace": as_written_before(threaded)}) for trial in trials)
    before = Run.model_validate_json(now.model_copy(update={"trials": old}).model_dump_json())
    (same,) = compare(now, before, whole=True).cases
    assert (same.change, same.reason) == (Change.UNCHANGED, "")
    attempt = FailedAttempt(turn=9, status=500, error="", started=0, duration=1)
    call = threaded.model_calls[0]
    worse = tuple(
        call.model_copy(update={"attempts": (attempt,)}) if event is call else event for event in threaded.events
    )
    other = tuple(trial.model_copy(update={"trace": threaded.model_copy(update={"events": worse})}) for trial in trials)
    (changed,) = compare(now.model_copy(update={"trials": other}), before, whole=True).cases
    assert changed.reason == "other than accepted: conversation"


def test_messages_that_an_earlier_version_showed_again_are_known() -> None:
    """A baseline shows the rest of a shortened history once more; that is no other conversation."""
    now = make_run()
    trace = make_trace(("find_order", {}))
    first, second = trace.model_calls
    assert first.reply is not None
    again = second.model_copy(update={"sent": (UserMessage(text="Please help."), first.reply)})
    events = tuple(again if event is second else event for event in trace.events)
    runs = [
        now.model_copy(update={"trials": tuple(trial.model_copy(update={"trace": one}) for trial in now.trials)})
        for one in (trace, trace.model_copy(update={"events": events}))
    ]
    (same,) = compare(*runs, whole=True).cases
    assert (same.change, same.reason) == (Change.UNCHANGED, "")
