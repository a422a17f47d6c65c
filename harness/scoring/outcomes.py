"""What scores come to: the outcome of a trial, and of a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.records.mismatch import Mismatch, MismatchKind
from harness.records.outcome import Outcome
from harness.records.run import CaseResult, Trial
from harness.records.scenario import Case
from harness.records.score import Score, ScoreStatus
from harness.records.trace import Trace

__all__ = ["conclude_case", "conclude_trial"]

_BY_SCORE = (
    (ScoreStatus.FAILED, Outcome.FAILED),
    (ScoreStatus.ERRORED, Outcome.ERRORED),
    (ScoreStatus.NOT_JUDGED, Outcome.NOT_JUDGED),
)
"""What a score ends a trial in, the gravest first."""

_BLOCKING = (Outcome.ERRORED, Outcome.STALE, Outcome.UNRECORDED, Outcome.NOT_JUDGED)
"""Outcomes of a trial that leave it open whether its case passes, the gravest first."""


def conclude_trial(
    case: Case, number: int, trace: Trace, scores: Sequence[Score], mismatch: Mismatch | None = None
) -> Trial:
    """The trial that a trace and its scores come to.

    A difference from the recording decides before any score; then an agent that raised; then the gravest score.
    """
    outcome, reason = _outcome(trace, scores, mismatch)
    return Trial(
        scenario=case.scenario.name,
        case=case.name,
        trial=number,
        outcome=outcome,
        reason=reason,
        scores=tuple(scores),
        mismatch=mismatch,
        trace=trace,
    )


def _outcome(trace: Trace, scores: Sequence[Score], mismatch: Mismatch | None) -> tuple[Outcome, str]:
    if mismatch is not None:
        where = f"turn {mismatch.turn}: " if mismatch.turn else ""
        outcome = Outcome.STALE if mismatch.kind is MismatchKind.STALE else Outcome.FAILED
        return outcome, f"{where}{mismatch.cause}"
    raised = trace.raised
    last = f"turn {trace.model_calls[-1].turn}: " if trace.model_calls else ""
    if raised is not None:
        place = f" at {raised.place}" if raised.place else ""
        return Outcome.FAILED, f"{last}the agent raised {': '.join(filter(None, (raised.type, raised.message)))}{place}"
    for status, outcome in _BY_SCORE:
        decisive = [score for score in scores if score.status is status]
        if decisive:
            more = f" (and {len(decisive) - 1} more)" if len(decisive) > 1 else ""
            says = f"{decisive[0].name}: {decisive[0].reason}{more}"
            return outcome, says if "turn " in decisive[0].reason else f"{last}{says}"
    return Outcome.PASSED, ""


def conclude_case(
    case: Case, trials: Sequence[Trial], *, texts: Mapping[str, str], command: str | None = None
) -> CaseResult:
    """The case that its trials come to, by its pass rule, ``skip`` and ``xfail``.

    ``command`` mends a case that is stale, unrecorded or not judged; it is left out of any other.
    """
    scenario = case.scenario
    outcome, reason = _case_outcome(case, trials)
    mendable = outcome in (Outcome.STALE, Outcome.UNRECORDED, Outcome.NOT_JUDGED)
    return CaseResult(
        scenario=scenario.name,
        case=case.name,
        source=scenario.source,
        description=scenario.description,
        tags=scenario.tags,
        outcome=outcome,
        reason=reason,
        passed=_passed(trials),
        required=scenario.required,
        trials=scenario.trials,
        command=command if mendable else None,
        texts=dict(texts),
    )


def _case_outcome(case: Case, trials: Sequence[Trial]) -> tuple[Outcome, str]:
    scenario = case.scenario
    if scenario.skip is not None:
        return Outcome.SKIPPED, scenario.skip
    outcome, reason = _by_pass_rule(case, trials)
    if scenario.xfail is None:
        return outcome, reason
    if outcome is Outcome.FAILED and any(map(_is_proven, trials)):
        return Outcome.XFAILED, f"{scenario.xfail} ({reason})"
    if outcome is Outcome.PASSED:
        return Outcome.FAILED, f"passed, though xfail says: {scenario.xfail}; remove `xfail`"
    return outcome, reason


def _is_proven(trial: Trial) -> bool:
    """Whether a trial is known to have failed, rather than unknown to have passed."""
    if trial.outcome is not Outcome.FAILED:
        return False
    failed = [score for score in trial.scores if score.status is ScoreStatus.FAILED]
    only_unknown = bool(failed) and all(score.value is None for score in failed)
    raised = trial.trace is not None and trial.trace.raised is not None
    return bool(trial.mismatch or raised or not only_unknown)


def _by_pass_rule(case: Case, trials: Sequence[Trial]) -> tuple[Outcome, str]:
    required, total = case.scenario.required, case.scenario.trials
    passed = _passed(trials)
    open_ = [trial for trial in trials if trial.outcome in _BLOCKING]
    failed = [trial for trial in trials if trial.outcome is Outcome.FAILED]
    if failed and passed + len(open_) < required:
        return Outcome.FAILED, _counted(failed[0].reason, passed, required, total)
    for outcome in _BLOCKING:
        blocked = next((trial for trial in open_ if trial.outcome is outcome), None)
        if blocked is not None:
            return outcome, blocked.reason
    if passed >= required:
        return Outcome.PASSED, ""
    return Outcome.FAILED, _counted(failed[0].reason if failed else "no trial passed", passed, required, total)


def _counted(reason: str, passed: int, required: int, total: int) -> str:
    return reason if total == 1 else f"{passed} of {total} trials passed, {required} required; {reason}"


def _passed(trials: Sequence[Trial]) -> int:
    return sum(trial.outcome is Outcome.PASSED for trial in trials)
