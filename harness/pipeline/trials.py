"""One trial in each mode: replayed, live, recorded, extended, or replayed and judged anew."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TypeVar

from harness.cassettes import ExtendSession, Journal, RecordSession, ReplaySession, assert_in_path, load_cassette
from harness.cassettes.form import digest_of
from harness.errors import InterceptionError, StalledError
from harness.pipeline.judging import Judging
from harness.pipeline.keeping import begin_recording, drop_empty, keep_extension, keep_recording
from harness.pipeline.plan import Mode, Plan
from harness.pipeline.recovering import left_over
from harness.records.exchange import Cassette, CassetteMetadata
from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.records.outcome import Outcome
from harness.records.run import Trial
from harness.records.scenario import Case
from harness.records.score import Score
from harness.running import Ran, run_trial
from harness.scoring import conclude_trial, score_trace
from harness.seams import ExtendedClock, ReplayClock, Seams, SystemClock
from harness.store import cassette_file, pending_place
from harness.virtual import (
    NANOSECONDS,
    EndlessTrial,
    Steering,
    VirtualClock,
    VirtualLoop,
    seeded,
    steering,
    watched,
    zoned,
)

__all__ = ["ask_trial", "bare_trial", "replay_trial"]

T = TypeVar("T")

_REPLAYING = threading.Lock()
"""Replays are bound by the processor: two at once would only meet in half-imported modules."""

_FOREIGN_SOCKET = "a socket outside the replay was open, and waiting for it was real"


def replay_trial(plan: Plan, case: Case, number: int, texts: dict[str, str]) -> Trial:
    """Replay and score one trial, on a loop of its own. Interception must be in force, and no loop running."""

    if case.scenario.skip is not None:
        return bare_trial(case, number, Outcome.SKIPPED, case.scenario.skip)

    async def replay() -> Trial:
        ran = await _replay(plan, case, number, texts)
        return ran if isinstance(ran, Trial) else await _conclude(plan, case, number, ran)

    return _take(plan, case, number, replay)


async def ask_trial(plan: Plan, case: Case, number: int, texts: dict[str, str]) -> Trial:
    """Run one trial that asks a provider: the agent, or only its judges. Interception must be in force."""
    if case.scenario.skip is not None:
        return bare_trial(case, number, Outcome.SKIPPED, case.scenario.skip)
    try:
        if plan.mode is Mode.EXTEND:
            return await _extend(plan, case, number, texts)
        if plan.mode is not Mode.REJUDGE:
            return await _ask(plan, case, number, texts)
        ran = await asyncio.to_thread(_take, plan, case, number, partial(_replay, plan, case, number, texts))
        return ran if isinstance(ran, Trial) else await _conclude(plan, case, number, ran)
    except InterceptionError as error:
        return bare_trial(case, number, Outcome.ERRORED, str(error))


def _take(plan: Plan, case: Case, number: int, replay: Callable[[], Coroutine[None, None, T]]) -> T | Trial:
    """Run a replay on a loop of its own. What the agent left running there is cancelled with it."""
    with _REPLAYING:
        try:
            assert_in_path()  # it may ask clients that were just imported: not in the trial's time
            loop = VirtualLoop(patience=plan.project.trial_timeout, in_real_time=plan.in_real_time)
            with watched(loop) as watch:
                try:
                    replayed = loop.run(replay())
                except (StalledError, EndlessTrial) as error:
                    return bare_trial(case, number, Outcome.FAILED, watch.says or str(error))
                except SystemExit as error:  # of a task of the agent's own: asyncio lets it out of the loop
                    what = f"a task that the agent started called sys.exit({error.code!r}); raise an error instead"
                    return bare_trial(case, number, Outcome.FAILED, what)
        except InterceptionError as error:
            return bare_trial(case, number, Outcome.ERRORED, str(error))
        return replayed if watch.says is None else bare_trial(case, number, Outcome.FAILED, watch.says)


async def _replay(plan: Plan, case: Case, number: int, texts: dict[str, str]) -> Ran | Trial:
    """What the agent did; or the trial, where there is nothing to replay."""
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
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "a replay needs a loop of its own"
    clock = VirtualClock(loop)
    session = ReplaySession(cassette, clock=clock, volatile=plan.project.volatile, renames=plan.project.renames)
    subject = plan.registry.find_subject(case.scenario.subject)
    seams = plan.seams(case, number, clock)
    zone = cassette.metadata.zone if cassette.metadata else None
    with steering(_sources(seams, cassette.metadata, clock)), seeded(seams.run_id), zoned(zone):
        ran = await run_trial(case, subject, session, project=plan.project, seams=seams, at=cassette.began)
    return ran if loop.exact else ran.but_inexact(_FOREIGN_SOCKET)


def _sources(seams: Seams, metadata: CassetteMetadata | None, waits: ReplayClock | None = None) -> Steering:
    """A trial's chance and time of day: as they were when it was recorded, and on from there.

    ``waits`` is the clock of a trial that only seems to wait.
    """
    chance = random.Random(f"{seams.run_id} {metadata.seed if metadata else None}")  # noqa: S311 - to be repeated
    began = metadata.began if metadata else None
    if began is None:
        return Steering(chance, waits)
    start = round(began.timestamp()) * NANOSECONDS
    return Steering(chance, waits, lambda: start + seams.clock.now())


async def _ask(plan: Plan, case: Case, number: int, texts: dict[str, str], *, resumes: bool = True) -> Trial:
    """Ask the provider. A recording that was interrupted goes on where it was, as far as its answers fit."""
    keep = plan.mode is Mode.RECORD
    file = cassette_file(plan.project, case, number)
    left = left_over(file) if keep and resumes else None
    metadata = begin_recording(case, number, texts=texts, goes_on=left)
    journal = Journal(file.with_suffix(".journal"), metadata) if keep else None
    clock: SystemClock | ExtendedClock
    session: RecordSession | ExtendSession
    if left is None:
        clock = SystemClock()
        session = RecordSession(clock=clock, journal=journal)
    else:
        clock = ExtendedClock()
        session = ExtendSession(left, clock=clock, journal=journal, volatile=plan.project.volatile)
    subject = plan.registry.find_subject(case.scenario.subject)
    seams = plan.seams(case, number, clock)
    with steering(_sources(seams, metadata)):
        ran = await run_trial(case, subject, session, project=plan.project, seams=seams, at=metadata.began)
    if isinstance(session, ExtendSession) and session.broken is not None:
        raise session.broken
    if isinstance(session, ExtendSession) and _is_stuck(session, ran):
        return await _ask(plan, case, number, texts, resumes=False)
    if ran.unreachable is not None:
        if keep:
            drop_empty(plan.project, file, session)
        return bare_trial(case, number, Outcome.ERRORED, _without_provider(ran.unreachable, journal))
    if keep and ran.trace.raised is not None and not session.played and file.is_file():
        drop_empty(plan.project, file, session)  # an agent that broke before it asked: what was recorded stays
    elif keep:
        keep_recording(file, session, metadata)
    return await _conclude(plan, case, number, ran)


async def _extend(plan: Plan, case: Case, number: int, texts: dict[str, str], *, resumes: bool = True) -> Trial:
    """Replay what waits to be accepted, or else what was; where the agent leaves it, go on live."""
    file = cassette_file(plan.project, case, number)
    waiting = pending_place(file)
    left = left_over(waiting) if resumes else None
    base = left or _base(waiting if waiting.is_file() else file, number)
    clock = ExtendedClock()
    metadata = begin_recording(case, number, texts=texts, goes_on=base)
    journal = Journal(waiting.with_suffix(".journal"), metadata)
    session = ExtendSession(
        base, clock=clock, journal=journal, volatile=plan.project.volatile, renames=plan.project.renames
    )
    subject = plan.registry.find_subject(case.scenario.subject)
    seams = plan.seams(case, number, clock)
    with steering(_sources(seams, metadata)):
        ran = await run_trial(case, subject, session, project=plan.project, seams=seams, at=metadata.began)
    if session.broken is not None:
        raise session.broken
    if left is not None and _is_stuck(session, ran):
        return await _extend(plan, case, number, texts, resumes=False)
    if ran.unreachable is not None:
        if session.live is not None:
            drop_empty(plan.project, waiting, session.live)
        return bare_trial(case, number, Outcome.ERRORED, _without_provider(ran.unreachable, journal))
    pending = {waiting.name: digest_of(base.exchanges)} if waiting.is_file() and left is None else {}
    ended = ran.mismatch is None and ran.trace.raised is None
    changed = session.unplayed or _changed_text(base, texts) is not None or not file.is_file()
    if session.live is not None or left is not None or (ended and changed):
        kept = keep_extension(waiting, session, base, metadata)
        pending = {waiting.name: digest_of(kept.exchanges)}
    return await _conclude(plan, case, number, ran, pending)


def _is_stuck(session: ExtendSession, ran: Ran) -> bool:
    """Whether an interrupted recording can't go on, so that its trial is to be asked from the start.

    Its conversation is stored at the provider, or its answers end in a failure of the provider once more.
    """
    return session.mismatch is not None or (session.live is None and ran.trace.raised is not None)


def _without_provider(cause: str, journal: Journal | None) -> str:
    lost = f"; an answer could not be kept: {journal.failure}" if journal and journal.failure else ""
    return f"the provider could not be used: {cause}{lost}"


def _base(file: Path, number: int) -> Cassette:
    """What there is to replay; nothing where there is no recording of this very trial."""
    cassette = load_cassette(file) if file.is_file() else Cassette(exchanges=())
    is_copy = cassette.metadata is not None and cassette.metadata.trial != number
    return Cassette(exchanges=()) if is_copy else cassette


async def _conclude(plan: Plan, case: Case, number: int, ran: Ran, pending: dict[str, str] | None = None) -> Trial:
    """Score what the agent did. ``pending`` names the recordings that wait, and gains those of the judges."""
    pending = {} if pending is None else pending
    scores: tuple[Score, ...] = ()
    if ran.mismatch is None and ran.trace.raised is None:
        judge = Judging(plan, case, number, ran.trace, pending)
        scores = await score_trace(case.scenario, ran.trace, plan.registry, judge)
    trial = conclude_trial(case, number, ran.trace, scores, ran.mismatch)
    return trial.model_copy(update={"pending": pending})


def bare_trial(case: Case, number: int, outcome: Outcome, reason: str, mismatch: Mismatch | None = None) -> Trial:
    """A trial in which the agent did not run, or whose run says nothing."""
    return Trial(
        scenario=case.scenario.name, case=case.name, trial=number, outcome=outcome, reason=reason, mismatch=mismatch
    )


def _changed_text(cassette: Cassette, texts: dict[str, str]) -> Mismatch | None:
    """What the author changed in the scenario since it was recorded."""
    recorded = cassette.metadata.texts if cassette.metadata else {}
    # mocks have a digest only where there are any; a cassette without a digest of the world says nothing of them
    told = {*recorded, "mocks"} if "world" in recorded else set(recorded)
    changed = [name for name in ("input", "world", "mocks") if name in told and recorded.get(name) != texts.get(name)]
    if not changed:
        return None
    return Mismatch(
        kind=MismatchKind.STALE,
        part=MismatchPart.SCENARIO_TEXT,
        turn=0,
        cause=f"scenario text changed since the recording: {', '.join(f'`{name}`' for name in changed)}",
        recorded="\n".join(f"{name}: {recorded.get(name, 'none')}" for name in changed),
        current="\n".join(f"{name}: {texts.get(name, 'none')}" for name in changed),
    )
