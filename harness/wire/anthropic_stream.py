"""Joins the events of a streamed Anthropic message."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import JsonValue

from harness.errors import ProviderError
from harness.records.base import JsonObject
from harness.records.json_text import read_json
from harness.wire.failures import classify
from harness.wire.folding import Folded, cut_call, cut_short
from harness.wire.shapes import items_at, object_at, objects_at, text_at, without_nulls

__all__ = ["NO_JSON", "fold", "parse_object", "text_delta"]

NO_JSON = "invalid_json"
"""The protocol takes only objects as tool arguments; text that is none travels under this key."""
_JOINED = {"text_delta": "text", "thinking_delta": "thinking", "compaction_delta": "content"}
_KEPT = {"signature_delta": "signature"}
_PARTIAL = "partial_json"


def fold(events: Iterable[JsonObject], *, done: bool = False) -> Folded:
    """The message that a stream's events add up to.

    Without ``message_stop`` the stream is broken: a call whose block had not ended is then left out and noted as
    unread, unless its arguments are a whole JSON object.
    """
    body: JsonObject = {}
    blocks = _Blocks()
    broken: ProviderError | None = cut_short()
    is_final = False
    unknown: dict[str, None] = {}
    for event in events:
        kind = text_at(event, "type")
        if kind == "error":
            broken = classify(None, event)
            break
        if kind == "message_stop":
            broken = None
            break
        if kind == "message_start":
            body = dict(object_at(event, "message"))
            blocks.take(objects_at(body, "content"))
        elif kind == "message_delta":
            is_final = is_final or bool(event.get("usage"))
            body |= {key: value for key, value in object_at(event, "delta").items() if value is not None}
            body["usage"] = object_at(body, "usage") | without_nulls(object_at(event, "usage"))
        elif not blocks.add(kind, event) and kind != "ping":
            unknown[f"an event of type `{kind or 'unknown'}`"] = None
    if broken is not None and not is_final:
        body.pop("usage", None)  # what it said at the beginning is not what the reply took
    body["content"], cut = blocks.whole() if broken is None else blocks.arrived()
    return Folded(body, broken, (*unknown, *blocks.unknown, *cut))


def text_delta(event: JsonObject) -> str | None:
    """The answer's next piece of text, where the event brings one."""
    delta = object_at(event, "delta")
    return text_at(delta, "text") or None if delta.get("type") == "text_delta" else None


def parse_object(text: str) -> JsonObject | None:
    """The object that a text is the JSON of; None for any other text."""
    try:
        value = read_json(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class _Blocks:
    """The content blocks, as far as they have arrived."""

    def __init__(self) -> None:
        self.unknown: dict[str, None] = {}
        self._blocks: list[JsonObject] = []
        self._ended: list[int] = []
        self._at: dict[JsonValue, int] = {}

    def take(self, blocks: list[JsonObject]) -> None:
        """Take blocks that stand in the first event already."""
        for number, block in enumerate(blocks):
            self._begin(number, block)
            self._ended.append(number)

    def add(self, kind: str, event: JsonObject) -> bool:
        """Add what an event brings; False where it is not about a block."""
        index = event.get("index")
        if kind == "content_block_start":
            self._begin(index, object_at(event, "content_block"))
        elif kind == "content_block_delta":
            self._add_delta(self._current(index), object_at(event, "delta"))
        elif kind == "content_block_stop":
            self._ended += [self._at[index]] if index in self._at else []
        else:
            return False
        return True

    def whole(self) -> tuple[list[JsonValue], list[str]]:
        """All blocks."""
        return [_close(block) for block in self._blocks], []

    def arrived(self) -> tuple[list[JsonValue], list[str]]:
        """The blocks of a stream that broke off, without calls that are cut short; a note on each of these."""
        kept: list[JsonValue] = []
        notes = []
        for number, block in enumerate(self._blocks):
            is_call = text_at(block, "type").endswith("tool_use")
            if is_call and number not in self._ended and parse_object(text_at(block, _PARTIAL)) is None:
                notes.append(cut_call(text_at(block, "name"), text_at(block, _PARTIAL)))
            else:
                kept.append(_close(block))
        return kept, notes

    def _begin(self, index: JsonValue, block: JsonObject) -> None:
        """Every start begins a block of its own, since some servers give all of them one index."""
        self._at[index if isinstance(index, int) else None] = len(self._blocks)
        self._blocks.append(dict(block))

    def _current(self, index: JsonValue) -> JsonObject:
        place = index if isinstance(index, int) else None
        if place not in self._at:
            self._begin(place, {})
        return self._blocks[self._at[place]]

    def _add_delta(self, block: JsonObject, delta: JsonObject) -> None:
        kind = text_at(delta, "type")
        if kind == "input_json_delta":
            block[_PARTIAL] = text_at(block, _PARTIAL) + text_at(delta, _PARTIAL)
        elif kind == "citations_delta":
            block["citations"] = [*items_at(block, "citations"), delta.get("citation")]
        elif kind in _JOINED:
            field = _JOINED[kind]
            block[field] = text_at(block, field) + text_at(delta, field)
        elif kind in _KEPT:
            block[_KEPT[kind]] = delta.get(_KEPT[kind])
        else:
            self.unknown[f"a piece of type `{kind or 'unknown'}`"] = None


def _close(block: JsonObject) -> JsonObject:
    """Read the arguments that came in pieces."""
    text = text_at(block, _PARTIAL)
    closed = {key: value for key, value in block.items() if key != _PARTIAL}
    if text:
        value = parse_object(text)
        closed["input"] = {NO_JSON: text} if value is None else value
    return closed
