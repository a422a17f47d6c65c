"""Runs cases, in whatever mode the plan says."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence

from harness.cassettes import intercepted
from harness.errors import BadInputError, CassetteError, Fault, HarnessError
from harness.loading import text_digests
from harness.pipeline.plan import Mode, Plan
from harness.pipeline.trials import take_trial
from harness.records.outcome import Outcome
from harness.records.run import Run
from harness.records.scenario import Case, Judged
from harness.scoring import conclude_case
from harness.store import surplus_cassettes

__all__ = ["run_case", "run_cases"]


def run_cases(plan: Plan, cases: Sequence[Case]) -> Run:
    """Run the cases, at most ``plan.concurrency`` at once; the result does not depend on how many.

    Raises :class:`BadInputError` or :class:`CassetteError` with the faults of every case, after all have run, and
    :class:`HarnessError` where a task that an agent started ends the process.
    """
    with intercepted():
        try:
            return asyncio.run(_run_all(plan, cases))
        except SystemExit as error:  # of a task of the agent's own: asyncio lets it end everything, with its code
            what = (
                f"a task of the agent called sys.exit({error.code!r}), which ends the whole run; raise an error instead"
            )
            raise HarnessError(what) from error


async def _run_all(plan: Plan, cases: Sequence[Case]) -> Run:
    gate = asyncio.Semaphore(plan.concurrency)
    faults: list[Fault] = []
    broken: list[str] = []

    async def run(case: Case) -> Run:
        async with gate:
            try:
                part = await run_case(plan, case)
            except BadInputError as error:
                faults.extend(error.faults)
                return Run(cases=(), trials=())
            except CassetteError as error:
                broken.append(str(error))
                return Run(cases=(), trials=())
            plan.listen(part)
            return part

    parts = await asyncio.gather(*map(run, cases))
    if broken:
        raise CassetteError("\n".join(sorted({*broken, *map(str, faults)})))
    if faults:
        raise BadInputError(dict.fromkeys(faults))
    return Run.merge(parts)


async def run_case(plan: Plan, case: Case) -> Run:
    """Run all trials of one case, one after the other. Interception must be in force."""
    texts = text_digests(case)
    trials = [await take_trial(plan, case, number, texts) for number in range(1, case.scenario.trials + 1)]
    outcomes = {trial.outcome for trial in trials}
    if plan.mode is Mode.RECORD and Outcome.ERRORED not in outcomes:
        rubrics = {item.judge.rubric for item in case.scenario.expect if isinstance(item, Judged)}
        for file in surplus_cassettes(plan.project, case, rubrics):
            file.unlink()
    command = _record_command(case, judges_only=not outcomes & {Outcome.STALE, Outcome.UNRECORDED})
    return Run(cases=(conclude_case(case, trials, texts=texts, command=command),), trials=tuple(trials))


def _record_command(case: Case, *, judges_only: bool) -> str:
    """The exact command that records this case anew, to be run in the project's folder."""
    return shlex.join(["harness", "record", *(["--judges"] if judges_only else []), case.scenario.source])
