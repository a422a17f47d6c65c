"""Reads the tools of the Responses API that the client runs: functions, shells, patches, computers, tool searches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.records.message import ToolCall
from harness.wire.prompts import join_text
from harness.wire.shapes import compact, items_at, object_at, objects_at, text_at

__all__ = ["is_client_result", "name_offered", "offered_tools", "read_client_call", "read_result"]

_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "apply_patch_call": ("operation",),
    "computer_call": ("action", "actions"),
    "custom_tool_call": ("input",),
    "function_call": ("arguments",),
    "local_shell_call": ("action",),
    "shell_call": ("action",),
    "tool_search_call": ("arguments",),
}
"""Where a call says what it is called with, by its type."""
_HOSTED = "container"
"""How the environments begin in which the provider runs a shell."""
_LISTS = ("additional_tools", "mcp_list_tools", "tool_search_output")
"""Items of a conversation that bring further tools."""


def read_client_call(item: JsonValue) -> ToolCall | None:
    """The call that an output item is; None where it is none, or one that runs at the provider.

    A call without a name of its own goes by its type: ``shell``, ``local_shell``, ``apply_patch``, ``computer``,
    ``tool_search``.
    """
    kind = text_at(item, "type")
    if not isinstance(item, dict) or kind not in _ARGUMENTS or _is_hosted(item):
        return None
    given = next((item[field] for field in _ARGUMENTS[kind] if item.get(field) is not None), "")
    arguments = given if isinstance(given, str) else compact(given)
    call_id = text_at(item, "call_id") or text_at(item, "id")
    return ToolCall(id=call_id, name=text_at(item, "name") or kind.removesuffix("_call"), arguments=arguments)


def is_client_result(item: JsonValue) -> bool:
    """Whether an input item is what a tool gave back."""
    kind = text_at(item, "type")
    return kind.endswith("_call_output") or (kind == "tool_search_output" and text_at(item, "execution") == "client")


def read_result(item: JsonValue) -> str:
    """What a tool gave back, as text."""
    if text_at(item, "type") == "tool_search_output":
        return compact([text_at(tool, "name") for tool in objects_at(item, "tools")])
    output = item.get("output") if isinstance(item, dict) else None
    if isinstance(output, dict):
        return f"[{output['type']}]" if "type" in output else compact(output)
    outputs = items_at(item, "output")
    if any(isinstance(part, dict) and "type" not in part for part in outputs):
        return compact(outputs)  # a shell's: one object for each command
    return join_text(output, "\n")


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


def name_offered(name: str, offered: Sequence[str]) -> str:
    """The name under which the tool of a call without a name was offered: ``computer`` as ``computer_use_preview``."""
    if name in offered or f"{name}_call" not in _ARGUMENTS:
        return name
    alike = [each for each in offered if each.startswith(name)]
    return alike[0] if len(alike) == 1 else name


def _is_hosted(item: JsonObject) -> bool:
    if item.get("type") == "tool_search_call":
        return item.get("execution") != "client"
    return text_at(object_at(item, "environment"), "type").startswith(_HOSTED)
