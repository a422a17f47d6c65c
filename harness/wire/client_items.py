"""Reads the Responses items that are the client's to answer or to send, beside messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.records.base import JsonObject
from harness.records.message import ToolCall, ToolResult, UserMessage
from harness.wire.notes import describe_note
from harness.wire.prompts import join_text
from harness.wire.provider_tools import is_provider_tool, result_text, tool_name
from harness.wire.shapes import compact, objects_at, text_at

__all__ = ["client_call", "client_result", "client_words", "offered_name", "offered_tools"]

_CALLS: Mapping[str, Sequence[str]] = {
    "apply_patch_call": ("operation",),
    "computer_call": ("actions", "action"),
    "custom_tool_call": ("input",),
    "function_call": ("arguments",),
    "local_shell_call": ("action",),
    "shell_call": ("action",),
    "tool_search_call": ("arguments",),
}
"""The calls by type, and where their arguments are."""
_LISTS = ("additional_tools", "mcp_list_tools", "tool_search_output")
"""Items of a conversation that bring further tools."""
_WORDS = ("additional_tools", "mcp_approval_response")
"""What a client says beside messages."""


def client_call(item: JsonObject) -> ToolCall | None:
    """The call of a tool that the client runs; None for any other item."""
    kind = text_at(item, "type")
    if kind not in _CALLS or is_provider_tool(item):
        return None
    given = next((item[key] for key in _CALLS[kind] if item.get(key)), "")
    arguments = given if isinstance(given, str) else compact(given)
    call_id = text_at(item, "call_id") or text_at(item, "id")
    return ToolCall(id=call_id, name=tool_name(item), arguments=arguments)


def offered_name(name: str, offered: Sequence[str]) -> str:
    """The name under which a tool was offered: a call of ``computer_use_preview`` says ``computer`` only."""
    alike = [one for one in offered if one.startswith(name)]
    is_built_in = f"{name}_call" in _CALLS and name not in offered
    return alike[0] if is_built_in and len(alike) == 1 else name


def client_result(item: JsonObject, names: Mapping[str, str]) -> ToolResult:
    """Read the result of a tool that the client ran. ``names`` are those of the tools, by the ids of their calls."""
    call_id = text_at(item, "call_id")
    content = join_text(item["output"], "\n") if item.get("output") else result_text(item)
    failed = item.get("status") == "failed"
    return ToolResult(call_id=call_id, name=names.get(call_id, ""), content=content, is_error=failed)


def client_words(item: JsonObject) -> UserMessage | None:
    """Read what the client says in the user's or its own name; None for what is the model's."""
    if text_at(item, "type") in _WORDS:
        return UserMessage(text=describe_note(item))
    if text_at(item, "role") in ("", "assistant"):
        return None
    return UserMessage(text=join_text(item.get("content"), "\n"))


def offered_tools(body: JsonObject) -> Iterator[JsonObject]:
    """The definitions of a request's tools, those in name spaces and in the conversation included."""
    found: Sequence[JsonObject] = objects_at(body, "tools")
    for item in objects_at(body, "input"):
        if text_at(item, "type") in _LISTS:
            found = [*found, *objects_at(item, "tools")]
    for tool in found:
        if text_at(tool, "type") == "namespace":
            yield from objects_at(tool, "tools")
        else:
            yield tool
