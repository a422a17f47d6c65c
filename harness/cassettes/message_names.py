"""Names the messages of a conversation for a reader."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

__all__ = ["is_authored", "name_difference", "name_message"]


def name_difference(recorded: Sequence[JsonValue], current: Sequence[JsonValue], at: int) -> str:
    """Say how two conversations differ at this message, the first that does."""
    old = name_message(recorded, at) if at < len(recorded) else None
    new = name_message(current, at) if at < len(current) else None
    if old is None:
        return f"{new} was added"
    if new is None:
        return f"{old} is missing"
    return f"{old} differs" if old == new else f"{old} was recorded, now it is {new}"


def name_message(conversation: Sequence[JsonValue], at: int) -> str:
    """A message in words: ``result of tool `find_order```, ``message 3 (assistant)``."""
    item = conversation[at]
    if not isinstance(item, dict):
        return f"message {at + 1}"
    kind, role = str(item.get("type", "")), str(item.get("role", ""))
    if kind.endswith("_call") and isinstance(item.get("name"), str):
        return f"message {at + 1} (call of tool `{item['name']}`)"
    if results := _results(item):
        names = dict.fromkeys(_tool_of(conversation[:at], link) for link in results)
        return f"result of tool {' and '.join(f'`{name}`' for name in names)}" if None not in names else "tool result"
    return f"message {at + 1} ({role or kind or 'unknown'})"


def is_authored(item: JsonValue) -> bool:
    """Tell whether a message may be text that the author wrote: neither the model's own nor the result of a tool."""
    return isinstance(item, dict) and item.get("role") in ("user", "system", "developer") and not _results(item)


def _results(item: dict[str, JsonValue]) -> list[JsonValue]:
    """The links to the calls whose results a message holds."""
    if str(item.get("type", "")).endswith("_call"):
        return []
    link = item.get("tool_call_id", item.get("call_id"))
    if link is not None:
        return [link]
    content = item.get("content")
    blocks = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return [part.get("tool_use_id") for part in blocks if part.get("type") == "tool_result"]


def _tool_of(conversation: Sequence[JsonValue], link: JsonValue) -> str | None:
    """The name of the tool that a call id stands for; None where the call stands elsewhere, such as at the provider."""
    for item in conversation:
        if not isinstance(item, dict):
            continue
        if item.get("call_id") == link and isinstance(item.get("name"), str):
            return str(item["name"])
        for field in ("tool_calls", "content"):
            parts = item.get(field)
            for part in parts if isinstance(parts, list) else ():
                if isinstance(part, dict) and part.get("id") == link:
                    inner = part.get(str(part.get("type")), part)
                    return str(inner.get("name", "?")) if isinstance(inner, dict) else None
    return None
