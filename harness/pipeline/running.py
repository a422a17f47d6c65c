"""Runs cases, in whatever mode the plan says: replayed, or asking a provider at once."""

from __future__ import annotations

import asyncio
import gc
import shlex
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TypeVar

from harness.cassettes import intercepted, sealed
from harness.errors import BadInputError, CassetteError, Fault, HarnessError
from harness.loading import text_digests
from harness.pipeline.masking import mask_trial
from harness.pipeline.plan import Mode, Plan
from harness.pipeline.trials import ask_trial, bare_trial, replay_trial
from harness.pipeline.workers import Lost, replay_in_workers, sensible_workers
from harness.records.outcome import Outcome
from harness.records.run import Run, Trial
from harness.records.scenario import Case, Judged
from harness.scoring import conclude_case
from harness.secrets import declaring
from harness.store import check_finished, finish, surplus_cassettes
from harness.subjects.replacing import replacing
from harness.virtual import steered

__all__ = ["run_case", "run_cases"]

T = TypeVar("T")


def run_cases(plan: Plan, cases: Sequence[Case]) -> Run:
    """Run the cases: replayed in as many processes as is sensible, else at most ``plan.concurrency`` at once.

    Raises :class:`BadInputError` or :class:`CassetteError` with the faults of every case, after all have run, and
    :class:`HarnessError` where a provider is asked and a task that an agent started ends the process.
    """
    if plan.mode not in (Mode.REPLAY, Mode.LIVE):
        finish(plan.project)
    gathering = _Gathering(plan)
    with intercepted(), steered(), _replacing(plan, cases):
        if plan.mode is Mode.REPLAY:
            gc.freeze()  # each look through all that is imported would cost as much as many a trial
            try:
                for found in _replay_all(plan, cases):
                    with gathering.guard():
                        gathering.add(found())
            finally:
                gc.unfreeze()
        else:
            _run(_ask_all(plan, cases, gathering))
    return gathering.merge()


def run_case(plan: Plan, case: Case) -> Run:
    """Run all trials of one case, one after the other. Interception must be in force, and no loop running.

    Raises :class:`HarnessError` where a task that an agent started ends the process.
    """
    with steered(), _replacing(plan, [case]):
        return _replay_case(plan, case) if plan.mode is Mode.REPLAY else _run(_ask_case(plan, case))


def _run(asking: Coroutine[None, None, T]) -> T:
    try:
        return asyncio.run(asking)
    except SystemExit as error:  # of a task of the agent's own: asyncio lets it end everything, with its code
        what = f"a task of the agent called sys.exit({error.code!r}), which ends the whole run; raise an error instead"
        raise HarnessError(what) from error


def _replacing(plan: Plan, cases: Sequence[Case]) -> AbstractContextManager[None]:
    return replacing(
        plan.registry.find_subject(name) for name in dict.fromkeys(case.scenario.subject for case in cases)
    )


def _replay_case(plan: Plan, case: Case) -> Run:
    check_finished(plan.project)
    texts = text_digests(case)
    with declaring(plan.project.redaction), sealed(plan.project.allowed_hosts):
        numbers = range(1, case.scenario.trials + 1)
        trials = [mask_trial(replay_trial(plan, case, number, texts)) for number in numbers]
    return _conclude(case, trials, texts)


def _replay_all(plan: Plan, cases: Sequence[Case]) -> Iterator[Callable[[], Run]]:
    """For each case what gives its run, or raises what is wrong with it."""
    workers = sensible_workers(plan.concurrency, len(cases))
    if workers == 1:
        yield from (partial(_replay_case, plan, case) for case in cases)
        return
    for case, found in replay_in_workers(cases, workers, partial(_replay_case, plan)):
        yield partial(_lose, case, found) if isinstance(found, Lost) else partial(_hand_on, found)


def _hand_on(found: Run | Exception) -> Run:
    if isinstance(found, Exception):
        raise found
    return found


def _lose(case: Case, why: Lost) -> Run:
    numbers = range(1, case.scenario.trials + 1)
    trials = [bare_trial(case, number, Outcome.ERRORED, str(why)) for number in numbers]
    return _conclude(case, trials, text_digests(case))


class _Gathering:
    """The runs of single cases as they end, and the faults of those that could not be run."""

    def __init__(self, plan: Plan) -> None:
        self._listen = plan.listen
        self._parts: list[Run] = []
        self._faults: list[Fault] = []
        self._broken: list[CassetteError] = []

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Keep what is wrong with one case until all have run."""
        try:
            yield
        except BadInputError as error:
            self._faults.extend(error.faults)
        except CassetteError as error:
            self._broken.append(error)

    def add(self, part: Run) -> None:
        """A case has ended."""
        self._listen(part)
        self._parts.append(part)

    def merge(self) -> Run:
        """The whole run. Raises what was wrong with any case."""
        if self._broken:
            raise CassetteError.join([*self._broken, *(CassetteError(str(fault)) for fault in self._faults)])
        if self._faults:
            raise BadInputError(dict.fromkeys(self._faults))
        return Run.merge(self._parts)


async def _ask_all(plan: Plan, cases: Sequence[Case], gathering: _Gathering) -> None:
    gate = asyncio.Semaphore(plan.concurrency)
    # a synchronous agent holds a thread for as long as its trial lasts, and its neighbours' tools need some as well
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2 * plan.concurrency))

    async def ask(case: Case) -> None:
        async with gate:
            with gathering.guard():
                gathering.add(await _ask_case(plan, case))

    await asyncio.gather(*map(ask, cases))


async def _ask_case(plan: Plan, case: Case) -> Run:
    check_finished(plan.project)
    texts = text_digests(case)
    with declaring(plan.project.redaction):
        numbers = range(1, case.scenario.trials + 1)
        trials = [mask_trial(await ask_trial(plan, case, number, texts)) for number in numbers]
    if plan.mode is Mode.RECORD and Outcome.ERRORED not in {trial.outcome for trial in trials}:
        rubrics = {item.judge.rubric for item in case.scenario.expect if isinstance(item, Judged)}
        for file in surplus_cassettes(plan.project, case, rubrics):
            file.unlink()
    return _conclude(case, trials, texts)


def _conclude(case: Case, trials: Sequence[Trial], texts: dict[str, str]) -> Run:
    unplayable = {Outcome.STALE, Outcome.UNRECORDED} & {trial.outcome for trial in trials}
    command = _record_command(case, judges_only=not unplayable)
    return Run(cases=(conclude_case(case, trials, texts=texts, command=command),), trials=tuple(trials))


def _record_command(case: Case, *, judges_only: bool) -> str:
    """The exact command that records this case anew, to be run in the project's folder."""
    return shlex.join(["harness", "record", *(["--judges"] if judges_only else []), case.scenario.source])
