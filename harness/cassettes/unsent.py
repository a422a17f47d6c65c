"""Recorded requests that the agent did not send: it stopped early, or had the answer from somewhere else."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from harness.cassettes.differences import pretty
from harness.cassettes.readings import as_changed
from harness.cassettes.telemetry import service_of
from harness.records.exchange import Exchange, HttpRequest
from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.wire.prompts import join_text
from harness.wire.split import split

__all__ = ["name_unsent", "unplayed_mismatch", "unsent_before"]

_WIDEST = 60
_LOOK = "look for an answer that the agent kept from an earlier run, such as a cache of its own"


def unplayed_mismatch(exchanges: Sequence[Exchange], unplayed: Sequence[Exchange]) -> Mismatch:
    """The agent ended, and did not ask for everything in the recording."""
    first, left = unplayed[0].request, set(map(id, unplayed))
    number = next(position for position, exchange in enumerate(exchanges, 1) if exchange is unplayed[0])
    count = f"{len(unplayed)} of {len(exchanges)} recorded exchanges {'was' if len(unplayed) == 1 else 'were'}"
    goes_on = any(id(each) not in left and service_of(each.request.uri) is None for each in exchanges[number:])
    if goes_on:
        cause = f"{_unsent(exchanges, [number - 1])}, though later calls were: {count} not asked for; {_LOOK}"
    else:
        cause = f"the agent stopped before call {number} of the recording: {count} not asked for"
    call = split(first.method, urlsplit(first.uri).path, first.body)
    return Mismatch(
        kind=MismatchKind.CHANGED,
        part=MismatchPart.UNPLAYED,
        turn=number,
        cause=cause,
        recorded=pretty(call.conversation[-1]) if call and call.conversation else f"{first.method} {first.uri}",
        current="",
        other_reading=None if goes_on else f"the agent went on, with another answer to call {number}; {_LOOK}",
    )


def unsent_before(position: int, exchanges: Sequence[Exchange], played: Sequence[int]) -> list[int]:
    """The positions of those that were over before the one at ``position`` was sent, and were not asked for now."""
    sent = exchanges[position].started
    return [
        earlier
        for earlier, exchange in enumerate(exchanges[:position])
        if earlier not in played
        and exchange.started + exchange.duration <= sent
        and service_of(exchange.request.uri) is None
    ]


def name_unsent(mismatch: Mismatch, exchanges: Sequence[Exchange], unsent: Sequence[int]) -> Mismatch:
    """A mismatch before which recorded requests were not sent: what they would have answered may be what differs."""
    cause = f"{_unsent(exchanges, unsent)}: {_LOOK}; after it, {mismatch.cause}"
    return as_changed(mismatch, MismatchPart.UNPLAYED, cause)


def _unsent(exchanges: Sequence[Exchange], unsent: Sequence[int]) -> str:
    first = f"call {unsent[0] + 1} of the recording ({_describe(exchanges[unsent[0]].request)})"
    if len(unsent) == 1:
        return f"{first} was not sent"
    return f"{first} and {len(unsent) - 1} more were not sent"


def _describe(request: HttpRequest) -> str:
    """A request in a few words: of a model call the model and what was said last."""
    call = split(request.method, urlsplit(request.uri).path, request.body)
    if call is None:
        return f"{request.method} {request.uri}"
    last = call.conversation[-1] if call.conversation else call.definition.system
    said = join_text(last.get("content"), " ") if isinstance(last, dict) else ""
    said = " ".join((said or pretty(last)).split())
    said = said if len(said) <= _WIDEST else f"{said[: _WIDEST - 1]}…"
    return f"{call.definition.model}: {said}" if call.definition.model else said
