"""Finds the tools of remote MCP servers, which the provider calls: by what a request allows, and by what they list."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.wire.shapes import items_at, object_at, objects_at, text_at

__all__ = ["listed_tools", "offered_servers"]

_LISTINGS = ("mcp_list_tools", "mcp_tool_listing")


def offered_servers(body: JsonValue) -> dict[str, tuple[str, ...] | None]:
    """The MCP servers that a request offers, with the names of the tools that it allows; None where it allows all."""
    servers: dict[str, tuple[str, ...] | None] = {}
    for server in objects_at(body, "mcp_servers"):
        servers[text_at(server, "name")] = _names(object_at(server, "tool_configuration").get("allowed_tools"))
    for tool in objects_at(body, "tools"):
        if tool.get("type") == "mcp":
            servers[text_at(tool, "server_label")] = _names(tool.get("allowed_tools"))
        elif tool.get("type") == "mcp_toolset":
            servers[text_at(tool, "mcp_server_name")] = _enabled(tool)
    return servers


def _enabled(toolset: JsonObject) -> tuple[str, ...] | None:
    """The names that a set of tools pins down, or enables one by one; None where it takes what the server has."""
    if toolset.get("tools") is not None:
        return _names(toolset["tools"])
    if object_at(toolset, "default_config").get("enabled") is not False:
        return None
    configs = object_at(toolset, "configs")
    return tuple(name for name in configs if object_at(configs, name).get("enabled") is not False)


def listed_tools(items: Iterable[JsonValue]) -> dict[str, tuple[str, ...]]:
    """The names of the tools that servers listed in a reply, by server."""
    return {
        text_at(item, "server_label") or text_at(item, "mcp_server_name"): _names(items_at(item, "tools")) or ()
        for item in items
        if text_at(item, "type") in _LISTINGS
    }


def _names(given: JsonValue) -> tuple[str, ...] | None:
    """Names, which stand alone, in objects, or in an object's ``tool_names``."""
    if isinstance(given, dict):
        given = given.get("tool_names")
    if not isinstance(given, list):
        return None
    return tuple(each if isinstance(each, str) else text_at(each, "name") for each in given)
