"""Says why a request has no recorded answer, and whose doing that is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from pydantic import JsonValue

from harness.cassettes.canonical import canonical_key, canonical_text, origin_of, place_of, without_volatile
from harness.cassettes.differences import (
    Difference,
    definition_differences,
    first_difference,
    header_differences,
    pretty,
    pretty_pair,
)
from harness.cassettes.diffs import diff_texts, diff_values
from harness.cassettes.message_names import is_authored, name_difference, name_message
from harness.cassettes.minted import number_ids
from harness.cassettes.other_requests import other_mismatch
from harness.cassettes.readings import ONLY_BY_MATCH_ON, as_changed, build_mismatch, chosen_while_running
from harness.cassettes.unsent import name_unsent, unsent_before
from harness.records import mismatch as records
from harness.records.base import JsonObject
from harness.records.exchange import Exchange, HttpRequest
from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.wire.split import STORED, Definition, has_spoken, split

__all__ = ["classify_miss"]

_EDITED = "stale: the author may have changed this text, or which part of its conversation the agent sends"
_FORMS = {
    "input": MismatchPart.SYSTEM_PROMPT,
    "instructions": MismatchPart.SYSTEM_PROMPT,
    "messages": MismatchPart.SYSTEM_PROMPT,
    "output_config": MismatchPart.OUTPUT_SCHEMA,
    "output_format": MismatchPart.OUTPUT_SCHEMA,
    "system": MismatchPart.SYSTEM_PROMPT,
    "text": MismatchPart.OUTPUT_SCHEMA,
    "tools": MismatchPart.TOOLS,
}
"""By a field: the part that may be written in several ways there which read the same."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A model call, ready to compare."""

    request: HttpRequest
    definition: Definition
    """Without what names a stored conversation."""
    stored: Mapping[str, JsonValue]
    """The fields that name the conversation at the provider that it goes on with."""
    conversation: tuple[JsonValue, ...]
    steps: tuple[str, ...]
    """The conversation in the form that decides equality."""


@dataclass(frozen=True, slots=True)
class _Near:
    """A recorded call beside the current one."""

    call: _Call
    position: int
    shared: int
    """How many messages the two begin with in common."""
    tail: int
    """How many of the others they end with in common."""
    differences: tuple[Difference, ...]
    """Of their definitions and their headers."""


def classify_miss(
    request: HttpRequest,
    exchanges: Sequence[Exchange],
    played: Sequence[int],
    *,
    volatile: Sequence[str] = (),
    owed: int | None = None,
) -> Mismatch:
    """The first difference between a request and its nearest recording.

    ``played`` holds the positions of the exchanges that were played before it. ``owed``: how many of them, from the
    first on, have to be asked for; by default all. Where the whole definition occurs in the recording, only the
    conversation differs: changed behaviour once the model has spoken in it, the author's text before.
    """
    owed = len(exchanges) if owed is None else owed
    try:
        current = _read_call(request, volatile)
        calls = {position: _read_call(each.request, volatile) for position, each in enumerate(exchanges)}
        recorded = {position: call for position, call in calls.items() if call is not None}
        if current is not None and recorded:
            return _Miss(current, recorded, exchanges, played, owed, volatile).classify()
    except RecursionError:  # JSON so deep that it can be read, and not be compared
        volatile = ()
    return other_mismatch(request, exchanges, played, owed, volatile)


def _read_call(request: HttpRequest, volatile: Sequence[str]) -> _Call | None:
    wire = split(request.method, urlsplit(request.uri).path, without_volatile(request.body, volatile))
    if wire is None:
        return None
    settings = dict(wire.definition.settings)
    stored = {field: settings.pop(field) for field in STORED if field in settings}
    steps = tuple(map(canonical_text, number_ids(wire.conversation)))
    return _Call(request, replace(wire.definition, settings=settings), stored, wire.conversation, steps)


