"""Holds a run against the accepted state. In replay there is no chance: any difference is a difference."""

from __future__ import annotations

from collections.abc import Iterable

from harness.records.comparison import CaseComparison, Change, Comparison
from harness.records.outcome import Outcome
from harness.records.run import CaseResult, Run, Trial
from harness.records.trace import Trace

__all__ = ["compare"]

_WITHOUT_VERDICT = {
    Outcome.STALE: Change.STALE,
    Outcome.UNRECORDED: Change.STALE,
    Outcome.NOT_JUDGED: Change.STALE,
    Outcome.ERRORED: Change.ERRORED,
    Outcome.SKIPPED: Change.SKIPPED,
}


def compare(run: Run, baseline: Run, *, whole: bool) -> Comparison:
    """Every case of the run before and now; with ``whole``, also the cases that only the baseline has.

    ``whole`` says that the run was meant to hold everything the baseline holds, so that what is missing was removed.
    """
    before = baseline.by_case()
    now = run.by_case()
    compared = [_compare_case(part, before.get(key)) for key, part in now.items()]
    if whole:
        compared.extend(
            CaseComparison(
                scenario=part.cases[0].scenario,
                case=part.cases[0].case,
                change=Change.REMOVED,
                reason="accepted before, not in this run",
                before=part,
            )
            for key, part in before.items()
            if key not in now
        )
    return Comparison(cases=tuple(compared))


def _compare_case(now: Run, before: Run | None) -> CaseComparison:
    case = now.cases[0]
    change, reason = _judge(now, before)
    differs = before is not None and (change is not Change.UNCHANGED or _conversations(now) != _conversations(before))
    return CaseComparison(
        scenario=case.scenario, case=case.case, change=change, reason=reason, before=before if differs else None
    )


def _judge(now: Run, before: Run | None) -> tuple[Change, str]:
    case = now.cases[0]
    if case.outcome in _WITHOUT_VERDICT:
        return _WITHOUT_VERDICT[case.outcome], case.reason
    if before is None:
        return Change.NEW, "not in the baseline"
    was = before.cases[0]
    verdicts = (_holds(was), _holds(case))
    if verdicts == (True, False):
        return Change.REGRESSED, f"{_passes(was)}, now {_passes(case)}: {case.reason}"
    if verdicts == (False, True):
        return Change.IMPROVED, f"{_passes(was)}, now {_passes(case)}"
    lower, higher = _score_changes(before.trials, now.trials)
    if case.passed < was.passed and case.trials == was.trials:
        lower.insert(0, f"{_passes(was)}, now {_passes(case)}")
    if lower:
        return Change.REGRESSED, "; ".join(lower)
    if higher or (case.passed > was.passed and case.trials == was.trials):
        return Change.IMPROVED, "; ".join(higher) or f"{_passes(was)}, now {_passes(case)}"
    return Change.UNCHANGED, ""


def _holds(case: CaseResult) -> bool | None:
    """Whether a case held, where that was decided."""
    if case.outcome in (Outcome.PASSED, Outcome.XFAILED):
        return True
    return False if case.outcome is Outcome.FAILED else None


def _passes(case: CaseResult) -> str:
    return f"{case.passed} of {case.trials} passed"


def _score_changes(before: Iterable[Trial], now: Iterable[Trial]) -> tuple[list[str], list[str]]:
    """The scores whose mean over the trials is lower, and those whose mean is higher."""
    old, new = _means(before), _means(now)
    lower: list[str] = []
    higher: list[str] = []
    for name, value in new.items():
        if name in old and value != old[name]:
            (lower if value < old[name] else higher).append(f"{name}: {old[name]:g}, now {value:g}")
    return lower, higher


def _means(trials: Iterable[Trial]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for trial in trials:
        for score in trial.scores:
            if score.value is not None:
                values.setdefault(score.name, []).append(score.value)
    return {name: sum(numbers) / len(numbers) for name, numbers in values.items()}


def _conversations(run: Run) -> list[object]:
    return [_said(trial.trace) for trial in run.trials]


def _said(trace: Trace | None) -> object:
    if trace is None:
        return None
    calls = [(call.reply.text if call.reply else call.error, call.sent) for call in trace.model_calls]
    tools = [(call.name, call.arguments, call.result) for call in trace.tool_calls]
    return calls, tools, trace.outputs, trace.state
