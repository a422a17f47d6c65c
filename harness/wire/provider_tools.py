"""Finds the tools that the provider itself ran in a reply: web search, code, remote MCP servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.records.json_text import read_json
from harness.records.message import AssistantMessage
from harness.records.trace import ToolCalled
from harness.wire.client_tools import read_client_call
from harness.wire.shapes import compact, object_at, objects_at, text_at

__all__ = ["paid_tools", "provider_tools"]

_ITEMS = {
    "code_interpreter_call": ("code", "container_id"),
    "file_search_call": ("queries",),
    "image_generation_call": (),
    "mcp_call": ("arguments",),
    "program": ("code",),
    "shell_call": ("action",),
    "tool_search_call": ("arguments",),
    "web_search_call": ("action",),
}
"""What a Responses item says of the arguments, by its type."""
_OUTPUTS = ("program_output", "shell_call_output")
_PAID = ("code_interpreter_call", "file_search_call", "image_generation_call", "shell_call", "web_search_call")
_RESULTS = ("output", "outputs", "results", "result", "error")
_USES = ("server_tool_use", "mcp_tool_use")
"""Anthropic's blocks; each has its result in a block of its own."""


def provider_tools(reply: AssistantMessage, offered: Sequence[str], turn: int) -> Iterator[ToolCalled]:
    """The calls that ran at the provider, in the order of the reply, with what it shows of their results.

    ``offered`` are the names of the tools in the request: a call goes by the name under which it was offered.
    """
    blocks = [block for block in reply.raw if isinstance(block, dict)]
    results = {text_at(block, "tool_use_id"): block for block in blocks if "tool_use_id" in block}
    for number, block in enumerate(blocks):
        kind = text_at(block, "type")
        if kind in _USES:
            yield _anthropic_call(block, results.get(text_at(block, "id")), turn)
        elif kind in _ITEMS and read_client_call(block) is None:
            after = blocks[number + 1] if number + 1 < len(blocks) else {}
            if text_at(after, "type") == "tool_search_output":
                block = {**block, "output": [text_at(tool, "name") for tool in objects_at(after, "tools")]}
            elif text_at(after, "type") in _OUTPUTS:
                block = {**block, "output": after.get("output", after.get("result"))}
            yield _responses_item(block, kind, offered, turn)


def paid_tools(reply: AssistantMessage) -> tuple[str, ...]:
    """The tools that ran at the provider and that a Responses reply does not say the price of."""
    kinds = (
        text_at(item, "type") for item in reply.raw if text_at(item, "type") in _PAID and not read_client_call(item)
    )
    return tuple(dict.fromkeys(kind.removesuffix("_call") for kind in kinds))


def _anthropic_call(block: JsonObject, result: JsonObject | None, turn: int) -> ToolCalled:
    content = result.get("content") if result else None
    failed = result is not None and (result.get("is_error") is True or "error_code" in object_at(result, "content"))
    return ToolCalled(
        turn=turn,
        call_id=text_at(block, "id"),
        name=text_at(block, "name"),
        arguments=block.get("input"),
        at_provider=True,
        result=None if result is None else _shown(content),
        is_error=failed,
    )


def _responses_item(item: JsonObject, kind: str, offered: Sequence[str], turn: int) -> ToolCalled:
    plain = kind.removesuffix("_call")
    alike = [name for name in offered if name.startswith(plain)]
    found = {key: item[key] for key in _RESULTS if item.get(key) is not None}
    arguments = {key: item[key] for key in _ITEMS[kind] if item.get(key) is not None}
    return ToolCalled(
        turn=turn,
        call_id=text_at(item, "id"),
        name=text_at(item, "name") or (alike[0] if len(alike) == 1 else plain),
        arguments=_parsed(arguments["arguments"]) if "arguments" in arguments else arguments,
        at_provider=True,
        result=None if not found else _shown(next(iter(found.values())) if len(found) == 1 else found),
        is_error=bool(item.get("error")) or item.get("status") == "failed",
    )


def _parsed(arguments: JsonValue) -> JsonValue:
    try:
        return read_json(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return arguments


def _shown(content: JsonValue) -> str:
    if isinstance(content, str):
        return content
    return compact(_without_ciphers(content))


def _without_ciphers(value: JsonValue) -> JsonValue:
    """Without what only the provider can read."""
    if isinstance(value, list):
        return [_without_ciphers(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_ciphers(item) for key, item in value.items() if not key.startswith("encrypted_")}
    return value
