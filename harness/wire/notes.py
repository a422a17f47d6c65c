"""Says in a line what stands beside a reply's content: sources, tool lists, approvals, summaries, other models."""

from __future__ import annotations

from collections.abc import Callable

from harness.records.base import JsonObject
from harness.wire.shapes import compact, object_at, objects_at, text_at

__all__ = ["describe_note", "describe_source"]


def describe_source(annotation: JsonObject) -> str:
    """Describe what a text refers to: ``source: title, address: “the words”``."""
    fields = annotation | object_at(annotation, text_at(annotation, "type"))  # chat nests them under the type
    names = [text_at(fields, key) for key in ("title", "document_title", "filename", "url", "source", "file_id")]
    cited = text_at(fields, "cited_text") or text_at(fields, "content")
    named = ", ".join(dict.fromkeys(filter(None, names))) or text_at(annotation, "type")
    return f"source: {named}: “{cited}”" if cited else f"source: {named}"


def describe_note(item: JsonObject) -> str:
    """Describe an item or content block of such a type, its kind before a colon; empty for any other type."""
    describe = _NOTES.get(text_at(item, "type"))
    return describe(item) if describe else ""


def _approval_asked(item: JsonObject) -> str:
    server, name, arguments = (text_at(item, key) for key in ("server_label", "name", "arguments"))
    return f"approval asked by MCP server {server}: {name}({arguments}), {text_at(item, 'id')}"


def _approval_given(item: JsonObject) -> str:
    word = "given" if item.get("approve") is True else "refused"
    said = ", ".join(filter(None, (text_at(item, "approval_request_id"), text_at(item, "reason"))))
    return f"approval {word}: {said}"


def _tool_list(item: JsonObject) -> str:
    server = text_at(item, "server_label") or text_at(item, "mcp_server_name")
    names = ", ".join(text_at(tool, "name") or text_at(tool, "type") for tool in objects_at(item, "tools"))
    failed = f"failed: {compact(item['error'])}" if item.get("error") else ""
    return f"tools{f' of MCP server {server}' if server else ' added'}: {failed or names or 'none'}"


def _compaction(item: JsonObject) -> str:
    return f"earlier messages in short: {text_at(item, 'content') or 'withheld by the provider'}"


def _fallback(block: JsonObject) -> str:
    left, goes_on = (text_at(object_at(block, key), "model") for key in ("from", "to"))
    return f"other model: {left} declined, {goes_on} goes on"


def _reference(item: JsonObject) -> str:
    return f"stored at the provider: {text_at(item, 'id')}"


_NOTES: dict[str, Callable[[JsonObject], str]] = {
    "additional_tools": _tool_list,
    "compaction": _compaction,
    "fallback": _fallback,
    "item_reference": _reference,
    "mcp_approval_request": _approval_asked,
    "mcp_approval_response": _approval_given,
    "mcp_list_tools": _tool_list,
    "mcp_tool_listing": _tool_list,
}
