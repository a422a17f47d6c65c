"""What the page shows, decided here on records: the template lays it out, the script only filters and opens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from urllib.parse import quote

from harness.records.base import Record
from harness.records.comparison import Change, Results
from harness.records.outcome import Outcome
from harness.records.run import RunFacts, Trial
from harness.reporting.standing import Entry, Standing, count_standings, list_entries, verdict
from harness.reporting.wording import count, duration, join_commands, money, one_line, tokens

__all__ = ["CaseRow", "Group", "Mark", "PageView", "StandingCount", "build_view"]

_SINGLE_MARKS = 12
"""Up to this many trials each have a mark of their own; above it, equal ones share one."""
_OPEN_ROWS = 60
"""Rows written into the page itself, readable at once and without the script."""
_REASON_LIMIT = 320
"""Characters of a reason in a list; the trial shows it whole."""


class Mark(Record):
    """One trial, or several that ended alike, in the row of marks."""

    trial: int
    outcome: Standing
    count: int = 1

    @property
    def label(self) -> str:
        """For readers who don't see the mark."""
        return (
            f"trial {self.trial}: {self.outcome.word}"
            if self.count == 1
            else f"{self.count} trials {self.outcome.word}"
        )


class CaseRow(Record):
    """One case in a list."""

    id: str
    standing: Standing
    note: str = ""
    """``new`` or ``improved`` beside the standing."""
    reason: str = ""
    transition: str = ""
    description: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    command: str = ""
    marks: tuple[Mark, ...] = ()
    trials: tuple[int, ...] = ()
    """The numbers of the trials that the page can open, in order."""
    facts: tuple[str, ...] = ()

    @property
    def first(self) -> int | None:
        """The trial to open first: the worst."""
        return min(self.marks, key=lambda mark: mark.outcome.rank).trial if self.marks else None

    def link(self, trial: int) -> str:
        """The address of a trial inside the page."""
        return f"#trial={quote(f'{self.id}/{trial}', safe='/')}"


class Group(Record):
    """Cases that stand alike: what is shown first, without the script."""

    standing: Standing
    rows: tuple[CaseRow, ...]
    hidden: int = 0
    """Rows of this group that only the full list shows."""
    commands: tuple[str, ...] = ()
    """What to run to mend the whole group."""

    @property
    def total(self) -> int:
        """All cases of the group."""
        return len(self.rows) + self.hidden


class StandingCount(Record):
    """A filter button."""

    standing: Standing
    count: int


class PageView(Record):
    """The page."""

    verdict: str
    summary: str
    """How much was run, against what, and what it took as recorded."""
    facts: str
    """When, where and how it ran; empty where unknown."""
    tone: str
    counts: tuple[StandingCount, ...]
    groups: tuple[Group, ...]
    tags: tuple[tuple[str, int], ...]
    rows: tuple[CaseRow, ...]


def build_view(results: Results, facts: RunFacts | None) -> PageView:
    """Decide what the page shows, and in which order."""
    entries = list_entries(results)
    rows = tuple(_row(entry) for entry in entries)
    counts = count_standings(entries)
    tags = Counter(tag for row in rows for tag in row.tags)
    return PageView(
        verdict=verdict(entries),
        summary=_summary(results, entries),
        facts=_facts(facts) if facts else "",
        tone=next(iter(counts), Standing.SKIPPED).tone,
        counts=tuple(StandingCount(standing=standing, count=number) for standing, number in counts.items()),
        groups=_groups(rows),
        tags=tuple(sorted(tags.items())),
        rows=rows,
    )


def _row(entry: Entry) -> CaseRow:
    result = entry.result
    change = entry.comparison.change if entry.comparison else None
    notes = {Change.NEW: "new", Change.IMPROVED: "improved"}
    return CaseRow(
        id=entry.id,
        standing=entry.standing,
        note=notes.get(change, "") if change and entry.standing is not Standing.IMPROVED else "",
        reason=one_line(entry.reason, _REASON_LIMIT),
        transition=one_line(entry.transition, _REASON_LIMIT),
        description=result.description if result else "",
        source=result.source if result else "",
        tags=result.tags if result else (),
        command=(result.command or "") if result and entry.standing is not Standing.REMOVED else "",
        marks=_marks(entry.trials),
        trials=tuple(trial.trial for trial in entry.trials),
        facts=_totals(entry.trials),
    )


def _marks(trials: Sequence[Trial]) -> tuple[Mark, ...]:
    if len(trials) <= _SINGLE_MARKS:
        return tuple(Mark(trial=trial.trial, outcome=Standing(trial.outcome.value)) for trial in trials)
    alike: dict[Outcome, list[int]] = {}
    for trial in trials:
        alike.setdefault(trial.outcome, []).append(trial.trial)
    marks = [
        Mark(trial=numbers[0], outcome=Standing(outcome.value), count=len(numbers))
        for outcome, numbers in alike.items()
    ]
    return tuple(sorted(marks, key=lambda mark: mark.outcome.rank))


def _groups(rows: Iterable[CaseRow]) -> tuple[Group, ...]:
    """What needs action, the worst first, cut where the page would grow heavy."""
    alike: dict[Standing, list[CaseRow]] = {}
    for row in rows:
        if row.standing.needs_action:
            alike.setdefault(row.standing, []).append(row)
    groups, room = [], _OPEN_ROWS
    for standing, members in alike.items():
        shown = tuple(members[:room])
        room -= len(shown)
        commands = join_commands(row.command for row in members if row.command)
        groups.append(Group(standing=standing, rows=shown, hidden=len(members) - len(shown), commands=commands))
    return tuple(groups)


def _summary(results: Results, entries: Sequence[Entry]) -> str:
    cases, trials = count(len(results.cases), "case"), count(len(results.trials), "trial")
    if len(entries) > len(results.cases):
        cases += f" and {len(entries) - len(results.cases):,} removed"
    changes = {entry.comparison.change for entry in entries if entry.comparison}
    if not changes or changes <= {Change.NEW}:
        against = "no baseline to compare with yet"
    else:
        new = sum(1 for entry in entries if entry.comparison and entry.comparison.change is Change.NEW)
        against = "compared with the baseline" + (f", which lacks {new:,} of them" if new else "")
    return " · ".join([f"{cases}, {trials}, {against}", *_totals(results.trials)])


def _totals(trials: Sequence[Trial]) -> tuple[str, ...]:
    """Tokens, cost and recorded time of some trials; what is unknown is counted, never added as 0."""
    traces = [trial.trace for trial in trials if trial.trace is not None and trial.trace.model_calls]
    if not traces:
        return ()
    usages = [trace.usage for trace in traces if trace.usage is not None]
    costs = [trace.cost_usd for trace in traces if trace.cost_usd is not None]
    used = count(sum(usage.total_tokens for usage in usages), "token") if usages else tokens(None)
    cost = money(sum(costs, Decimal(0)) if costs else None)
    took = f"{duration(sum(trace.duration for trace in traces))} recorded"
    return (
        used + _unknown_of(len(usages), len(traces)),
        cost + _unknown_of(len(costs), len(traces)),
        f"{took}, not exact" if any(trace.inexact for trace in traces) else took,
    )


def _unknown_of(known: int, trials: int) -> str:
    return f" and {trials - known:,} of {count(trials, 'trial')} unknown" if 0 < known < trials else ""


def _facts(facts: RunFacts) -> str:
    return " · ".join(
        [
            f"mode {facts.mode}, {facts.started_at}, {facts.seconds:.1f} s here",
            f"harness {facts.harness_version}, Python {facts.python_version}, {facts.platform}",
            " ".join(facts.argv),
        ]
    )
