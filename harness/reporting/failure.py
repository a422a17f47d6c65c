"""Why one case did not pass, as text for a terminal or a log."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import zip_longest

from harness.records.comparison import Results
from harness.records.mismatch import Mismatch, MismatchKind
from harness.records.outcome import Outcome
from harness.records.run import Trial
from harness.records.score import ScoreStatus
from harness.reporting.standing import Entry, Standing, list_entries
from harness.reporting.wording import one_line, visible

__all__ = ["describe_mismatch", "render_failure", "side_by_side"]

_COLUMN = 56
"""Characters of each of two columns, so that both fit a terminal of 120."""
_LONGEST = 40
"""Lines of a side that are shown at most."""


def render_failure(results: Results) -> str:
    """The case's standing and reason, what differs side by side, and the command that mends it.

    ``results`` hold one case. The text begins with the standing, such as ``stale``.
    """
    (entry,) = list_entries(results)
    return "\n".join(_lines(entry))


def describe_mismatch(mismatch: Mismatch, place: str) -> Iterator[str]:
    """Whose doing a difference is, what differs, ``place`` for where it shows, and both sides."""
    yield f"{'stale' if mismatch.kind is MismatchKind.STALE else 'failed'}: {one_line(mismatch.cause)}"
    yield place
    yield from _difference_lines(mismatch)


def side_by_side(mismatch: Mismatch) -> Iterator[str]:
    """The recorded and the current text in two columns; differing lines are marked."""
    yield f"  {'recorded':<{_COLUMN}} | now"
    pairs = list(zip_longest(_column(mismatch.recorded), _column(mismatch.current), fillvalue=""))
    for left, right in pairs[:_LONGEST]:
        yield f"{' ' if left == right else '>'} {left:<{_COLUMN}} | {right}".rstrip()
    if len(pairs) > _LONGEST:
        yield f"  … {len(pairs) - _LONGEST} more lines; the report shows them"


def _lines(entry: Entry) -> Iterator[str]:
    yield ": ".join(part for part in (entry.standing.word, one_line(entry.reason)) if part)
    yield f"scenario {entry.id}" + (f", {entry.transition}" if entry.transition else "")
    for trial in entry.trials:
        if trial.outcome is not Outcome.PASSED:
            yield from _trial_lines(trial)
            break  # one is enough to act on; the report has them all
    if entry.result and entry.result.command:
        yield f"run: {entry.result.command}"


def _trial_lines(trial: Trial) -> Iterator[str]:
    yield f"trial {trial.trial} {Standing(trial.outcome.value).word}: {one_line(trial.reason)}"
    if trial.mismatch is not None:
        yield from _difference_lines(trial.mismatch)
    for score in trial.scores:
        if score.status is not ScoreStatus.PASSED:
            yield f"  {score.name}: {one_line(score.reason)}"
            yield from (f"    {line}" for line in visible(score.evidence or "").splitlines())


def _difference_lines(mismatch: Mismatch) -> Iterator[str]:
    yield from side_by_side(mismatch)
    if mismatch.other_reading:
        yield f"or: {one_line(mismatch.other_reading)}"


def _column(text: str) -> list[str]:
    lines: list[str] = []
    for line in visible(text).split("\n"):
        lines.extend(textwrap.wrap(line, _COLUMN, drop_whitespace=False, replace_whitespace=False) or [""])
    return lines
