"""Each change has a pair of runs that shows it."""

from __future__ import annotations

import pytest

from harness.comparing import compare
from harness.records.comparison import Change
from harness.records.outcome import Outcome
from harness.records.run import CaseResult, Run, Trial
from harness.records.score import Score, ScorerKind, ScoreStatus
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
