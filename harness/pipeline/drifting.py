"""Replays everything, and says how today's requests differ from the recorded ones. Writes nothing."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date
from decimal import Decimal
from pathlib import Path

from harness.cassettes import load_cassette
from harness.errors import ExitCode
from harness.loading import scenario_names
from harness.loading.files import shown
from harness.pipeline.leftovers import find_leftovers
from harness.pipeline.plan import Mode, Plan
from harness.pipeline.running import run_cases
from harness.records.drift import Cost, Drift, DriftClass, Finding, Remedy, name_owner
from harness.records.exchange import Cassette
from harness.records.mismatch import Mismatch, MismatchKind
from harness.records.outcome import Outcome
from harness.records.run import Run, Trial
from harness.records.scenario import Case, Judged
from harness.records.score import ScoreStatus
from harness.records.trace import HttpCall
from harness.settings import Project
from harness.store import cassette_file
from harness.wire.sums import total_cost, total_usage
from harness.wire.trace import read_events

__all__ = ["find_drift"]

_NO_REMEDY = (DriftClass.JUDGE, DriftClass.AGE, DriftClass.RENAME)


def find_drift(plan: Plan, cases: Sequence[Case], *, today: date) -> Drift:
    """Replay the cases and report each difference, then what the project's files themselves show.

    ``plan`` must be one that replays. Raises as :func:`harness.pipeline.run_cases` does.
    """
    assert plan.mode is Mode.REPLAY
    parts = run_cases(plan, cases).by_case()
    findings = [found for case in cases for found in _Look(plan.project, case).at(parts[case.scenario.name, case.name])]
    findings += [found for case in cases for found in _old_recordings(plan.project, case, today)]
    findings += _idle_renames(plan.project, cases)
    skipped = {case.scenario.name for case in cases if case.scenario.skip is not None}
    return Drift(
        findings=(*findings, *find_leftovers(plan.project)),
        remedies=tuple(_remedies(plan.project, findings, skipped)),
        cases=len(cases) - len(skipped),
        skipped=len(skipped),
    )


class _Look:
    """What the trials of one case show."""

    def __init__(self, project: Project, case: Case) -> None:
        self._project = project
        self._case = case
        self._rubrics = sorted({item.judge.rubric for item in case.scenario.expect if isinstance(item, Judged)})

    def at(self, part: Run) -> Iterator[Finding]:
        """One finding for all trials that differ alike."""
        alike: dict[Finding, list[int]] = {}
        for trial in part.trials:
            for found in self._of_trial(trial):
                alike.setdefault(found, []).append(trial.trial)
        expected = part.cases[0].outcome is Outcome.XFAILED
        for found, trials in alike.items():
            code = ExitCode.OK if expected and found.code is ExitCode.FAILED else found.code
            yield found.model_copy(update={"trials": tuple(trials), "code": code, **self._remedy(found)})

    def _of_trial(self, trial: Trial) -> Iterator[Finding]:
        if trial.mismatch is not None:
            yield self._of_mismatch(trial, trial.mismatch)
        elif trial.outcome is Outcome.UNRECORDED:
            missing = not cassette_file(self._project, self._case, trial.trial).is_file()
            cause = "there is no recording" if missing else trial.reason
            yield self._finding(DriftClass.UNRECORDED, cause, ExitCode.STALE)
        elif trial.trace is None and trial.outcome is Outcome.ERRORED:
            yield self._finding(DriftClass.ERRORED, trial.reason, ExitCode.ERRORED)
        elif trial.trace is not None and trial.trace.raised is not None:
            yield from self._of_raised(trial)
        for score in trial.scores:
            if score.status is ScoreStatus.NOT_JUDGED:
                yield self._finding(DriftClass.JUDGE, f"{score.name}: {score.reason}", ExitCode.STALE)

    def _of_mismatch(self, trial: Trial, mismatch: Mismatch) -> Finding:
        kind = DriftClass(mismatch.part.value)
        owner = self._owner(kind)
        recorded = self._exchanges(trial.trial)
        return self._finding(
            kind,
            name_owner(mismatch.cause, owner),
            ExitCode.STALE if mismatch.kind is MismatchKind.STALE else ExitCode.FAILED,
            turn=mismatch.turn,
            owner=owner,
            differences=mismatch.differences,
            other_reading=mismatch.other_reading,
            unknown=0 if kind is DriftClass.UNPLAYED and not mismatch.differences else max(0, recorded - mismatch.turn),
        )

    def _of_raised(self, trial: Trial) -> Iterator[Finding]:
        """An agent that raised before its recording ended: the rest was not played, whatever made it raise."""
        assert trial.trace is not None
        others = sum(isinstance(event, HttpCall) for event in trial.trace.events)
        played = trial.trace.model_requests + others
        recorded = self._exchanges(trial.trial)
        if played < recorded:
            left = f"{recorded - played} of {recorded} recorded exchanges not played"
            yield self._finding(DriftClass.UNPLAYED, f"{trial.reason}; {left}", ExitCode.FAILED, turn=played + 1)

    def _finding(self, kind: DriftClass, cause: str, code: ExitCode, **more: object) -> Finding:
        return Finding.model_validate(
            {"scenario": self._case.scenario.name, "case": self._case.name, "kind": kind, "cause": cause, "code": code}
            | more
        )

    def _owner(self, kind: DriftClass) -> str:
        """The prompt that the settings name, for a system prompt; else the subject."""
        prompt = self._case.scenario.settings.get("prompt")
        named = kind is DriftClass.SYSTEM_PROMPT and isinstance(prompt, str) and prompt.isprintable()
        return str(prompt) if named and prompt else self._case.scenario.subject

    def _exchanges(self, trial: int) -> int:
        return len(load_cassette(cassette_file(self._project, self._case, trial)).exchanges)

    def _remedy(self, found: Finding) -> dict[str, object]:
        judges = found.kind is DriftClass.JUDGE
        command = shlex.join(["harness", "record", *(["--judges"] if judges else []), self._case.scenario.source])
        return {"command": command, "cost": self._cost(judges_only=judges)}

    def _cost(self, *, judges_only: bool) -> Cost | None:
        """What the recordings took; of trials that have none, the mean of the others."""
        trials = self._case.scenario.trials
        total = Cost(requests=0, input_tokens=0, output_tokens=0, usd=Decimal(0))
        for rubric in (*([] if judges_only else [None]), *self._rubrics):
            files = (cassette_file(self._project, self._case, number, rubric) for number in range(1, trials + 1))
            took = [_took(load_cassette(file), self._project) for file in files if file.is_file()]
            if not took:
                return None
            total = _sum([total, _scaled(_sum(took), trials, len(took))])
        return total


def _remedies(project: Project, findings: Sequence[Finding], skipped: set[str]) -> Iterator[Remedy]:
    """What records anew just what is stale, and then what may be a regression; verdicts alone apart."""
    for code in (ExitCode.STALE, ExitCode.FAILED):
        agents = {found.scenario: found for found in findings if found.code is code and found.kind not in _NO_REMEDY}
        judged = {found.scenario: found for found in findings if found.code is code and found.kind is DriftClass.JUDGE}
        alone = {name: found for name, found in judged.items() if name not in agents}
        for options, chosen in (([], agents), (["--judges"], alone)):
            if chosen:
                costs = [found.cost for found in chosen.values()]
                known = [cost for cost in costs if cost is not None]
                paths = _fold(project, set(chosen), skipped)
                yield Remedy(
                    code=code,
                    command=shlex.join(["harness", "record", *options, *paths]),
                    cost=_sum(known) if known else None,
                    unknown=len(costs) - len(known),
                )


def _fold(project: Project, names: set[str], skipped: set[str]) -> list[str]:
    """The paths of scenarios, and of a folder where all in it are meant; one that is skipped is not recorded anyway."""
    rest = set(scenario_names(project)) - names - skipped
    if not rest:
        return []
    paths: dict[str, None] = {}
    for name in sorted(names):
        parts = name.split("/")
        folders = ("/".join(parts[:count]) for count in range(1, len(parts)))
        whole = next((folder for folder in folders if not any(other.startswith(f"{folder}/") for other in rest)), None)
        paths[shown(project, project.scenarios / whole if whole else _file(project, name))] = None
    return list(paths)


def _file(project: Project, name: str) -> Path:
    files = (project.scenarios / f"{name}{suffix}" for suffix in (".yaml", ".yml"))
    return next((file for file in files if file.is_file()), project.scenarios / name)


def _took(cassette: Cassette, project: Project) -> Cost:
    events = read_events([(exchange, 0) for exchange in cassette.exchanges], (), project.prices, at=cassette.began)
    usage = total_usage(events)
    return Cost(
        requests=len(cassette.exchanges),
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        usd=total_cost(events),
    )


def _sum(costs: Iterable[Cost]) -> Cost:
    listed = tuple(costs)
    prices = [cost.usd for cost in listed if cost.usd is not None]
    return Cost(
        requests=sum(cost.requests for cost in listed),
        input_tokens=_total(cost.input_tokens for cost in listed),
        output_tokens=_total(cost.output_tokens for cost in listed),
        usd=sum(prices, Decimal(0)) if len(prices) == len(listed) else None,
    )


def _total(counts: Iterable[int | None]) -> int | None:
    """The sum; None where one of them is unknown."""
    known = list(counts)
    return None if None in known else sum(count for count in known if count is not None)


def _scaled(cost: Cost, to: int, of: int) -> Cost:
    """A cost of ``of`` trials as one of ``to``, rounded up."""
    if to == of:
        return cost
    return Cost(
        requests=-(-cost.requests * to // of),
        input_tokens=None if cost.input_tokens is None else -(-cost.input_tokens * to // of),
        output_tokens=None if cost.output_tokens is None else -(-cost.output_tokens * to // of),
        usd=None if cost.usd is None else cost.usd * to / of,
    )


def _idle_renames(project: Project, cases: Sequence[Case]) -> Iterator[Finding]:
    """The declared renames that no request needed; only a look at every scenario can tell."""
    if {case.scenario.name for case in cases} < set(scenario_names(project)):
        return
    for kind, old, new in project.renames.declared():
        if (kind, old) not in project.renames.used:
            cause = (
                f"{kind}: {old} = {new}: no request that was replayed needed it; remove it from [tool.harness.renames]"
            )
            yield Finding(scenario="", kind=DriftClass.RENAME, cause=cause, code=ExitCode.OK)


def _old_recordings(project: Project, case: Case, today: date) -> Iterator[Finding]:
    """The recordings of a case that are older than the project wants them to be."""
    limit = project.max_age_days
    if limit is None:
        return
    files = [
        file for file in sorted(cassette_file(project, case, 1).parent.glob("*.yaml")) if ".pending." not in file.name
    ]
    ages = {file: _age(load_cassette(file), today) for file in files}
    old = [file for file, age in ages.items() if age is None or age > limit]
    if not old:
        return
    known = [age for age in ages.values() if age is not None]
    oldest = f"the oldest is {max(known)} days old" if known else "no file says when it was recorded"
    yield Finding(
        scenario=case.scenario.name,
        case=case.name,
        kind=DriftClass.AGE,
        cause=f"{len(old)} of {len(files)} recordings older than {limit} days: {oldest}",
        file=shown(project, old[0]),
        command=shlex.join(["harness", "record", case.scenario.source]),
        code=ExitCode.OK,
    )


def _age(cassette: Cassette, today: date) -> int | None:
    """Whole days since a recording; None where it does not say when it was made."""
    return None if cassette.began is None else (today - cassette.began.astimezone(UTC).date()).days
