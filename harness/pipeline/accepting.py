"""Makes a run the accepted state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.comparing import compare
from harness.errors import BadInputError, Fault
from harness.pipeline.results import attach
from harness.records.comparison import Results
from harness.records.outcome import Outcome
from harness.records.run import Run
from harness.settings import Project
from harness.store import read_baseline, read_results, write_baseline

__all__ = ["accept", "propose"]

_REFUSED = (Outcome.ERRORED, Outcome.STALE, Outcome.UNRECORDED, Outcome.NOT_JUDGED)


def propose(project: Project, file: Path, scenarios: Sequence[str]) -> Results:
    """What accepting these scenarios of a results file (all, if none are named) would change.

    Skipped cases keep their accepted state. Raises :class:`BadInputError` for a name that the file does not hold, and
    for cases whose outcome says nothing about the agent: errored, stale, unrecorded, not judged.
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
    if faults:
        raise BadInputError(faults)
    run = Run.merge(part for part in parts if part.cases[0].outcome is not Outcome.SKIPPED)
    return attach(run, compare(run, read_baseline(project, _names(run)), whole=False))


def accept(project: Project, proposal: Results) -> tuple[Path, ...]:
    """Write the proposal as the accepted state; the files written."""
    return write_baseline(project, Run(cases=proposal.cases, trials=proposal.trials))


def _names(run: Run) -> set[str]:
    return {case.scenario for case in run.cases}


def _mend(command: str | None) -> str:
    return f"first run `{command}`" if command else "mend it and run again"
