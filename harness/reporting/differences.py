"""Two texts, or two conversations, side by side: what is the same, and where they first part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from enum import StrEnum

from harness.records.base import Record
from harness.reporting.steps import Step, StepKind

__all__ = ["Line", "Row", "RowKind", "compare_steps", "compare_texts", "first_difference"]

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_CONTEXT = 2
"""Equal lines kept beside a difference."""
_PRODUCT_LIMIT = 250_000
"""Above this many pairs (lines before x lines now) the middle is shown whole: matching takes quadratic time."""

Marked = tuple[str, str, str]
"""A line cut in three: the same beginning, the part that differs, the same end."""


class Line(Record):
    """One line of a side by side. A side that has no such line is None; ``skipped`` equal lines come before it."""

    before: Marked | None = None
    now: Marked | None = None
    skipped: int = 0

    @property
    def differs(self) -> bool:
        """Whether the two sides say something else here."""
        return self.before != self.now


class RowKind(StrEnum):
    """What became of a step."""

    SAME = "same"
    CHANGED = "changed"
    BEFORE = "before"
    """Only the baseline has it."""
    NOW = "now"
    """Only this run has it."""


class Row(Record):
    """One row of two conversations side by side."""

    kind: RowKind
    at: int = 0
    """Where it is in this run's steps, from 0."""
    count: int = 1
    """How many steps are the same here."""
    step: Step | None = None
    """The baseline's step, where the row has one that differs."""
    lines: tuple[Line, ...] = ()
    """Both bodies side by side, where the step changed."""


def compare_texts(before: str, now: str, *, context: int = _CONTEXT) -> tuple[Line, ...]:
    """Two texts line by line, with the differing part of each line marked and long equal stretches folded."""
    lines = list(_pair_lines(before.splitlines() or [""], now.splitlines() or [""]))
    near = {
        index + offset for index, line in enumerate(lines) if line.differs for offset in range(-context, context + 1)
    }
    folded: list[Line] = []
    skipped = 0
    for index, line in enumerate(lines):
        if index in near:
            folded.append(line.model_copy(update={"skipped": skipped}) if skipped else line)
            skipped = 0
        else:
            skipped += 1
    return (*folded, Line(skipped=skipped)) if skipped and folded else tuple(folded)


def compare_steps(before: Sequence[Step], now: Sequence[Step]) -> tuple[Row, ...]:
    """Two conversations aligned: equal steps meet, steps of one kind are compared, the rest stands alone.

    Times, tokens and call ids take no part.
    """
    rows: list[Row] = []
    left, right = [_key(step) for step in before], [_key(step) for step in now]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            rows.append(Row(kind=RowKind.SAME, at=j1, count=j2 - j1))
        else:
            rows.extend(_unequal(before[i1:i2], now[j1:j2], j1))
    return tuple(rows)


def first_difference(rows: Sequence[Row], before: Sequence[Step], now: Sequence[Step]) -> str:
    """What kind of difference comes first, in words; empty where there is none."""
    row = next((row for row in rows if row.kind is not RowKind.SAME), None)
    if row is None:
        return ""
    was, now_tools = ([step.title for step in steps if step.kind is StepKind.TOOL] for steps in (before, now))
    order = " (the same tools in another order)" if was != now_tools and sorted(was) == sorted(now_tools) else ""
    if row.kind is RowKind.BEFORE and row.step is not None:
        return f"a step of the baseline is missing: {_name(row.step)}{order}"
    step = now[row.at]
    if row.kind is RowKind.NOW or row.step is None:
        return f"a step that the baseline does not have: {_name(step)}{order}"
    if step.kind is StepKind.TOOL and step.title != row.step.title:
        return f"{step.title} is called instead of {row.step.title}{order}"
    if step.kind is StepKind.TOOL:
        what = "other arguments" if step.arguments != row.step.arguments else "the same arguments but another result"
        return f"{step.title} is called with {what}{order}"
    return f"{_name(step)} says something else{order}"


def _name(step: Step) -> str:
    return f"{step.title} (tool)" if step.kind is StepKind.TOOL else step.title


def _key(step: Step) -> tuple[str, ...]:
    title = "" if step.kind is StepKind.MODEL else step.title
    return (step.kind, title, step.text, *step.media, step.arguments, step.result, step.problem)


def _unequal(before: Sequence[Step], now: Sequence[Step], at: int) -> Iterator[Row]:
    kinds = SequenceMatcher(None, [step.kind for step in before], [step.kind for step in now], autojunk=False)
    for tag, i1, i2, j1, j2 in kinds.get_opcodes():
        if tag == "equal":
            for offset, old in enumerate(before[i1:i2]):
                index = j1 + offset
                lines = compare_texts(*_bodies(old, now[index]))
                yield Row(kind=RowKind.CHANGED, at=at + index, step=old, lines=lines)
        else:
            yield from (Row(kind=RowKind.BEFORE, at=at + j1, step=old) for old in before[i1:i2])
            yield from (Row(kind=RowKind.NOW, at=at + index) for index in range(j1, j2))


def _bodies(before: Step, now: Step) -> tuple[str, str]:
    """What the two steps say, with their titles where these are part of the difference."""
    if before.title == now.title or now.kind is StepKind.MODEL:
        return before.body, now.body
    return f"{before.title}\n{before.body}", f"{now.title}\n{now.body}"


def _pair_lines(before: list[str], now: list[str]) -> Iterator[Line]:
    large = len(before) * len(now) > _PRODUCT_LIMIT
    matcher = SequenceMatcher(None, before, now, autojunk=False)
    opcodes: Iterable[tuple[str, int, int, int, int]] = _trimmed(before, now) if large else matcher.get_opcodes()
    for tag, i1, i2, j1, j2 in opcodes:
        if tag == "equal":
            yield from (Line(before=(line, "", ""), now=(line, "", "")) for line in before[i1:i2])
            continue
        paired = min(i2 - i1, j2 - j1)
        for old, new in zip(before[i1 : i1 + paired], now[j1 : j1 + paired], strict=True):
            left, right = _mark(old, new)
            yield Line(before=left, now=right)
        yield from (Line(before=("", line, "")) for line in before[i1 + paired : i2])
        yield from (Line(now=("", line, "")) for line in now[j1 + paired : j2])


def _trimmed(before: list[str], now: list[str]) -> list[tuple[str, int, int, int, int]]:
    start = _common(before, now)
    end = _common(before[start:][::-1], now[start:][::-1])
    left, right = len(before) - end, len(now) - end
    return [
        ("equal", 0, start, 0, start),
        ("replace", start, left, start, right),
        ("equal", left, len(before), right, len(now)),
    ]


def _mark(before: str, now: str) -> tuple[Marked, Marked]:
    left, right = _WORDS.findall(before), _WORDS.findall(now)
    start = _common(left, right)
    end = _common(left[start:][::-1], right[start:][::-1])
    return _cut(left, start, end), _cut(right, start, end)


def _cut(words: list[str], start: int, end: int) -> Marked:
    middle = len(words) - end
    return "".join(words[:start]), "".join(words[start:middle]), "".join(words[middle:])


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    return next(
        (index for index, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )
