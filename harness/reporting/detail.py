"""What the page shows of one trial once it is opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.records.base import Record
from harness.records.mismatch import Mismatch, MismatchKind
from harness.records.run import Trial
from harness.records.score import Score, ScorerKind, ScoreStatus
from harness.records.trace import Trace
from harness.reporting.differences import Line, Row, RowKind, compare_steps, compare_texts, first_difference
from harness.reporting.standing import Entry, Standing
from harness.reporting.steps import Step, pretty, trace_facts, trace_steps

__all__ = ["Baseline", "MismatchView", "ScoreView", "TrialDetail", "build_details"]


class ScoreView(Record):
    """One score with its evidence, and what it was before where that differs."""

    name: str
    scorer: str
    status: ScoreStatus
    value: str = ""
    reason: str = ""
    evidence: str = ""
    before: str = ""


class MismatchView(Record):
    """The first difference from the recording."""

    title: str
    meaning: str
    lines: tuple[Line, ...]
    recorded: str = ""
    current: str = ""
    """Both whole, only where no line tells them apart."""
    other_reading: str = ""


class Baseline(Record):
    """The same trial in the accepted state, where it differs."""

    outcome: Standing
    first: str
    """The first difference in words."""
    facts: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    state: tuple[Line, ...] = ()
    """The world at the end, side by side, where it differs."""


class TrialDetail(Record):
    """Everything about one trial."""

    case: str
    trial: int
    of: int
    outcome: Standing
    reason: str = ""
    facts: tuple[str, ...] = ()
    scores: tuple[ScoreView, ...] = ()
    mismatch: MismatchView | None = None
    baseline: Baseline | None = None
    steps: tuple[Step, ...] = ()
    state: str = ""
    ran: bool = True


def build_details(entries: Iterable[Entry]) -> Iterator[TrialDetail]:
    """The trials in the order of the lists."""
    for entry in entries:
        before = {trial.trial: trial for trial in entry.before.trials} if entry.before else {}
        for trial in entry.trials:
            yield _detail(entry, trial, before.get(trial.trial))


def _detail(entry: Entry, trial: Trial, before: Trial | None) -> TrialDetail:
    trace = trial.trace
    steps = trace_steps(trace) if trace else ()
    return TrialDetail(
        case=entry.id,
        trial=trial.trial,
        of=max(len(entry.trials), entry.result.trials if entry.result else 0),
        outcome=Standing(trial.outcome.value),
        reason=trial.reason,
        facts=(*(trace_facts(trace) if trace else ()), *(["pending recording"] if trial.pending else [])),
        scores=tuple(_scores(trial.scores, before.scores if before else ())),
        mismatch=_mismatch(trial.mismatch) if trial.mismatch else None,
        baseline=_baseline(trial, before, steps) if before else None,
        steps=steps,
        state=pretty(trace.state) if trace and trace.state not in (None, {}) else "",
        ran=trace is not None,
    )


def _scores(now: Iterable[Score], before: Iterable[Score]) -> list[ScoreView]:
    """Failed ones first; the order of the scenario within each."""
    known = {score.name: score for score in before}
    views = []
    for score in sorted(now, key=lambda score: score.status is ScoreStatus.PASSED):
        old = known.get(score.name)
        differs = old is not None and (old.status, old.value) != (score.status, score.value)
        views.append(
            ScoreView(
                name=score.name,
                scorer=score.scorer,
                status=score.status,
                value=_value(score),
                reason=score.reason,
                evidence=score.evidence or "",
                before=_said(old) if old is not None and differs else "",
            )
        )
    return views


def _value(score: Score) -> str:
    """A judge's mark; a check's 1.0 says no more than its status."""
    return f"{score.value:g}" if score.value is not None and score.scorer is ScorerKind.JUDGE else ""


def _said(score: Score) -> str:
    value = _value(score)
    return f"{score.status.value.replace('_', ' ')}{f', {value}' if value else ''}"


def _mismatch(mismatch: Mismatch) -> MismatchView:
    lines = compare_texts(mismatch.recorded, mismatch.current)
    where = f"Model call {mismatch.turn}: " if mismatch.turn else ""
    meaning = {
        MismatchKind.STALE: "What the author wrote differs from the recording, so nothing was compared: record again.",
        MismatchKind.CHANGED: "The agent did what the recording does not hold: a regression until shown otherwise.",
    }[mismatch.kind]
    return MismatchView(
        title=f"{where}{mismatch.cause}",
        meaning=meaning,
        lines=lines,
        recorded="" if lines else mismatch.recorded,
        current="" if lines else mismatch.current,
        other_reading=mismatch.other_reading or "",
    )


def _baseline(trial: Trial, before: Trial, steps: tuple[Step, ...]) -> Baseline | None:
    if before.trace is None or trial.trace is None:
        return None
    old = trace_steps(before.trace)
    rows = compare_steps(old, steps)
    differs = any(row.kind is not RowKind.SAME for row in rows)
    state = compare_texts(*(pretty(trace.state) for trace in (before.trace, trial.trace)))
    outcome = Standing(before.outcome.value)
    if not differs and not state and before.outcome is trial.outcome:
        return None
    first = first_difference(rows, old, steps)
    return Baseline(
        outcome=outcome,
        first=f"First difference: {first}" if first else "The conversation is the same.",
        facts=_facts_before(before.trace, trial.trace),
        rows=rows if differs else (),
        state=state,
    )


def _facts_before(before: Trace, now: Trace) -> tuple[str, ...]:
    """The figures that differ, as they were."""
    return tuple(fact for fact in trace_facts(before) if fact not in trace_facts(now))
