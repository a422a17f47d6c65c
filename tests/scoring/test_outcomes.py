"""What trials come to, by the pass rule, `skip` and `xfail`."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.records.outcome import Outcome
from harness.records.run import Trial
from harness.records.scenario import Case, Scenario
from harness.records.score import Score, ScorerKind, ScoreStatus
from harness.records.trace import AgentRaised
from harness.scoring import conclude_case, conclude_trial
from tests.traces import make_trace


def make_case(**fields: JsonValue) -> Case:
    """A case whose scenario says only what a test is about."""
    content = {
        "name": "desk/refund",
        "source": "scenarios/desk/refund.yaml",
        "description": "A refund.",
        "subject": "desk",
        "input": "Refund, please.",
        "expect": [{"called": "refund"}],
    }
    return Case(scenario=Scenario.model_validate(content | fields))


def make_score(status: ScoreStatus, name: str = "called refund") -> Score:
    """A score of that status."""
    value = {ScoreStatus.PASSED: 1.0, ScoreStatus.FAILED: 0.0}.get(status)
    return Score(name=name, scorer=ScorerKind.CHECK, status=status, value=value, reason=f"it is {status}")


def make_trial(outcome: str, number: int) -> Trial:
    """A trial of that outcome."""
    return Trial(scenario="desk/refund", case="default", trial=number, outcome=Outcome(outcome), reason=f"r{number}")


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ("passed", "passed"),
        ("passed failed", "failed"),
        ("not_judged failed", "failed"),
        ("not_judged passed", "not_judged"),
        ("errored not_judged", "errored"),
        ("errored failed", "failed"),
    ],
)
def test_the_gravest_score_decides(statuses: str, outcome: str) -> None:
    """A failed expectation comes before one that broke, and that before one that is missing."""
    scores = [make_score(ScoreStatus(status)) for status in statuses.split()]
    assert conclude_trial(make_case(), 1, make_trace(), scores).outcome == outcome


@pytest.mark.parametrize(("kind", "outcome"), [("stale", "stale"), ("changed", "failed")])
def test_a_difference_from_the_recording_decides_first(kind: str, outcome: str) -> None:
    """The author's text is stale; the agent's behaviour fails; both name the turn."""
    mismatch = Mismatch(
        kind=MismatchKind(kind), part=MismatchPart.CONVERSATION, turn=2, cause="c", recorded="a", current="b"
    )
    trial = conclude_trial(make_case(), 1, make_trace(), [make_score(ScoreStatus.FAILED)], mismatch)
    assert (trial.outcome, trial.reason) == (outcome, "turn 2: c")


def test_an_agent_that_raises_fails() -> None:
    """What it raised, and where, is the reason."""
    trace = make_trace()
    raised = AgentRaised(user_turn=1, type="KeyError", message="'total'", place="desk.py:7")
    trial = conclude_trial(make_case(), 1, trace.model_copy(update={"events": (*trace.events, raised)}), [])
    assert trial.outcome is Outcome.FAILED
    assert trial.reason == "turn 1: the agent raised KeyError: 'total' at desk.py:7"


@pytest.mark.parametrize(
    ("outcomes", "rule", "outcome"),
    [
        ("passed passed passed", "all", "passed"),
        ("passed failed passed", "all", "failed"),
        ("passed failed passed", "2 of 3", "passed"),
        ("failed failed passed", "2 of 3", "failed"),
        ("passed stale passed", "2 of 3", "stale"),
        ("passed stale passed", "all", "stale"),
        ("failed stale passed", "2 of 3", "stale"),
        ("failed failed stale", "2 of 3", "failed"),
        ("unrecorded unrecorded unrecorded", "1 of 3", "unrecorded"),
        ("errored stale passed", "1 of 3", "errored"),
        ("not_judged passed passed", "all", "not_judged"),
    ],
)
def test_pass_rule(outcomes: str, rule: str, outcome: str) -> None:
    """A case passes when enough trials do and none is open; it fails once the rest can't save it."""
    trials = [make_trial(text, number) for number, text in enumerate(outcomes.split(), 1)]
    result = conclude_case(make_case(trials=3, **{"pass": rule}), trials, texts={}, command="harness record x")
    assert result.outcome == outcome
    assert (result.command is None) == (outcome in ("passed", "failed", "errored"))


@pytest.mark.parametrize(
    ("trial", "outcome"), [("failed", "xfailed"), ("passed", "failed"), ("stale", "stale"), ("errored", "errored")]
)
def test_xfail(trial: str, outcome: str) -> None:
    """An expected failure is its own outcome; a pass is then a failure; what is open stays open."""
    result = conclude_case(make_case(xfail="known"), [make_trial(trial, 1)], texts={})
    assert result.outcome == outcome


@pytest.mark.parametrize(("value", "outcome"), [(None, "failed"), (0.0, "xfailed")])
def test_an_unknown_amount_is_no_expected_failure(value: float | None, outcome: str) -> None:
    """A limit that fails only because nobody knows the amount may as well hold."""
    score = make_score(ScoreStatus.FAILED).model_copy(update={"value": value})
    trial = conclude_trial(make_case(), 1, make_trace(), [score])
    assert conclude_case(make_case(xfail="known"), [trial], texts={}).outcome == outcome


def test_skip() -> None:
    """A skipped case keeps its reason."""
    result = conclude_case(make_case(skip="no such tool yet"), [make_trial("skipped", 1)], texts={})
    assert (result.outcome, result.reason) == (Outcome.SKIPPED, "no such tool yet")
