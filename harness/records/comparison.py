"""A run held against the accepted state."""

from __future__ import annotations

from enum import StrEnum

from harness.records.base import Name, Record
from harness.records.run import Run

__all__ = ["CaseComparison", "Change", "Comparison", "Results"]


class Change(StrEnum):
    """What became of a case since the baseline."""

    REGRESSED = "regressed"
    """It passed and fails now, fewer trials pass, or a score is lower."""
    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    NEW = "new"
    """The baseline has no such case."""
    REMOVED = "removed"
    """The baseline has it, the run's selection should and does not."""
    STALE = "stale"
    """Stale, unrecorded or not judged: nothing to compare until it is recorded."""
    ERRORED = "errored"
    SKIPPED = "skipped"
    INCONCLUSIVE = "inconclusive"
    """Too little data to tell (live runs)."""
    FLAKY = "flaky"
    """Trials of one case disagree where they used to agree (live runs)."""


class CaseComparison(Record):
    """One case, before and now."""

    scenario: str
    case: Name
    change: Change
    reason: str
    """One line with the numbers: ``3 of 3 passed, now 1 of 3 passed``. Where no score changed, what else did: another
    answer, an expectation that is gone. Empty where nothing changed."""
    before: Run | None = None
    """The accepted state of this case, kept only where something differs."""


class Comparison(Record):
    """Every case of the run, in the run's order, then the removed ones."""

    cases: tuple[CaseComparison, ...]

    @property
    def regressed(self) -> tuple[CaseComparison, ...]:
        """The cases that got worse."""
        return tuple(case for case in self.cases if case.change is Change.REGRESSED)


class Results(Run):
    """A run together with its comparison: ``results.json``, all that a report needs."""

    comparison: Comparison
