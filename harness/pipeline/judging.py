"""Asks a judge, or its recording, about one trial."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from harness.cassettes import (
    ExtendSession,
    Journal,
    RecordSession,
    ReplaySession,
    describe_unplayed,
    load_cassette,
    routed,
)
from harness.cassettes.form import digest_of
from harness.errors import BadInputError, CassetteMissError, Fault
from harness.loading import digest, read_rubric
from harness.pipeline.keeping import begin_recording, drop_empty, keep_recording
from harness.pipeline.plan import Mode, Plan
from harness.pipeline.recovering import left_over
from harness.providers import api_for, connect
from harness.records.exchange import Cassette
from harness.records.scenario import Case, Verdict
from harness.records.score import Score, ScoreStatus
from harness.records.trace import Trace
from harness.scorers.judges import judge_score, judge_trace
from harness.seams import ExtendedClock, RecordedClock, SystemClock
from harness.store import cassette_file, pending_place

__all__ = ["Judge", "Judging"]

Judge = Callable[[Verdict], Awaitable[Score]]


@dataclass(frozen=True, slots=True)
class Judging:
    """The judges of one trial, as the plan's mode has them answer."""

    plan: Plan
    case: Case
    number: int
    trace: Trace
    pending: dict[str, str]
    """Gains the judges' recordings that wait to be accepted: file name and digest."""

    async def __call__(self, verdict: Verdict) -> Score:
        """The verdict: recorded, or asked for now."""
        file = cassette_file(self.plan.project, self.case, self.number, verdict.rubric)
        match self.plan.mode:
            case Mode.REPLAY:
                return await self._replay(verdict, file)
            case Mode.EXTEND:
                return await self._extend(verdict, file)
            case Mode.LIVE:
                return await self._ask(verdict, None)
            case Mode.RECORD | Mode.REJUDGE:
                return await self._ask(verdict, file)

    async def _extend(self, verdict: Verdict, file: Path) -> Score:
        """The recorded verdict where it is on this very trial; else a new one, beside it."""
        waiting = pending_place(file)
        for place in (waiting, file):
            score = await self._replay(verdict, place)
            if score.status is not ScoreStatus.NOT_JUDGED:
                if place is waiting:
                    self.pending[waiting.name] = digest_of(load_cassette(waiting).exchanges)
                return score
        return await self._ask(verdict, waiting)

    async def _replay(self, verdict: Verdict, file: Path) -> Score:
        """The verdict in a recording. Where there is none on this trial, the score is *not judged*."""
        cassette = _find(file)
        if cassette is None:
            return _not_judged(verdict, "no verdict on this trial is recorded")
        rubric = read_rubric(self.plan.project, self.case.scenario, verdict.rubric)
        if cassette.metadata and cassette.metadata.texts.get("rubric") != digest(rubric):
            return _not_judged(verdict, "the rubric changed since the verdict was recorded")
        if cassette.metadata and cassette.metadata.trial != self.number:
            return _not_judged(verdict, f"the recorded verdict is on trial {cassette.metadata.trial}")
        project = self.plan.project
        session = ReplaySession(cassette, clock=RecordedClock(), volatile=project.volatile, renames=project.renames)
        try:
            with routed(session):
                score = await self._judge(verdict, rubric)
        except CassetteMissError:
            cause = session.mismatch.cause if session.mismatch else "the request differs"
            return _not_judged(verdict, f"the recorded verdict is on something else: {cause}")
        if session.unplayed:
            return _not_judged(verdict, describe_unplayed(session).cause.replace("the agent", "the judge"))
        return score

    async def _ask(self, verdict: Verdict, file: Path | None, *, resumes: bool = True) -> Score:
        """A verdict asked for now; with a file its exchanges are kept there, apart from the agent's.

        One that was interrupted goes on where it was, if it was on this very trial.
        """
        rubric = read_rubric(self.plan.project, self.case.scenario, verdict.rubric)
        texts = {"rubric": digest(rubric)}
        metadata = begin_recording(self.case, self.number, texts=texts, judge=verdict.rubric)
        journal = Journal(file.with_suffix(".journal"), metadata) if file else None
        left = left_over(file) if file and resumes else None
        session: RecordSession | ExtendSession
        if left is None:
            session = RecordSession(clock=SystemClock(), journal=journal)
        else:
            session = ExtendSession(left, clock=ExtendedClock(), journal=journal, volatile=self.plan.project.volatile)
        with routed(session):
            score = await self._judge(verdict, rubric)
        if isinstance(session, ExtendSession):
            if session.broken is not None:
                raise session.broken
            if session.live is None and score.status in (ScoreStatus.NOT_JUDGED, ScoreStatus.ERRORED):
                return await self._ask(verdict, file, resumes=False)  # what was left is no verdict
        if score.status is ScoreStatus.NOT_JUDGED:  # it was asked just now, so to record it is no way to mend it
            score = score.model_copy(update={"status": ScoreStatus.ERRORED})
        if file is not None and score.status is ScoreStatus.ERRORED:
            drop_empty(self.plan.project, file, session)
        elif file is not None:
            kept: Cassette = keep_recording(file, session, metadata)
            if self.plan.mode is Mode.EXTEND:
                self.pending[file.name] = digest_of(kept.exchanges)
        return score

    async def _judge(self, verdict: Verdict, rubric: str) -> Score:
        model = verdict.model or self.plan.project.judge_model
        if model is None:
            what = "a judge needs a model: write `model:` under `judge:`, or `judge_model` in [tool.harness]"
            raise BadInputError([Fault(self.case.scenario.source, 0, 0, what)])
        return await judge_trace(verdict, rubric, model, self.trace, connect(api_for(model)))


def _find(file: Path) -> Cassette | None:
    return load_cassette(file) if file.is_file() else None


def _not_judged(verdict: Verdict, reason: str) -> Score:
    return judge_score(verdict, ScoreStatus.NOT_JUDGED, None, reason)
