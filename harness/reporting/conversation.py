"""A trace as plain text for a terminal: who said what, which tools ran, what it took."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from harness.records.trace import Event, ModelCall
from harness.reporting.steps import Step, StepKind, count_calls, steps_of
from harness.reporting.wording import duration, money, tokens, visible
from harness.wire.sums import total_cost, total_usage

__all__ = ["render_conversation"]

_INDENT = "  "


def render_conversation(events: Iterable[Event], *, width: int = 100) -> str:
    """The events as text, ``width`` columns wide where prose allows; data and code are never wrapped.

    Control characters in what was recorded are spelled out, so that a reply can't steer the terminal.
    """
    known = tuple(events)
    blocks = ["\n".join(_moved_in(step, width)) for step in steps_of(known)]
    return "\n\n".join([*blocks, _totals(known)]) + "\n"


def _moved_in(step: Step, width: int) -> Iterator[str]:
    """The block of a step, below the conversation that ran it."""
    margin = 2 * _INDENT * step.depth
    return (f"{margin}{line}" if line else "" for line in _block(step, width - len(margin)))


def _block(step: Step, width: int) -> Iterator[str]:
    facts = f"  ({', '.join(visible(fact) for fact in step.facts)})" if step.facts else ""
    title = f"Tool {step.title}" if step.kind is StepKind.TOOL else step.title
    whose = f"  [{visible(step.whose)}]" if step.whose else ""
    yield f"{visible(title)}{whose}{facts}"
    yield from (f"{_INDENT}~ {visible(note)}" for note in step.notes)
    yield from (f"{_INDENT}  {visible(attempt)}" for attempt in step.attempts)
    if step.unsure:
        yield f"{_INDENT}? {visible(step.unsure)}"
    if step.kind is StepKind.TOOL:
        yield from _field("arguments", step.arguments)
        if step.result:
            yield from _field("result", step.result)
    elif step.text:
        for line in visible(step.text).split("\n"):
            yield from _wrapped(line, width)
    if step.problem:
        yield f"{_INDENT}! {visible(step.problem)}"


def _field(name: str, text: str) -> Iterator[str]:
    lines = visible(text).split("\n")
    yield f"{_INDENT}{name}: {lines[0]}"
    yield from (f"{_INDENT}{line}" for line in lines[1:])


def _wrapped(line: str, width: int) -> Sequence[str]:
    """Prose wrapped at words; a line that is indented or short stays as it is."""
    if len(line) + len(_INDENT) <= width or line.startswith((" ", "\t", "{", "[", "|")):
        return [f"{_INDENT}{line}" if line else ""]
    return textwrap.wrap(
        line, width, initial_indent=_INDENT, subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False
    )


def _totals(events: Sequence[Event]) -> str:
    calls = [event for event in events if isinstance(event, ModelCall)]
    parts = count_calls(events)
    if calls:
        parts += [
            tokens(total_usage(events)),
            money(total_cost(events)),
            duration(max(call.started + call.duration for call in calls)),
        ]
    return ", ".join(parts)
