"""Ids that every run mints anew: numbered by first appearance, so that two runs of one conversation read alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import JsonValue

from harness.records.base import JsonObject

__all__ = ["MARK", "number_ids"]

MARK = float("nan")
"""Begins a list that stands for something that JSON itself can't say, so that no body can hold the same by chance."""

_LINKS = ("call_id", "tool_call_id", "tool_use_id", "approval_request_id")
_MODEL_ITEMS = ("reasoning", "compaction", "mcp_approval_request", "mcp_list_tools")
_CALL_BLOCKS = ("tool_use", "server_tool_use", "mcp_tool_use")


def number_ids(items: Sequence[JsonValue]) -> list[JsonValue]:
    """The items of a conversation with the model's own ids numbered, and every link to one of them.

    A link to what does not stand in the conversation is left alone, for it says which stored thing is meant; so are a
    call's arguments.
    """
    names: dict[str, int] = {}
    return [_number_item(item, names) if isinstance(item, dict) else item for item in items]


def _number_item(item: JsonObject, names: dict[str, int]) -> JsonValue:
    numbered = dict(item)
    kind = str(item.get("type", ""))
    if kind.endswith("_call"):
        _mint(numbered, "id", names)
        _mint(numbered, "call_id", names)
        _each(numbered, "pending_safety_checks", lambda check: _mint(check, "id", names))
    elif item.get("role") == "assistant" or kind in _MODEL_ITEMS:
        _mint(numbered, "id", names)
    elif kind == "item_reference":
        _link(numbered, "id", names)
    for key in _LINKS:
        _link(numbered, key, names)
    _each(numbered, "acknowledged_safety_checks", lambda check: _link(check, "id", names))
    _each(numbered, "tool_calls", lambda call: _mint(call, "id", names))
    _each(numbered, "content", lambda block: _number_block(block, names))
    return numbered


def _number_block(block: JsonObject, names: dict[str, int]) -> None:
    if block.get("type") in _CALL_BLOCKS:
        _mint(block, "id", names)
        caller = block.get("caller")
        if isinstance(caller, dict):
            block["caller"] = caller = dict(caller)
            _link(caller, "tool_id", names)
    _link(block, "tool_use_id", names)


def _each(holder: JsonObject, field: str, change: Callable[[JsonObject], None]) -> None:
    """Change a copy of each object in a list."""
    parts = holder.get(field)
    if not isinstance(parts, list):
        return
    copies = [dict(part) if isinstance(part, dict) else part for part in parts]
    for part in copies:
        if isinstance(part, dict):
            change(part)
    holder[field] = copies


def _mint(holder: JsonObject, key: str, names: dict[str, int]) -> None:
    value = holder.get(key)
    if isinstance(value, str):
        holder[key] = [MARK, names.setdefault(value, len(names) + 1)]


def _link(holder: JsonObject, key: str, names: dict[str, int]) -> None:
    value = holder.get(key)
    if isinstance(value, str) and value in names:
        holder[key] = [MARK, names[value]]
