"""``summary.md``: the run for a job's summary page or a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from harness.records.comparison import Results
from harness.reporting.standing import Entry, Standing, count_standings, list_entries, verdict
from harness.reporting.wording import count, inexact, join_commands, one_line, visible

__all__ = ["render_markdown"]

_LIMIT = 1_000_000
"""Bytes. GitHub drops a whole summary of 1,024 KiB and more."""
_NOTE_ROOM = 200
"""Bytes kept for the sentence that says what was left out."""


def render_markdown(results: Results, *, limit: int = _LIMIT) -> str:
    """The verdict, the counts, then each case that needs action with its reason; at most ``limit`` bytes.

    All text from records stands in code spans, where no markup is read.
    """
    entries = list_entries(results)
    kept, size, left_out = [], 0, 0
    for line, cases in chain(_lines(entries), _notes(results)):
        size += len(line.encode(errors="replace")) + 1
        if left_out or size > limit - _NOTE_ROOM:
            left_out += cases
            size = limit
        else:
            kept.append(line)
    if size >= limit:
        kept += ["", f"Left out for size: {count(left_out, 'more case')}. The full report has every one."]
    return "\n".join(kept).encode(errors="replace").decode() + "\n"


def _lines(entries: Iterable[Entry]) -> Iterator[tuple[str, int]]:
    """Each line with the number of cases that it stands for."""
    known = tuple(entries)
    yield f"## {verdict(known)}", 0
    yield from (("", 0), *((line, 0) for line in _table(known)))
    for standing in count_standings(known):
        if standing.needs_action:
            members = [entry for entry in known if entry.standing is standing]
            yield from (("", 0), (f"### {standing.mark} {standing.word.capitalize()} ({len(members):,})", 0), ("", 0))
            if standing in (Standing.STALE, Standing.UNRECORDED, Standing.NOT_JUDGED):
                yield from _by_cause(members)
            else:
                yield from ((_item(entry), 1) for entry in members)


def _notes(results: Results) -> Iterator[tuple[str, int]]:
    for what, why in inexact(results.trials):
        yield from (("", 0), (f"{what.capitalize()}: {_code(why)}", 0))


def _table(entries: Iterable[Entry]) -> Iterator[str]:
    counts = count_standings(entries)
    if counts:
        yield f"| {' | '.join(f'{standing.mark} {standing.word}' for standing in counts)} |"
        yield f"|{' ---: |' * len(counts)}"
        yield f"| {' | '.join(f'{number:,}' for number in counts.values())} |"


def _by_cause(members: Iterable[Entry]) -> Iterator[tuple[str, int]]:
    """Cases with the same reason together, then the one block of commands that mends them."""
    causes: dict[str, list[Entry]] = {}
    for entry in members:
        causes.setdefault(one_line(entry.reason), []).append(entry)
    for reason, alike in causes.items():
        names = ", ".join(_code(entry.id) for entry in alike[:10])
        others = f" and {count(len(alike) - 10, 'other')}" if len(alike) > 10 else ""
        yield f"- {names}{others}" + (f": {_code(reason)}" if reason else ""), len(alike)
    commands = [command for alike in causes.values() for entry in alike if (command := _command(entry))]
    if commands:
        yield "", 0
        yield from ((line, 0) for line in _block(join_commands(commands)))


def _block(commands: Iterable[str]) -> Iterator[str]:
    text = [visible(command).replace("\n", " ") for command in commands]
    fence = "`" * max(3, 1 + max(map(_longest_run, text)))
    yield from (f"{fence}sh", *text, fence)


def _command(entry: Entry) -> str | None:
    return entry.result.command if entry.result else None


def _item(entry: Entry) -> str:
    parts = [f"- **{_code(entry.id)}**"]
    if entry.transition:
        parts.append(_code(entry.transition))
    if entry.reason:
        parts.append(_code(entry.reason))
    return " ".join(parts)


def _code(text: str, *, limit: int = 400) -> str:
    """A code span that holds exactly this text on one line: its fence is longer than any run of backticks inside."""
    line = one_line(text, limit)
    longest = _longest_run(line)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{line}{pad}{fence}" if line else ""


def _longest_run(text: str) -> int:
    """Backticks in a row."""
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