class _Miss:
    """A model call without an answer, beside the model calls of the recording."""

    def __init__(
        self,
        current: _Call,
        recorded: Mapping[int, _Call],
        exchanges: Sequence[Exchange],
        played: Sequence[int],
        owed: int,
        volatile: Sequence[str],
    ) -> None:
        self._current = current
        self._recorded = recorded
        self._exchanges = exchanges
        self._played = played
        self._owed = owed
        self._volatile = volatile
        self._turn = len(played) + 1

    def classify(self) -> Mismatch:
        near = {position: self._compare(position, call) for position, call in self._recorded.items()}
        same = [each for each in near.values() if not each.differences]
        nearest = max(same or near.values(), key=self._nearness)
        mismatch = self._in_conversation(nearest) if same else self._in_definition(nearest)
        unsent = [
            position
            for position in unsent_before(nearest.position, self._exchanges, self._played)
            if position < self._owed and (position not in near or _is_farther(near[position], nearest))
        ]
        return name_unsent(mismatch, self._exchanges, unsent) if unsent else mismatch

    def _compare(self, position: int, call: _Call) -> _Near:
        old, new = call.steps, self._current.steps
        shared = _common(old, new)
        tail = _common(old[shared:][::-1], new[shared:][::-1])
        differences = definition_differences(call.definition, self._current.definition)
        if call.definition.endpoint == self._current.definition.endpoint:
            differences += header_differences(self._exchanges[position], self._current.request)
        return _Near(call, position, shared, tail, tuple(differences))

    def _nearness(self, near: _Near) -> tuple[object, ...]:
        return (
            near.call.definition.endpoint == self._current.definition.endpoint,
            near.shared,
            -len(near.differences),
            near.tail,
            near.call.stored == self._current.stored,
            near.call.steps == self._current.steps,
            near.position not in self._played,
            -near.position,
        )

    def _in_definition(self, near: _Near) -> Mismatch:
        first, *others = near.differences
        cause = first.cause
        if others:
            cause += f"; also {', '.join(dict.fromkeys(other.part for other in others))}"
        mismatch = Mismatch(
            kind=MismatchKind.STALE,
            part=first.part,
            turn=self._turn,
            cause=cause,
            recorded=first.recorded,
            current=first.current,
            other_reading=chosen_while_running(self._turn),
            differences=tuple(
                records.Difference(part=each.part, cause=each.cause, diff=each.diff) for each in near.differences
            ),
        )
        parts = {each.part for each in near.differences}
        if parts == {MismatchPart.SYSTEM_PROMPT} and not self._current.definition.system and self._is_under_way(near):
            cause = "the agent left the system prompt out of a conversation that it had begun with it"
            return as_changed(mismatch, MismatchPart.CONVERSATION, cause)
        return mismatch

    def _in_conversation(self, near: _Near) -> Mismatch:
        call, current, at = near.call, self._current, near.shared
        if call.stored != current.stored:
            return self._in_stored(call.stored)
        before, after = _at(call.conversation, at), _at(current.conversation, at)
        if before is None and after is None:
            return self._in_form(near)
        texts = pretty_pair(before, after)
        if self._turn > 1 and before is None:
            goes_on = name_message(current.conversation, at)
            return self._longer(f": it goes on with {goes_on}", *texts)
        cause = name_difference(call.conversation, current.conversation, at)
        if self._turn == 1:
            return self._build(MismatchKind.STALE, MismatchPart.OPENING, f"opening, {cause}", *texts)
        spoken = call.stored or has_spoken([*current.conversation[: at + 1], *call.conversation[: at + 1]])
        if spoken or self._is_under_way(near):
            reading = _EDITED if not spoken or (is_authored(before) and is_authored(after)) else None
            if after is not None and (left_out := self._left_out(near)):
                cause, reading = left_out, _EDITED
                texts = pretty_pair(list(call.conversation[at:]), list(current.conversation[at:]))
            return self._build(MismatchKind.CHANGED, MismatchPart.CONVERSATION, cause, *texts, other_reading=reading)
        reading = (
            f"changed behaviour: the agent may have written this opening from what happened in call {self._turn - 1}"
        )
        return self._build(MismatchKind.STALE, MismatchPart.OPENING, f"opening, {cause}", *texts, other_reading=reading)

    def _is_under_way(self, near: _Near) -> bool:
        """Whether the model had spoken in this conversation: a call that was played began it in the same words."""
        steps, until = near.call.steps, near.shared + 1
        sent = (self._recorded[position].steps[:until] for position in self._played if position in self._recorded)
        return has_spoken(near.call.conversation) and any(begun and steps[: len(begun)] == begun for begun in sent)

    def _left_out(self, near: _Near) -> str | None:
        """Which messages of the conversation so far are missing; None where others stand in their place."""
        rest = iter(enumerate(near.call.steps))
        found = [next((at for at, other in rest if other == step), None) for step in self._current.steps]
        if None in found:
            return None
        missing = [at for at in range(len(near.call.steps)) if at not in found]
        first = name_message(near.call.conversation, missing[0])
        return f"the agent left out {len(missing)} of the {len(near.call.steps)} messages so far, the first is {first}"

    def _in_stored(self, recorded: Mapping[str, JsonValue]) -> Mismatch:
        """The agent goes on with another conversation that the provider stores, with another state of it, or none."""
        before, after = dict(recorded), dict(self._current.stored)
        cause, sides = first_difference(before, after), (pretty(before), pretty(after))
        diff = diff_values(before, after)
        if self._turn == 1:
            return self._build(MismatchKind.STALE, MismatchPart.SETTINGS, f"settings: {cause}", *sides, diff=diff)
        cause = f"the conversation that the provider stores: {cause}"
        return self._build(
            MismatchKind.CHANGED, MismatchPart.CONVERSATION, cause, *sides, diff=diff, other_reading=_EDITED
        )

    def _in_form(self, near: _Near) -> Mismatch:
        """Nothing that is read differs: the address does, how often it was asked, or how it is written."""
        old, new = near.call.request, self._current.request
        if place_of(old) != place_of(new):
            return self._elsewhere("query", urlsplit(old.uri).query, urlsplit(new.uri).query)
        unknown = self._exchanges[near.position].unknown_headers
        before, after = (canonical_key(each, self._volatile, anywhere=True, unknown=unknown) for each in (old, new))
        if before != after:
            return self._written_otherwise(before[-2:], after[-2:])
        if near.position in self._played:
            return self._longer(
                ": one it made before", *pretty_pair(None, _at(near.call.conversation, near.shared - 1))
            )
        if origin_of(old) != origin_of(new):
            return self._elsewhere("host", origin_of(old), origin_of(new))
        return self._build(MismatchKind.CHANGED, MismatchPart.CONVERSATION, ONLY_BY_MATCH_ON, old.uri, new.uri)

    def _elsewhere(self, what: str, before: str, after: str) -> Mismatch:
        cause, reading = f"{what}: {before or 'none'} → {after or 'none'}", chosen_while_running(self._turn)
        return self._build(MismatchKind.STALE, MismatchPart.ENDPOINT, cause, before, after, other_reading=reading)

    def _written_otherwise(self, old: tuple[str, bytes], new: tuple[str, bytes]) -> Mismatch:
        """Two bodies of different keys that read alike: two blocks of a prompt and their text in one, say."""
        part, cause = MismatchPart.SETTINGS, "the body is written otherwise"
        before, after = old[1].decode(errors="replace"), new[1].decode(errors="replace")
        diff = diff_texts(before, after)
        if old[0] == new[0] == "json":
            values = json.loads(before), json.loads(after)
            field = next(key for key in values[0] | values[1] if not _is_equal(key, *values))
            part = _FORMS.get(field, part)
            cause = f"{part}, written otherwise: {first_difference(*values)}"
            diff = diff_values(*values)
            before, after = pretty_pair(values[0].get(field), values[1].get(field))
        reading = chosen_while_running(self._turn)
        return self._build(MismatchKind.STALE, part, cause, before, after, diff=diff, other_reading=reading)

    def _longer(self, how: str, before: str, after: str) -> Mismatch:
        cause = f"the agent made a further call that the recording does not have{how}"
        return self._build(MismatchKind.CHANGED, MismatchPart.LENGTH, cause, before, after)

    def _build(
        self,
        kind: MismatchKind,
        part: MismatchPart,
        cause: str,
        *sides: str,
        diff: tuple[str, ...] | None = None,
        other_reading: str | None = None,
    ) -> Mismatch:
        return build_mismatch(kind, part, self._turn, cause, *sides, diff=diff, other_reading=other_reading)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many items two lists begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((count for count, (a, b) in pairs if a != b), min(len(one), len(other)))


def _is_farther(other: _Near, nearest: _Near) -> bool:
    """Whether a call is surely another than the one that was sent now: not just one of several that are as near."""
    ranks = [(not each.differences, each.shared, each.tail) for each in (other, nearest)]
    return ranks[0] < ranks[1]


def _is_equal(field: str, one: JsonObject, other: JsonObject) -> bool:
    return canonical_text([one[field]] if field in one else []) == canonical_text(
        [other[field]] if field in other else []
    )


def _at(conversation: Sequence[JsonValue], position: int) -> JsonValue:
    return conversation[position] if 0 <= position < len(conversation) else None
