"""Tokens and cost of a whole trial: known to the last token, or unknown with the exchanges that make them so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from harness.records.message import Usage
from harness.records.trace import Event, HttpCall, ModelCall

__all__ = ["known_cost", "known_usage", "total_cost", "total_usage", "unknown_cost", "unknown_tokens"]


def known_usage(events: Iterable[Event]) -> Usage:
    """Add up the tokens of the calls that say what they took."""
    return sum((call.usage for call in _answered(events) if call.usage is not None), Usage())


def known_cost(events: Iterable[Event]) -> Decimal:
    """Add up the cost of the calls whose cost is known."""
    return sum((call.cost_usd for call in _answered(events) if call.cost_usd is not None), Decimal(0))


def total_usage(events: Iterable[Event]) -> Usage | None:
    """Add up the tokens of a trial; None where those of any exchange are unknown."""
    events = tuple(events)
    return None if unknown_tokens(events) else known_usage(events)


def total_cost(events: Iterable[Event]) -> Decimal | None:
    """Add up the cost of a trial; None where that of any exchange is unknown."""
    events = tuple(events)
    return None if unknown_cost(events) else known_cost(events)


def unknown_tokens(events: Iterable[Event]) -> tuple[str, ...]:
    """List each exchange that took tokens nobody knows the number of, with the reason."""
    return tuple(reason for event in events for reason in _unknown_in(event))


def unknown_cost(events: Iterable[Event]) -> tuple[str, ...]:
    """List each exchange that cost nobody knows how much, with the reason."""
    return tuple(reason for event in events for reason in (*_unknown_in(event), *_unpriced(event)))


def _answered(events: Iterable[Event]) -> Iterator[ModelCall]:
    return (event for event in events if isinstance(event, ModelCall) and event.reply is not None)


def _unknown_in(event: Event) -> Iterator[str]:
    if isinstance(event, HttpCall) and event.takes_tokens:
        yield f"turn {event.turn} is a call of an API that is not read ({event.model_api})"
    if isinstance(event, ModelCall):
        for attempt in event.attempts:
            if _began_to_answer(attempt.status):
                yield f"turn {attempt.turn} broke off after it had begun to answer"
        if event.reply is None and _began_to_answer(event.status):
            yield f"turn {event.turn} broke off, or could not be read"
        elif event.reply is not None and event.usage is None:
            yield f"the reply of {event.model or 'the model'} in turn {event.turn} {event.usage_unknown}"


def _began_to_answer(status: int) -> bool:
    return 200 <= status < 300


def _unpriced(event: Event) -> Iterator[str]:
    if isinstance(event, ModelCall) and event.reply is not None and event.usage is not None and event.cost_usd is None:
        yield f"turn {event.turn}: {event.cost_unknown}"
