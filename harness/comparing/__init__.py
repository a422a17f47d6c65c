"""Holds a run against the accepted state. In replay there is no chance: any difference is a difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from harness.records.comparison import CaseComparison, Change, Comparison
from harness.records.outcome import Outcome
from harness.records.run import CaseResult, Run, Trial
from harness.records.trace import Trace, UserTurn
from harness.wire.history import Atom, atoms_of_each

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
    differs = before is not None and (change is not Change.UNCHANGED or bool(reason) or any(_differences(before, now)))
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
    if case.outcome is Outcome.XFAILED:
        # its author expects it to fail: that is no regression, whatever was accepted
        return Change.UNCHANGED, "accepted as passed, now expected to fail" if _holds(was) else ""
    verdicts = (_holds(was), _holds(case))
    if verdicts == (True, False):
        return Change.REGRESSED, f"{_passes(was)}, now {_passes(case)}: {case.reason}"
    if verdicts == (False, True):
        return Change.IMPROVED, f"{_passes(was)}, now {_passes(case)}"
    lower, higher = _score_changes(before.trials, now.trials)
    share = case.passed * was.trials - was.passed * case.trials
    if share:
        (lower if share < 0 else higher).insert(0, f"{_passes(was)}, now {_passes(case)}")
    relaxed = list(_relaxed(before, now))
    if lower:
        return Change.REGRESSED, "; ".join([*lower, *relaxed])
    if higher:
        return Change.IMPROVED, "; ".join([*higher, *relaxed])
    return Change.UNCHANGED, "; ".join([*relaxed, *_differences(before, now)])


def _holds(case: CaseResult) -> bool | None:
    """Whether enough trials passed, where that was decided; what ``xfail`` makes of it is another matter."""
    decided = case.outcome in (Outcome.PASSED, Outcome.FAILED, Outcome.XFAILED)
    return case.passed >= case.required if decided else None


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


def _relaxed(before: Run, now: Run) -> Iterator[str]:
    """What was asked of the accepted state and is not asked any more."""
    names = {score.name for trial in now.trials for score in trial.scores}
    gone = {score.name: None for trial in before.trials for score in trial.scores if score.name not in names}
    if names and gone:
        yield f"no longer expected: {', '.join(gone)}"
    was, case = before.cases[0], now.cases[0]
    if case.required * was.trials < was.required * case.trials or case.trials < was.trials:
        yield f"{was.required} of {was.trials} had to pass, now {case.required} of {case.trials}"


def _differences(before: Run, now: Run) -> Iterator[str]:
    """What is other than it was accepted, though no score says that it is worse."""
    parts = {"conversation": _conversation, "answer": _answers, "state": _state}
    both = min(len(before.trials), len(now.trials))
    differing = [name for name, part in parts.items() if _each(part, before, both) != _each(part, now, both)]
    if differing:
        yield f"other than accepted: {', '.join(differing)}"


def _each(part: Callable[[Trace], object], run: Run, trials: int) -> list[object]:
    return [part(trial.trace) if trial.trace else None for trial in run.trials[:trials]]


def _conversation(trace: Trace) -> object:
    """What was said, in a form that traces written by earlier versions share.

    Those held each failed attempt as a call of its own, the messages of a shortened history once more, and no tool that
    ran at the provider.
    """
    known: set[Atom] = {("user", event.text) for event in trace.events if isinstance(event, UserTurn)}
    said: list[tuple[object, tuple[Atom, ...]]] = []
    for call in trace.model_calls:
        fresh = tuple(atom for atom in atoms_of_each(call.sent) if atom not in known)
        known.update(fresh, atoms_of_each([call.reply] if call.reply else []))
        ends = [*(attempt.status for attempt in call.attempts), call.reply.text if call.reply else call.status]
        said += [(end, fresh if number == 0 else ()) for number, end in enumerate(ends)]
    return said, [(call.name, call.arguments, call.result) for call in trace.tool_calls if not call.at_provider]


def _answers(trace: Trace) -> object:
    return trace.outputs


def _state(trace: Trace) -> object:
    return trace.state
