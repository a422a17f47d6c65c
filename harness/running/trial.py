"""One trial, from the first user turn to the trace."""

from __future__ import annotations

import asyncio
import copy
import traceback
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import JsonValue

from harness.cassettes import ExtendSession, RecordSession, ReplaySession, Session, describe_unplayed, routed
from harness.cassettes.failures import failure_of
from harness.errors import BadInputError, InterceptionError, ProviderError, RegistryError, SubjectError, message_of
from harness.records.mismatch import Mismatch
from harness.records.scenario import Case
from harness.records.trace import AgentRaised, Event, Trace
from harness.registry import Subject
from harness.seams import Seams
from harness.settings import Project
from harness.subjects.conversation import Conversation, answer_turn, begin, make_world, plain_state
from harness.subjects.mocking import mark_mocked
from harness.subjects.task import Task, acting_on
from harness.wire.sums import total_cost, total_usage
from harness.wire.trace import read_events

__all__ = ["Ran", "run_trial"]

_CLIENT_LIBRARIES = {
    "aiohttp",
    "anthropic",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "openai",
    "requests",
    "urllib3",
}


@dataclass(frozen=True, slots=True)
class Ran:
    """What running a trial gave."""

    trace: Trace
    mismatch: Mismatch | None
    """The first difference from the recording."""
    unreachable: str | None
    """Why the provider could not be used; only in live and recording runs."""

    def but_inexact(self, why: str) -> Ran:
        """The same, with one more reason why its times are not exact."""
        return replace(self, trace=self.trace.model_copy(update={"inexact": (*self.trace.inexact, why)}))


async def run_trial(
    case: Case, subject: Subject, session: Session, *, project: Project, seams: Seams, at: datetime | None
) -> Ran:
    """Put the user's turns to the subject, one after the other, until one fails.

    Raises :class:`BadInputError`, :class:`RegistryError` and :class:`InterceptionError` where the project, not the
    agent, is at fault; whatever else the agent raises is an event of the trace.
    """
    scenario = case.scenario
    world = make_world(subject, scenario.world, scenario.mocks)
    task = Task(
        input="",
        settings=copy.deepcopy(scenario.settings),
        world=world,
        folder=(project.root / scenario.source).parent,
        prompt_root=project.scenarios,
        seams=seams,
    )
    outputs: list[JsonValue] = []
    failure: BaseException | None = None
    conversation = begin(subject, project)
    with routed(session), acting_on(world):
        try:
            await _converse(conversation, case, task, session, outputs)
        except (BadInputError, RegistryError, InterceptionError, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # whatever an agent raises: its sys.exit(0) must not end the run
            if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
                raise
            failure = error
    raised = _describe_failure(failure, session.user_turn, project.root) if failure else None
    trace = _read_trace(case, session, project, seams, outputs, plain_state(world), raised, conversation.inexact, at)
    trace = trace.model_copy(update={"events": tuple(mark_mocked(trace.events, world.mocked))})
    live = session.live if isinstance(session, ExtendSession) else session
    if isinstance(live, RecordSession):
        unreachable = f"{raised.type}: {raised.message}" if raised and _is_providers(failure, session) else None
        return Ran(trace, session.mismatch, unreachable)
    mismatch = session.mismatch
    if isinstance(session, ReplaySession) and mismatch is None and failure is None and session.unplayed:
        mismatch = describe_unplayed(session)
    return Ran(trace, mismatch, None)


async def _converse(
    conversation: Conversation, case: Case, task: Task, session: Session, outputs: list[JsonValue]
) -> None:
    """Put the turns until one is refused, and end the conversation whatever came of it.

    What is raised first is passed on.
    """
    try:
        for number, text in enumerate(case.scenario.turns, 1):
            session.user_turn, task.input = number, text
            outputs.append(copy.deepcopy(await answer_turn(conversation, case.scenario.subject, task)))
            if session.mismatch is not None:
                break
    except BaseException as error:
        try:
            await conversation.close()
        except Exception as another:  # noqa: BLE001 - the agent's own: it is told with the first
            error.add_note(f"and its close() raised {type(another).__name__}: {another}")
        raise
    await conversation.close()


def _read_trace(
    case: Case,
    session: Session,
    project: Project,
    seams: Seams,
    outputs: list[JsonValue],
    state: JsonValue,
    raised: AgentRaised | None,
    inexact: tuple[str, ...],
    at: datetime | None,
) -> Trace:
    turns = case.scenario.turns[: session.user_turn]
    took_place = session.played
    if inexact and isinstance(session, ReplaySession):  # the threads of a program race in wall time
        took_place = session.as_recorded
    played = [(each.exchange, each.user_turn) for each in took_place]
    events: tuple[Event, ...] = read_events(played, turns, project.prices, outputs, at)
    if raised is not None and session.mismatch is None:
        events = (*events, raised)
    return Trace(
        run_id=seams.run_id,
        events=events,
        outputs=tuple(outputs),
        state=state,
        usage=total_usage(events),
        cost_usd=total_cost(events),
        duration=max((exchange.started + exchange.duration for exchange, _ in played), default=0),
        inexact=inexact,
    )


def _is_being_cancelled() -> bool:
    """Whether somebody wants this run to end, as opposed to an agent that raises the same error of its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _describe_failure(error: BaseException, user_turn: int, root: Path) -> AgentRaised:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    place = None
    for frame in traceback.extract_tb(error.__traceback__):
        file = Path(frame.filename)
        if file.is_relative_to(root) and "site-packages" not in file.parts:
            place = f"{file.relative_to(root).as_posix()}:{frame.lineno}"
    return AgentRaised(user_turn=user_turn, type=type(error).__name__, message=message_of(error), place=place)


def _is_providers(error: BaseException | None, session: Session) -> bool:
    """Whether a live run failed for want of the provider rather than of the agent."""
    if isinstance(error, SubjectError):  # what a program met shows in its last exchange only
        last = session.played[-1].exchange.response if session.played else None
        return last is not None and (last.status >= 400 or failure_of(last) is not None)
    libraries = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return isinstance(error, ProviderError) or bool(libraries & _CLIENT_LIBRARIES)
