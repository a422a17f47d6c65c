"""Joins the chunks of a streamed chat completion."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import JsonValue

from harness.errors import ProviderError
from harness.records.base import JsonObject
from harness.wire.failures import classify
from harness.wire.folding import Folded, cut_call, cut_short, is_whole, join_pieces
from harness.wire.shapes import compact, count_at, object_at, objects_at, text_at, without_nulls

__all__ = ["fold", "text_delta"]

_KINDS = (("function", "arguments"), ("custom", "input"))
"""What a call nests its name under, and the name of what it is called with."""


def fold(events: Iterable[JsonObject], *, done: bool = False) -> Folded:
    """The reply that a stream's chunks add up to.

    ``done`` says that ``[DONE]`` arrived, after which some servers have given no finish reason. Without either the
    stream is broken: calls whose arguments are no whole JSON object are then left out and noted as unread.
    """
    body: JsonObject = {"object": "chat.completion"}
    choices: dict[int, _Choice] = {}
    broken: ProviderError | None = None
    for event in events:
        if event.get("error"):
            broken = classify(None, event)
            break
        body |= without_nulls({key: event.get(key) for key in ("id", "created", "model", "usage", "service_tier")})
        for choice in objects_at(event, "choices"):
            choices.setdefault(count_at(choice, "index"), _Choice()).add(choice)
    if broken is None and not done and not (choices and all(choice.finish for choice in choices.values())):
        broken = cut_short()
    if broken is not None:
        body.pop("usage", None)  # what it said so far is not what the reply took
    unread = [note for choice in choices.values() for note in choice.drop_cut_calls()] if broken else []
    body["choices"] = [choices[index].whole(index) for index in sorted(choices)]
    return Folded(body, broken, tuple(unread))


def text_delta(event: JsonObject) -> str | None:
    """The answer's next piece of text, where the chunk brings one."""
    choice = next(iter(objects_at(event, "choices")), {})
    return text_at(object_at(choice, "delta"), "content") or None


class _Choice:
    """One of the answers, as far as it has arrived."""

    def __init__(self) -> None:
        self.finish: JsonValue = None
        self._message: JsonObject = {"role": "assistant", "content": None, "refusal": None}
        self._calls: list[JsonObject] = []
        self._at: dict[int, JsonObject] = {}

    def add(self, choice: JsonObject) -> None:
        """Add what a chunk brings."""
        delta = object_at(choice, "delta") or object_at(choice, "message")
        join_pieces(self._message, {key: value for key, value in delta.items() if key != "tool_calls"})
        for piece in objects_at(delta, "tool_calls"):
            self._add_call(piece)
        self.finish = choice.get("finish_reason") or self.finish

    def drop_cut_calls(self) -> list[str]:
        """Leave out the calls whose arguments are not whole; a note on each."""
        cut = [call for call in self._calls if not is_whole(_given(call))]
        self._calls = [call for call in self._calls if call not in cut]
        notes = [cut_call(_name(call), _given(call)) for call in cut]
        legacy = self._message.get("function_call")
        if isinstance(legacy, dict) and not is_whole(text_at(legacy, "arguments")):
            del self._message["function_call"]
            notes.append(cut_call(text_at(legacy, "name"), text_at(legacy, "arguments")))
        return notes

    def whole(self, index: int) -> JsonObject:
        """The choice as a reply that was not streamed has it."""
        calls: JsonObject = {"tool_calls": list(self._calls)} if self._calls else {}
        return {"index": index, "message": self._message | calls, "finish_reason": self.finish}

    def _add_call(self, piece: JsonObject) -> None:
        index = piece.get("index")
        place = index if isinstance(index, int) else None
        call = self._continued(piece, place)
        if call is None:
            call = {"id": "", "type": "function"}
            self._calls.append(call)
        if place is not None:
            self._at[place] = call
        call["id"] = call["id"] or text_at(piece, "id")
        call["type"] = text_at(piece, "type") or call["type"]
        for kind, body in _KINDS:
            if part := object_at(piece, kind):
                whole = object_at(call, kind)
                name, more = text_at(whole, "name"), text_at(part, "name")
                call[kind] = {
                    "name": name if name == more else name + more,
                    body: text_at(whole, body) + _text_of(part.get(body)),
                }

    def _continued(self, piece: JsonObject, place: int | None) -> JsonObject | None:
        """The call that a piece goes on with; None for a new one.

        Told apart by id first, since some servers give every call the index 0, or none. A new id without a name is no
        new call: some servers mint an id for each chunk.
        """
        current = self._at.get(place) if place is not None else next(iter(self._calls[::-1]), None)
        key = text_at(piece, "id")
        known = next((call for call in reversed(self._calls) if call["id"] == key), None) if key else None
        if known is not None and (place is None or place in self._at):
            current = known
        elif key and current is not None and current["id"] and _name(piece):
            return None
        return None if current is not None and _begins_anew(current, piece, place) else current


def _begins_anew(call: JsonObject, piece: JsonObject, place: int | None) -> bool:
    """Tell whether a piece that shares a call's place, or its id, is another call all the same."""
    before, name = _name(call), _name(piece)
    if not before or not name:
        return False
    if name != before:
        return place is None or bool(_given(call))  # else a name that comes in pieces
    return bool(_given(piece)) and is_whole(_given(call))


def _name(call: JsonObject) -> str:
    return next((name for kind, _ in _KINDS if (name := text_at(object_at(call, kind), "name"))), "")


def _given(call: JsonObject) -> str:
    return next((text for kind, body in _KINDS if (text := _text_of(object_at(call, kind).get(body)))), "")


def _text_of(arguments: JsonValue) -> str:
    """Arguments as text; some servers send them as an object."""
    if isinstance(arguments, str) or arguments is None:
        return arguments or ""
    return compact(arguments)
