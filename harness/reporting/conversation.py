"""A trace as plain text for a terminal: who said what, which tools ran, what it took."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from harness.records.trace import Event, ModelCall
from harness.reporting.pieces import Piece
from harness.reporting.steps import Step, StepKind, count_calls, steps_of
from harness.reporting.wording import duration, money, tokens, visible
from harness.wire.sums import total_cost, total_usage

__all__ = ["render_conversation"]

_INDENT = "  "


def render_conversation(
    events: Iterable[Event], *, width: int = 100, bodies: Mapping[int, str] = MappingProxyType({})
) -> str:
    """The events as text, ``width`` columns wide where prose allows; data and code are never wrapped.

    ``bodies`` holds what an HTTP call sent and received, by the number of its exchange, where it is to be shown.
    Control characters in what was recorded are spelled out, so that a reply can't steer the terminal.
    """
    known = tuple(events)
    steps = [
        step.model_copy(update={"text": bodies.get(step.call, "")}) if step.kind is StepKind.HTTP else step
        for step in steps_of(known)
    ]
    blocks = ["\n".join(_moved_in(step, width)) for step in steps]
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
    yield from (f"{_INDENT}  {line}" for attempt in step.attempts for line in visible(attempt).split("\n"))
    if step.unsure:
        yield f"{_INDENT}? {visible(step.unsure)}"
    yield from (f"{_INDENT}? not read: {visible(text)}" for text in step.unread)
    if step.kind is StepKind.TOOL:
        yield from _field("arguments", step.arguments)
        if step.result:
            yield from _field("result", step.result)
    elif step.pieces:
        for piece in step.pieces:
            yield from _piece(piece, width)
    else:
        yield from _prose(step.text, width)
    if step.problem:
        yield f"{_INDENT}! {visible(step.problem)}"


def _piece(piece: Piece, width: int) -> Iterator[str]:
    """What is not the reply's own text, set apart by its label."""
    if not piece.label:
        yield from _prose(piece.text, width)
    elif "\n" in piece.text or len(piece.label) + len(piece.text) + 4 > width:
        yield f"{_INDENT}{piece.label}:"
        yield from (f"{_INDENT}{line}" if line else "" for line in _prose(piece.text, width - len(_INDENT)))
    else:
        yield f"{_INDENT}{piece.label}: {visible(piece.text)}"


def _prose(text: str, width: int) -> Iterator[str]:
    for line in visible(text).split("\n") if text else ():
        yield from _wrapped(line, width)


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
