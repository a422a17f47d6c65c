"""The closing lines of a run on a terminal. Which colour a style has is the face's business."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from enum import StrEnum

from harness.records.comparison import Results
from harness.records.message import Usage
from harness.records.mismatch import Mismatch, MismatchKind
from harness.records.run import Run
from harness.reporting.failure import side_by_side
from harness.reporting.standing import Entry, Standing, Tone, count_standings, list_entries
from harness.reporting.wording import count, inexact, join_commands, money, one_line, tokens

__all__ = ["Line", "Style", "render_lines", "render_recorded"]

_NAMED = 10
"""Others of a group that are named one by one, at most."""
_NAME_WIDTH = 60
"""Names are padded to the longest, up to this many characters; a longer one is kept whole."""

_COMMAND_LIMIT = 4_000
"""Characters; a shell's line has to be whole to be pasted."""


class Style(StrEnum):
    """What a piece of text is."""

    PLAIN = "plain"
    NAME = "name"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    MUTED = "muted"
    COMMAND = "command"


Line = tuple[tuple[Style, str], ...]
"""Pieces that stand beside each other; their texts joined are the plain line."""

_STYLES = {Tone.BAD: Style.BAD, Tone.WARN: Style.WARN, Tone.GOOD: Style.GOOD, Tone.MUTED: Style.MUTED}


def render_lines(results: Results, *, verbose: bool = False) -> tuple[Line, ...]:
    """One line per case that is no plain pass, the commands that mend them, what is not exact, and the counts.

    A pass that differs from the accepted state is not plain; ``verbose`` adds those that are. The worst stands last,
    where the eye is when a command ends. Cases that are alike in standing and reason share a line. Where an agent
    behaved differently, its first differing message stands beside the recorded one.
    """
    entries = list_entries(results)
    groups = _alike(entry for entry in entries if verbose or entry.reason or entry.standing is not Standing.PASSED)
    name_width = min(_NAME_WIDTH, max((len(one_line(group[0].id)) for group in groups), default=0))
    word_width = max((len(_word(group[0].standing)) for group in groups), default=0)
    lines: list[Line] = []
    for group in reversed(groups):
        lines.extend(_case_lines(group, name_width, word_width))
    lines.extend(((Style.MUTED, one_line(f"{what}: {why}")),) for what, why in inexact(results.trials))
    return (*lines, _counts(entries))


def render_recorded(run: Run) -> Iterator[str]:
    """One line per case that was recorded: what it took, and what it comes to now."""
    for part in run.by_case().values():
        case = part.cases[0]
        traces = [trial.trace for trial in part.trials if trial.trace is not None]
        costs = [trace.cost_usd for trace in traces if trace.cost_usd is not None]
        usages = [trace.usage for trace in traces if trace.usage is not None]
        facts = (
            count(len(traces), "trial"),
            count(sum(len(trace.model_calls) for trace in traces), "model call"),
            tokens(sum(usages, Usage()) if len(usages) == len(traces) else None),
            money(sum(costs, Decimal(0)) if len(costs) == len(traces) else None),
        )
        took = ", ".join(facts) if traces else "nothing recorded"
        reason = f": {one_line(case.reason)}" if case.reason else ""
        yield f"{one_line(case.scenario)}  {took}, now {Standing(case.outcome.value).word}{reason}"


def _alike(entries: Iterable[Entry]) -> list[list[Entry]]:
    groups: dict[tuple[object, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.standing, entry.transition, entry.reason or entry.id), []).append(entry)
    return list(groups.values())


def _case_lines(group: Sequence[Entry], name_width: int, word_width: int) -> Iterator[Line]:
    entry = group[0]
    word = _word(entry.standing)
    said = [text for text in (one_line(entry.transition), one_line(entry.reason)) if text]
    if len(group) > 1:
        said[-1:] = [" ".join([*said[-1:], _others(group)])]
    yield (
        (Style.NAME, one_line(entry.id).ljust(name_width)),
        (Style.PLAIN, "  "),
        (_STYLES[entry.standing.tone], word.ljust(word_width) if said else word),
        (Style.PLAIN, f"  {'  '.join(said)}" if said else ""),
    )
    indent = " " * (name_width + word_width + 4)
    mismatches = [trial.mismatch for trial in entry.trials if trial.mismatch is not None]
    if mismatches:
        yield from _mismatch_lines(min(mismatches, key=lambda each: each.kind is MismatchKind.STALE), indent)
    commands = (one.result.command for one in group if one.result and one.result.command)
    if entry.standing is Standing.REMOVED:
        return
    for command in join_commands(commands):
        yield ((Style.PLAIN, indent), (Style.COMMAND, one_line(command, _COMMAND_LIMIT)))


def _mismatch_lines(mismatch: Mismatch, indent: str) -> Iterator[Line]:
    if mismatch.kind is MismatchKind.CHANGED:
        yield from (((Style.PLAIN, f"  {line}"),) for line in side_by_side(mismatch))
    if mismatch.other_reading:
        yield ((Style.MUTED, f"{indent}or: {one_line(mismatch.other_reading)}"),)


def _others(group: Sequence[Entry]) -> str:
    """The rest of a group: by name where no command below names them."""
    names = [one_line(entry.id) for entry in group[1:]]
    named = group[0].result is not None and group[0].result.command is not None
    return f"(and {count(len(names), 'other')})" if named or len(names) > _NAMED else f"(also {', '.join(names)})"


def _word(standing: Standing) -> str:
    """A regression is the one thing that shouts."""
    return "WORSE" if standing is Standing.REGRESSED else standing.word


def _counts(entries: Sequence[Entry]) -> Line:
    pieces: list[tuple[Style, str]] = [(Style.PLAIN, f"{count(len(entries), 'case')}: ")]
    for number, (standing, cases) in enumerate(count_standings(entries).items()):
        pieces.append((Style.PLAIN, ", " if number else ""))
        pieces.append((_STYLES[standing.tone], f"{cases:,} {standing.word}"))
    if not entries:
        pieces = [(Style.WARN, "0 cases: nothing ran")]
    return tuple(piece for piece in pieces if piece[1])
