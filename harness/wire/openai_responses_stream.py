"""Joins the events of a streamed response."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import JsonValue

from harness.errors import ProviderError
from harness.records.base import JsonObject
from harness.wire.failures import classify
from harness.wire.folding import Folded, cut_call, cut_short, is_whole
from harness.wire.shapes import count_at, object_at, objects_at, text_at

__all__ = ["fold", "text_delta"]

_LAST = ("response.completed", "response.incomplete", "response.failed")
_BEGINNINGS = ("response.created", "response.in_progress", "response.queued")
_ITEM = "response.output_item."
_TEXTS = {
    "response.code_interpreter_call_code": "code",
    "response.custom_tool_call_input": "input",
    "response.function_call_arguments": "arguments",
    "response.mcp_call_arguments": "arguments",
}
"""Events ending in ``.delta`` and ``.done`` that bring a field of an item."""
_PARTS = {
    "response.output_text": ("content", "output_text", "text"),
    "response.refusal": ("content", "refusal", "refusal"),
    "response.reasoning_text": ("content", "reasoning_text", "text"),
    "response.reasoning_summary_text": ("summary", "summary_text", "text"),
}
"""Events ending in ``.delta`` and ``.done`` that bring a part of an item: its list, the part's type and its field."""
_READ_EVENTS = frozenset(
    {*_LAST, *_BEGINNINGS, f"{_ITEM}added", f"{_ITEM}done", "error"}
    | {f"{name}.{end}" for name in (*_TEXTS, *_PARTS) for end in ("delta", "done")}
)
"""The events that we join."""
_UNREAD_EVENTS = frozenset(
    {
        "keepalive",
        "response.audio.delta",
        "response.audio.done",
        "response.audio.transcript.delta",
        "response.audio.transcript.done",
        "response.compaction.compacting",
        "response.content_part.added",
        "response.content_part.done",
        "response.output_text.annotation.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
        "response.shell_call_command.added",
        "response.shell_call_command.delta",
        "response.shell_call_command.done",
        "response.shell_call_output_content.delta",
        "response.shell_call_output_content.done",
        "response.image_generation_call.partial_image",
    }
    | {
        f"response.{call}.{state}"
        for call, states in {
            "code_interpreter_call": ("in_progress", "interpreting", "completed"),
            "file_search_call": ("in_progress", "searching", "completed"),
            "image_generation_call": ("in_progress", "generating", "completed"),
            "mcp_call": ("in_progress", "completed", "failed"),
            "mcp_list_tools": ("in_progress", "completed", "failed"),
            "web_search_call": ("in_progress", "searching", "completed"),
        }.items()
        for state in states
    }
)
"""Events that report progress, or repeat what the finished item or the last frame holds."""
_CALL_FIELDS = {"function_call": "arguments", "custom_tool_call": "input"}


def fold(events: Iterable[JsonObject], *, done: bool = False) -> Folded:
    """The response that a stream's events add up to: what its last frame holds, and calls that only came before it.

    Some servers leave the output of the last frame empty. Without a last frame the stream is broken: items that had
    arrived whole are kept, a call whose arguments are no whole JSON object is noted as unread.
    """
    body: JsonObject = {}
    items = _Items()
    broken: ProviderError | None = None
    unknown: dict[str, None] = {}
    for event in events:
        kind = text_at(event, "type")
        if kind == "error" or (not kind and event.get("error")):
            broken = classify(None, {key: value for key, value in event.items() if (key, value) != ("type", "error")})
            break
        if kind in _LAST:
            body = dict(object_at(event, "response"))
            body["output"] = items.completing(objects_at(body, "output"))
            return Folded(body)
        if kind in _BEGINNINGS:
            body = dict(object_at(event, "response"))
        elif not items.add(kind, event) and kind not in _UNREAD_EVENTS:
            unknown[f"an event of type `{kind or 'unknown'}`"] = None
    body["output"], cut = items.arrived()
    body |= {"status": "in_progress", "usage": None}
    return Folded(body, broken or cut_short(), (*unknown, *cut))


def text_delta(event: JsonObject) -> str | None:
    """The answer's next piece of text, where the event brings one."""
    return text_at(event, "delta") or None if event.get("type") == "response.output_text.delta" else None


class _Items:
    """The output items, as far as they have arrived."""

    def __init__(self) -> None:
        self._items: list[JsonObject] = []
        self._finished: list[JsonObject] = []
        self._by_name: dict[str, JsonObject] = {}
        self._by_place: dict[int, JsonObject] = {}

    def add(self, kind: str, event: JsonObject) -> bool:
        """Add what an event brings; False where it brings nothing of an item."""
        name, _, end = kind.rpartition(".")
        if kind == f"{_ITEM}added":
            self._begin(event)
        elif kind == f"{_ITEM}done":
            self._finish(event)
        elif name in _TEXTS and (item := self._find(event)) is not None:
            field = _TEXTS[name]
            item[field] = text_at(item, field) + text_at(event, "delta") if end == "delta" else event.get(field)
        elif name in _PARTS and (item := self._find(event)) is not None:
            _add_to_part(item, _PARTS[name], event, end)
        else:
            return kind in _READ_EVENTS
        return True

    def completing(self, output: list[JsonObject]) -> list[JsonValue]:
        """The output of the last frame, with the finished items that it lacks: all where it is empty, else calls."""
        if not output:
            return [*self._finished]
        known = {text_at(item, "call_id") for item in output}
        calls = (item for item in self._finished if text_at(item, "type") in _CALL_FIELDS)
        return [*output, *(item for item in calls if text_at(item, "call_id") not in known)]

    def arrived(self) -> tuple[list[JsonValue], list[str]]:
        """The items of a stream without a last frame, and a note on each that is not whole."""
        kept: list[JsonValue] = []
        notes = []
        for item in self._items:
            kind = text_at(item, "type")
            if item in self._finished or not kind.endswith("_call") or is_whole(text_at(item, "arguments")):
                kept.append(item)
            else:
                given = text_at(item, "arguments") or text_at(item, "input") or text_at(item, "code")
                notes.append(cut_call(text_at(item, "name") or kind.removesuffix("_call"), given))
        return kept, notes

    def _begin(self, event: JsonObject) -> None:
        item = dict(object_at(event, "item"))
        self._items.append(item)
        self._note(item, event)

    def _finish(self, event: JsonObject) -> None:
        item = dict(object_at(event, "item"))
        begun = self._find(event | {"item_id": item.get("id")})
        if begun is None or begun in self._finished:
            self._items.append(item)
        else:
            begun.clear()
            begun.update(item)
            item = begun
        self._finished.append(item)
        self._note(item, event)

    def _note(self, item: JsonObject, event: JsonObject) -> None:
        if name := text_at(item, "id"):
            self._by_name[name] = item
        self._by_place[count_at(event, "output_index")] = item

    def _find(self, event: JsonObject) -> JsonObject | None:
        """The item that an event is about: by its id, else by its place, since some servers mint an id per event."""
        named = self._by_name.get(text_at(event, "item_id"))
        return named if named is not None else self._by_place.get(count_at(event, "output_index"))


def _add_to_part(item: JsonObject, place: tuple[str, str, str], event: JsonObject, end: str) -> None:
    holder, kind, field = place
    parts = [*objects_at(item, holder)]
    number = count_at(event, "summary_index" if holder == "summary" else "content_index")
    while len(parts) <= number:
        parts.append({"type": kind, field: ""})
    before = text_at(parts[number], field)
    text = before + text_at(event, "delta") if end == "delta" else text_at(event, field)
    parts[number] = parts[number] | {field: text}
    item[holder] = [*parts]
