"""Asks a judge, or its recording, about one trial."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from harness.cassettes import RecordSession, ReplaySession, describe_unplayed, load_cassette, routed
from harness.errors import BadInputError, CassetteMissError, Fault
from harness.loading import digest, read_rubric
from harness.pipeline.keeping import drop_empty, keep_recording
from harness.pipeline.plan import Plan
from harness.providers import api_for, connect
from harness.records.scenario import Case, Verdict
from harness.records.score import Score, ScoreStatus
from harness.records.trace import Trace
from harness.scorers.judges import judge_score, judge_trace
from harness.seams import RecordedClock, SystemClock
from harness.store import cassette_file

__all__ = ["Judge", "asked_judge", "recorded_judge"]

Judge = Callable[[Verdict], Awaitable[Score]]


def recorded_judge(plan: Plan, case: Case, number: int, trace: Trace) -> Judge:
    """A judge whose verdict on this trial was recorded. Where it was not, the score is *not judged*."""

    async def judge(verdict: Verdict) -> Score:
        file = cassette_file(plan.project, case, number, verdict.rubric)
        if not file.is_file():
            return _not_judged(verdict, "no verdict on this trial is recorded")
        cassette = load_cassette(file)
        rubric = read_rubric(plan.project, case.scenario, verdict.rubric)
        if cassette.metadata and cassette.metadata.texts.get("rubric") != digest(rubric):
            return _not_judged(verdict, "the rubric changed since the verdict was recorded")
        if cassette.metadata and cassette.metadata.trial != number:
            return _not_judged(verdict, f"the recorded verdict is on trial {cassette.metadata.trial}")
        session = ReplaySession(cassette, clock=RecordedClock(), volatile=plan.project.volatile)
        try:
            with routed(session):
                score = await _ask(plan, case, verdict, rubric, trace)
        except CassetteMissError:
            cause = session.mismatch.cause if session.mismatch else "the request differs"
            return _not_judged(verdict, f"the recorded verdict is on something else: {cause}")
        if session.unplayed:
            return _not_judged(verdict, describe_unplayed(session).cause.replace("the agent", "the judge"))
        return score

    return judge


def asked_judge(plan: Plan, case: Case, number: int, trace: Trace, *, keep: bool) -> Judge:
    """A judge that is asked now; with ``keep`` its exchanges are recorded, apart from the agent's."""

    async def judge(verdict: Verdict) -> Score:
        rubric = read_rubric(plan.project, case.scenario, verdict.rubric)
        file = cassette_file(plan.project, case, number, verdict.rubric)
        session = RecordSession(clock=SystemClock(), journal=file.with_suffix(".journal") if keep else None)
        with routed(session):
            score = await _ask(plan, case, verdict, rubric, trace)
        if score.status is ScoreStatus.NOT_JUDGED:  # it was asked just now, so to record it is no way to mend it
            score = score.model_copy(update={"status": ScoreStatus.ERRORED})
        if keep and score.status is ScoreStatus.ERRORED:
            drop_empty(plan.project, file, session)
        elif keep:
            keep_recording(file, session, case, number, texts={"rubric": digest(rubric)}, judge=verdict.rubric)
        return score

    return judge


async def _ask(plan: Plan, case: Case, verdict: Verdict, rubric: str, trace: Trace) -> Score:
    model = verdict.model or plan.project.judge_model
    if model is None:
        what = "a judge needs a model: write `model:` under `judge:`, or `judge_model` in [tool.harness]"
        raise BadInputError([Fault(case.scenario.source, 0, 0, what)])
    return await judge_trace(verdict, rubric, model, trace, connect(api_for(model)))


def _not_judged(verdict: Verdict, reason: str) -> Score:
    return judge_score(verdict, ScoreStatus.NOT_JUDGED, None, reason)
