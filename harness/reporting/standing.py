"""Where a case stands: the one word that it is counted under, and the sentence that sums the run up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.records.comparison import CaseComparison, Change, Results
from harness.records.outcome import Outcome
from harness.records.run import CaseResult, Run, Trial
from harness.reporting.wording import count

__all__ = ["Entry", "Standing", "Tone", "count_standings", "list_entries", "verdict"]


class Tone(StrEnum):
    """What a reader should feel. Faces turn it into colour, never into the only difference."""

    BAD = "bad"
    WARN = "warn"
    GOOD = "good"
    MUTED = "muted"


class Standing(StrEnum):
    """Each case has exactly one, so the counts add up to the number of cases. The worst stands first."""

    REGRESSED = "regressed"
    FAILED = "failed"
    ERRORED = "errored"
    NOT_JUDGED = "not_judged"
    STALE = "stale"
    UNRECORDED = "unrecorded"
    FLAKY = "flaky"
    INCONCLUSIVE = "inconclusive"
    REMOVED = "removed"
    IMPROVED = "improved"
    PASSED = "passed"
    XFAILED = "xfailed"
    SKIPPED = "skipped"

    @property
    def word(self) -> str:
        """As it stands in a sentence."""
        return {Standing.NOT_JUDGED: "not judged", Standing.XFAILED: "failed as expected"}.get(self, self.value)

    @property
    def mark(self) -> str:
        """One character that differs in shape, for readers who don't see the colour."""
        return _LOOKS[self][0]

    @property
    def tone(self) -> Tone:
        """How bad it is."""
        return _LOOKS[self][1]

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return _RANKS[self]

    @property
    def needs_action(self) -> bool:
        """Whether somebody has to do something before the run can be green."""
        return self.rank <= Standing.REMOVED.rank


_LOOKS = {
    Standing.REGRESSED: ("▼", Tone.BAD),
    Standing.FAILED: ("✕", Tone.BAD),
    Standing.ERRORED: ("!", Tone.BAD),
    Standing.NOT_JUDGED: ("?", Tone.WARN),
    Standing.STALE: ("↻", Tone.WARN),
    Standing.UNRECORDED: ("○", Tone.WARN),
    Standing.FLAKY: ("≈", Tone.WARN),
    Standing.INCONCLUSIVE: ("~", Tone.WARN),
    Standing.REMOVED: ("−", Tone.WARN),  # noqa: RUF001 (a sign that stands alone)
    Standing.IMPROVED: ("▲", Tone.GOOD),
    Standing.PASSED: ("✓", Tone.GOOD),
    Standing.XFAILED: ("⊘", Tone.MUTED),
    Standing.SKIPPED: ("»", Tone.MUTED),
}
_RANKS = {standing: rank for rank, standing in enumerate(Standing)}
_WITHOUT_TRANSITION = (Change.UNCHANGED, Change.NEW, Change.SKIPPED, Change.STALE, Change.ERRORED)
_CHANGES = {
    Change.REGRESSED: Standing.REGRESSED,
    Change.FLAKY: Standing.FLAKY,
    Change.INCONCLUSIVE: Standing.INCONCLUSIVE,
}


def _standing(case: CaseResult, comparison: CaseComparison | None) -> Standing:
    change = comparison.change if comparison else None
    if change in _CHANGES and case.outcome in (Outcome.PASSED, Outcome.FAILED):
        return _CHANGES[change]
    if change is Change.IMPROVED and case.outcome is Outcome.PASSED:
        return Standing.IMPROVED
    return Standing(case.outcome.value)


@dataclass(frozen=True, slots=True)
class Entry:
    """One case with all that is known of it: the unit that every output lists."""

    standing: Standing
    scenario: str
    case: str
    result: CaseResult | None
    """None where the case was removed and the baseline did not keep it."""
    comparison: CaseComparison | None
    trials: tuple[Trial, ...]

    @property
    def id(self) -> str:
        """The name that a user selects by."""
        return self.scenario if self.case == "default" else f"{self.scenario}[{self.case}]"

    @property
    def reason(self) -> str:
        """Why the case stands where it stands; empty for a plain pass."""
        own = self.result.reason if self.result and self.standing is not Standing.REMOVED else ""
        return own or (self.comparison.reason if self.comparison else "")

    @property
    def transition(self) -> str:
        """Trials passed before and now, ``3/3 → 1/3``; else the comparison's own line.

        Empty where nothing changed, and where trials passed or not says nothing yet.
        """
        if self.comparison is None or self.comparison.change in _WITHOUT_TRANSITION:
            return ""
        before = self.before.cases[0] if self.before and self.before.cases else None
        if before and self.result and self.standing is not Standing.REMOVED:
            was, now = (f"{case.passed}/{case.trials}" for case in (before, self.result))
            if was != now:
                return f"{was} → {now}"
        return self.comparison.reason if self.comparison.reason != self.reason else ""

    @property
    def before(self) -> Run | None:
        """The accepted state, where it differs."""
        return self.comparison.before if self.comparison else None


def list_entries(results: Results) -> tuple[Entry, ...]:
    """Every case of the run and every removed one, the worst first, then by name."""
    compared = {(entry.scenario, entry.case): entry for entry in results.comparison.cases}
    trials: dict[tuple[str, str], list[Trial]] = {}
    for trial in results.trials:
        trials.setdefault((trial.scenario, trial.case), []).append(trial)
    entries = [
        Entry(
            _standing(case, compared.get(case.key)),
            *case.key,
            result=case,
            comparison=compared.get(case.key),
            trials=tuple(trials.get(case.key, ())),
        )
        for case in results.cases
    ]
    entries += [
        Entry(Standing.REMOVED, gone.scenario, gone.case, _former(gone), comparison=gone, trials=())
        for gone in results.comparison.cases
        if gone.change is Change.REMOVED
    ]
    return tuple(sorted(entries, key=lambda entry: (entry.standing.rank, entry.scenario, entry.case)))


def count_standings(entries: Iterable[Entry]) -> dict[Standing, int]:
    """How many cases stand where, the worst first; only what occurs."""
    found = Counter(entry.standing for entry in entries)
    return {standing: found[standing] for standing in Standing if found[standing]}


def verdict(entries: Iterable[Entry]) -> str:
    """The run in one sentence, each number with what it is a number of."""
    counts = count_standings(entries)
    total = sum(counts.values())
    if not total:
        return "No case ran"
    if set(counts) <= {Standing.PASSED, Standing.IMPROVED}:
        text = "The only case passed" if total == 1 else f"All {total:,} cases passed"
        return f"{text}, {counts[Standing.IMPROVED]:,} improved" if Standing.IMPROVED in counts else text
    first, *others = _named(counts)
    rest = "".join(f", {counts[standing]:,} {standing.word}" for standing in others)
    return f"{counts[first]:,} of {count(total, 'case')} {first.word}{rest}"


def _named(counts: dict[Standing, int]) -> list[Standing]:
    """What the sentence names: what needs action; where nothing does, everything, with the passes first."""
    urgent = [standing for standing in counts if standing.needs_action]
    return urgent or sorted(counts, key=lambda standing: (standing is not Standing.PASSED, standing.rank))


def _former(gone: CaseComparison) -> CaseResult | None:
    return gone.before.cases[0] if gone.before and gone.before.cases else None
