"""One trial in each mode: replayed, live, recorded, or replayed and judged anew."""

from __future__ import annotations

from functools import partial

from harness.cassettes import RecordSession, ReplaySession, load_cassette
from harness.errors import InterceptionError
from harness.pipeline.judging import Judge, asked_judge, recorded_judge
from harness.pipeline.keeping import drop_empty, keep_recording
from harness.pipeline.plan import Mode, Plan
from harness.records.exchange import Cassette
from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.records.outcome import Outcome
from harness.records.run import Trial
from harness.records.scenario import Case
from harness.records.score import Score
from harness.running import Ran, run_trial
from harness.scoring import conclude_trial, score_trace
from harness.seams import RecordedClock, SystemClock
from harness.store import cassette_file

__all__ = ["bare_trial", "take_trial"]


async def take_trial(plan: Plan, case: Case, number: int, texts: dict[str, str]) -> Trial:
    """Run one trial as the plan's mode says. Interception must be in force."""
    if case.scenario.skip is not None:
        return bare_trial(case, number, Outcome.SKIPPED, case.scenario.skip)
    try:
        if plan.mode in (Mode.REPLAY, Mode.REJUDGE):
            return await _replay(plan, case, number, texts)
        return await _ask(plan, case, number, texts)
    except InterceptionError as error:
        return bare_trial(case, number, Outcome.ERRORED, str(error))


async def _replay(plan: Plan, case: Case, number: int, texts: dict[str, str]) -> Trial:
    file = cassette_file(plan.project, case, number)
    if not file.is_file():
        reason = f"trial {number} of {case.scenario.trials} has no recording"
        return bare_trial(case, number, Outcome.UNRECORDED, reason)
    cassette = load_cassette(file)
    if cassette.metadata is not None and cassette.metadata.trial != number:
        reason = f"the recording of trial {number} is a copy of that of trial {cassette.metadata.trial}"
        return bare_trial(case, number, Outcome.UNRECORDED, reason)
    stale = _changed_text(cassette, texts)
    if stale is not None:
        return bare_trial(case, number, Outcome.STALE, stale.cause, stale)
    clock = RecordedClock()
    session = ReplaySession(cassette, clock=clock, volatile=plan.project.volatile)
    subject = plan.registry.find_subject(case.scenario.subject)
    ran = await run_trial(case, subject, session, project=plan.project, seams=plan.seams(case, number, clock))
    make_judge = recorded_judge if plan.mode is Mode.REPLAY else partial(asked_judge, keep=True)
    return await _conclude(plan, case, number, ran, make_judge(plan, case, number, ran.trace))


async def _ask(plan: Plan, case: Case, number: int, texts: dict[str, str]) -> Trial:
    keep = plan.mode is Mode.RECORD
    file = cassette_file(plan.project, case, number)
    clock = SystemClock()
    session = RecordSession(clock=clock, journal=file.with_suffix(".journal") if keep else None)
    subject = plan.registry.find_subject(case.scenario.subject)
    ran = await run_trial(case, subject, session, project=plan.project, seams=plan.seams(case, number, clock))
    if ran.unreachable is not None:
        if keep:
            drop_empty(plan.project, file, session)
        return bare_trial(case, number, Outcome.ERRORED, f"the provider could not be used: {ran.unreachable}")
    if keep:
        keep_recording(file, session, case, number, texts=texts)
    return await _conclude(plan, case, number, ran, asked_judge(plan, case, number, ran.trace, keep=keep))


async def _conclude(plan: Plan, case: Case, number: int, ran: Ran, judge: Judge) -> Trial:
    scores: tuple[Score, ...] = ()
    if ran.mismatch is None and ran.trace.raised is None:
        scores = await score_trace(case.scenario, ran.trace, plan.registry, judge)
    return conclude_trial(case, number, ran.trace, scores, ran.mismatch)


def bare_trial(case: Case, number: int, outcome: Outcome, reason: str, mismatch: Mismatch | None = None) -> Trial:
    """A trial in which the agent did not run, or whose run says nothing."""
    return Trial(
        scenario=case.scenario.name, case=case.name, trial=number, outcome=outcome, reason=reason, mismatch=mismatch
    )


def _changed_text(cassette: Cassette, texts: dict[str, str]) -> Mismatch | None:
    """What the author changed in the scenario since it was recorded."""
    recorded = cassette.metadata.texts if cassette.metadata else {}
    changed = [name for name, value in texts.items() if name in recorded and recorded[name] != value]
    if not changed:
        return None
    return Mismatch(
        kind=MismatchKind.STALE,
        part=MismatchPart.SCENARIO_TEXT,
        turn=0,
        cause=f"scenario text changed since the recording: {', '.join(f'`{name}`' for name in changed)}",
        recorded="\n".join(f"{name}: {recorded[name]}" for name in changed),
        current="\n".join(f"{name}: {texts[name]}" for name in changed),
    )
