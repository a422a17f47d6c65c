"""Makes a run the accepted state, or drops what waits to be accepted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.cassettes import load_cassette
from harness.cassettes.form import digest_of
from harness.comparing import compare
from harness.errors import BadInputError, Fault
from harness.loading import scenario_names
from harness.pipeline.results import attach
from harness.records.comparison import Results
from harness.records.outcome import Outcome
from harness.records.run import Run, Trial
from harness.settings import Project
from harness.store import (
    accepted_place,
    commit,
    drop_file,
    merge_baselines,
    pending_file,
    pending_recordings,
    read_baseline,
    read_results,
)

__all__ = ["accept", "propose", "reject", "waiting"]

_REFUSED = (Outcome.ERRORED, Outcome.STALE, Outcome.UNRECORDED, Outcome.NOT_JUDGED)


def propose(project: Project, file: Path, scenarios: Sequence[str]) -> Results:
    """What accepting these scenarios of a results file (all, if none are named) would change.

    Skipped cases keep their accepted state. Raises :class:`BadInputError` for a name that the file does not hold, for
    scenarios that the project no longer has, for cases whose outcome says nothing about the agent (errored, stale,
    unrecorded, not judged), and where a recording that would be promoted is not the one that was scored.
    """
    results = read_results(file)
    parts = [part for part in results.by_case().values() if not scenarios or part.cases[0].scenario in scenarios]
    known = {part.cases[0].scenario for part in parts}
    faults = [
        Fault(str(file), 0, 0, f"holds no scenario {name!r}; it holds {', '.join(sorted(_names(results)))}")
        for name in scenarios
        if name not in known
    ]
    faults += [
        Fault(str(file), 0, 0, f"{name} is no scenario of this project any more, by that name; run again: harness run")
        for name in sorted(known.difference(scenario_names(project)))
    ]
    faults += [
        Fault(
            case.source,
            0,
            0,
            f"{case.scenario} is {case.outcome} ({case.reason}) and can't be accepted; {_mend(case.command)}",
        )
        for part in parts
        for case in part.cases
        if case.outcome in _REFUSED
    ]
    faults += [fault for part in parts for trial in part.trials for fault in _check_pending(project, trial)]
    if faults:
        raise BadInputError(faults)
    run = Run.merge(part for part in parts if part.cases[0].outcome is not Outcome.SKIPPED)
    return attach(run, compare(run, read_baseline(project, _names(run)), whole=False))


def accept(project: Project, proposal: Results) -> tuple[Path, ...]:
    """Write the proposal as the accepted state, and promote the recordings that it was scored on: all, or nothing.

    Returns the files written.
    """
    pending = [file for trial in proposal.trials for file in _pending_files(project, trial) if file.is_file()]
    writes = {accepted_place(file): file.read_bytes() for file in pending}
    trials = tuple(trial.model_copy(update={"pending": {}}) for trial in proposal.trials)
    baselines = merge_baselines(project, Run(cases=proposal.cases, trials=trials))
    writes |= {file: text.encode() for file, text in baselines.items()}
    commit(project, writes, removes=pending)
    return tuple(writes)


def waiting(project: Project, scenarios: Sequence[str]) -> tuple[Path, ...]:
    """The recordings of these scenarios (all, if none are named) that wait to be accepted.

    Raises :class:`BadInputError` for a scenario that has none.
    """
    files = pending_recordings(project, scenarios)
    held = {file.parent.parent.relative_to(project.cassettes).as_posix() for file in files}
    faults = [
        Fault(name, 0, 0, "has no recording that waits; `harness run --mode extend` makes one")
        for name in scenarios
        if name not in held
    ]
    if faults:
        raise BadInputError(faults)
    return files


def reject(project: Project, files: Iterable[Path]) -> None:
    """Drop recordings that wait to be accepted."""
    for file in files:
        drop_file(file, project.cassettes)


def _check_pending(project: Project, trial: Trial) -> Iterator[Fault]:
    for file, digest in zip(_pending_files(project, trial), trial.pending.values(), strict=True):
        # once it was accepted, it stands in its place
        places = [place for place in (file, accepted_place(file)) if place.is_file()]
        if not any(digest_of(load_cassette(place).exchanges) == digest for place in places):
            what = "is gone, or is not what was scored; run again: harness run --mode extend"
            yield Fault(str(file), 0, 0, what)


def _pending_files(project: Project, trial: Trial) -> list[Path]:
    return [pending_file(project, trial.scenario, trial.case, name) for name in trial.pending]


def _names(run: Run) -> set[str]:
    return {case.scenario for case in run.cases}


def _mend(command: str | None) -> str:
    return f"first run `{command}`" if command else "mend it and run again"
