"""What the report says of a call's place: whose it is, beside which others it ran, what failed before it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from textwrap import indent

from harness.records.trace import Conversation, Event, FailedAttempt, ModelCall, Role
from harness.reporting.pieces import pieces_of
from harness.reporting.wording import count, duration, tokens

__all__ = ["Threads", "attempts_summary", "describe_attempts"]

_NOUNS = {
    Role.MAIN: "Main conversation",
    Role.SUB_AGENT: "Sub-agent",
    Role.HANDOFF: "Handoff to",
    Role.FEEDER: "Feeder",
    Role.SIDE: "Side call",
    Role.UNKNOWN: "Conversation",
}
_DEEPEST = 3
_NAMED = 3
"""Calls at the same time that are named one by one, at most."""


class Threads:
    """The conversations of a trial, and which calls overlap in time."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._known = {event.number: event for event in events if isinstance(event, Conversation)}
        self._calls = {event.turn: event for event in events if isinstance(event, ModelCall)}
        self._beside = _overlaps(tuple(self._calls.values()))

    def of_call(self, turn: int) -> int:
        """The number of a call's conversation."""
        return self._calls[turn].conversation if turn in self._calls else 1

    def label(self, number: int) -> str:
        """Whose a step is, in a word or two; empty for the main conversation, and where there is only one."""
        known = self._known.get(number)
        if known is None or known.role is Role.MAIN:
            return ""
        noun = "conversation" if known.role is Role.HANDOFF else _NOUNS[known.role].lower()
        return f"{noun} {number}"

    def depth(self, number: int) -> int:
        """How far a step is moved in: below the conversation that ran it."""
        depth, known = 0, self._known.get(number)
        while known is not None and depth < _DEEPEST and known.role in (Role.SUB_AGENT, Role.SIDE, Role.HANDOFF):
            depth += known.role is not Role.HANDOFF
            known = self._known.get(known.parent) if known.parent else None
        return depth

    def title(self, event: Conversation) -> str:
        """The line with which a conversation begins."""
        number = "" if event.role is Role.MAIN else f" {event.number}"
        return f"{_NOUNS[event.role]}{number}{f': {event.name}' if event.name else ''}"

    def facts(self, event: Conversation) -> tuple[str, ...]:
        """What a conversation is to the others, and how that is known."""
        known = self._known.get(event.parent or 0)
        is_main = known is not None and known.role is Role.MAIN
        parent = "the main conversation" if is_main else f"conversation {event.parent}"
        place = {
            Role.SUB_AGENT: f"run by {f'tool {event.tool}' if event.tool else 'a tool'} of {parent}",
            Role.SIDE: f"while tool {event.tool} was at work" if event.tool else "",
            Role.HANDOFF: f"from {parent}",
            Role.FEEDER: f"for {parent}",
        }
        ground = "" if event.role is Role.UNKNOWN else event.ground
        return tuple(filter(None, (place.get(event.role, ""), ground)))

    def beside(self, turn: int) -> str:
        """Which other calls were under way at the same time; empty for none."""
        others = self._beside.get(turn, ())
        if not others:
            return ""
        named = ", ".join(str(other) for other in others) if len(others) <= _NAMED else ""
        noun = "call" if len(others) == 1 else "calls"
        return f"at the same time as {noun} {named}" if named else f"at the same time as {len(others)} other calls"


def attempts_summary(call: ModelCall) -> str:
    """``after 2 failed attempts: 429, waited 2.0 s; no response, waited 500 ms``; empty where nothing failed before."""
    if not call.attempts:
        return ""
    starts = [*(attempt.started for attempt in call.attempts), call.started]
    tried = "; ".join(
        f"{_status(attempt)}, waited {duration(max(0, later - attempt.started - attempt.duration))}"
        for attempt, later in zip(call.attempts, starts[1:], strict=True)
    )
    return f"after {count(len(call.attempts), 'failed attempt')}: {tried}"


def describe_attempts(call: ModelCall) -> tuple[str, ...]:
    """A text for each failed attempt: when, how long, why, what the provider asked for, what had arrived."""
    lines = []
    for attempt in call.attempts:
        parts = [f"at {duration(attempt.started)}, after {duration(attempt.duration)}: {attempt.error}"]
        if attempt.retry_after is not None:
            parts.append(f"the provider asked to wait {duration(attempt.retry_after)}")
        if attempt.usage is not None:
            parts.append(f"it had reported {tokens(attempt.usage)}, and what it took in the end is unknown")
        lines.append("; ".join(parts) + _arrived(attempt))
    return tuple(lines)


def _arrived(attempt: FailedAttempt) -> str:
    """What of an attempt's reply had arrived, on lines of its own, moved in."""
    if attempt.reply is None:
        return ""
    pieces = pieces_of(attempt.reply, whole=True)
    said = [f"{piece.label}: {piece.text}" if piece.label else piece.text for piece in pieces] or [attempt.reply.text]
    said += (f"not read: {note}" for note in attempt.unread)
    return "\n" + indent("\n".join(["had arrived:", *said]), "  ")


def _status(attempt: FailedAttempt) -> str:
    if 200 <= attempt.status < 300:
        return "broken reply"
    return str(attempt.status) if attempt.status else "no response"


def _overlaps(calls: Sequence[ModelCall]) -> dict[int, tuple[int, ...]]:
    """For each call those that were sent before it had ended, and had not ended before it was sent."""
    ordered = sorted(calls, key=lambda call: (call.began, call.turn))
    if all(left.ended <= right.began for left, right in pairwise(ordered)):
        return {}
    return {
        call.turn: tuple(
            sorted(
                other.turn
                for other in ordered
                if other is not call and other.began < call.ended and call.began < other.ended
            )
        )
        for call in ordered
    }
