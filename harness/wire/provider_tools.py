"""Finds the tools that the provider itself ran in a reply: web search, code, remote MCP servers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.records.json_text import read_json
from harness.records.message import AssistantMessage
from harness.records.trace import ToolCalled
from harness.wire.media import describe_media, without_media
from harness.wire.shapes import compact, object_at, objects_at, text_at

__all__ = [
    "generated_image",
    "is_provider_tool",
    "is_result",
    "paid_tools",
    "provider_tools",
    "result_text",
    "tool_name",
]

_ITEMS: Mapping[str, Sequence[str]] = {
    "code_interpreter_call": ("code", "container_id"),
    "file_search_call": ("queries",),
    "image_generation_call": ("revised_prompt",),
    "mcp_call": ("arguments",),
    "program": ("code",),
    "shell_call": ("action",),
    "tool_search_call": ("arguments",),
    "web_search_call": ("action",),
}
"""What a Responses item says of the arguments, by its type. Calls of a computer or a patch are the agent's."""
_PAID = ("code_interpreter_call", "file_search_call", "image_generation_call", "shell_call", "web_search_call")
_RESULTS = ("output", "outputs", "results", "result", "error")
_USES = ("server_tool_use", "mcp_tool_use")
"""Anthropic's blocks; each has its result in a block of its own."""


def provider_tools(reply: AssistantMessage, offered: Sequence[str], turn: int) -> Iterator[ToolCalled]:
    """The calls that ran at the provider, in the order of the reply, with what it shows of their results.

    ``offered`` are the names of the tools in the request: a call goes by the name under which it was offered.
    """
    blocks = [block for block in reply.raw if isinstance(block, dict)]
    results = {_answered_id(block): block for block in blocks if is_result(block)}
    for number, block in enumerate(blocks):
        if not is_provider_tool(block):
            continue
        if text_at(block, "type") in _USES:
            yield _anthropic_call(block, results.get(text_at(block, "id")), turn)
            continue
        after = blocks[number + 1] if number + 1 < len(blocks) else {}
        by_place = after if text_at(after, "type") == "tool_search_output" else None  # its calls may have no id
        yield _responses_item(block, by_place or results.get(text_at(block, "call_id")), offered, turn)


def is_provider_tool(item: JsonObject) -> bool:
    """Whether an item or content block is a call of a tool that runs at the provider."""
    kind = text_at(item, "type")
    if kind == "shell_call":
        return text_at(object_at(item, "environment"), "type") not in ("", "local")
    return kind in _USES or (kind in _ITEMS and item.get("execution") != "client")


def is_result(item: JsonObject) -> bool:
    """Whether an item or content block is what a tool gave back, as a rule one that ran at the provider."""
    return "tool_use_id" in item or text_at(item, "type").endswith("_output")


def tool_name(item: JsonObject, offered: Sequence[str] = ()) -> str:
    """The name of a tool that an item calls: its own, that under which it was offered, or its type."""
    plain = text_at(item, "type").removesuffix("_call")
    alike = [name for name in offered if name.startswith(plain)]
    return text_at(item, "name") or (alike[0] if len(alike) == 1 else plain)


def result_text(item: JsonObject) -> str:
    """What a tool gave back, as the reply shows it."""
    if "tool_use_id" in item:
        return _shown(item.get("content"))
    if text_at(item, "type") == "tool_search_output":
        return compact([text_at(tool, "name") for tool in objects_at(item, "tools")])
    return _shown(next((item[key] for key in _RESULTS if item.get(key) is not None), ""))


def generated_image(item: JsonObject) -> str:
    """The image that an image generation call made, by media type and size; empty where it made none."""
    form = text_at(item, "output_format") or "png"
    made = {"type": "image", "media_type": f"image/{form}", "data": text_at(item, "result")}
    is_image = text_at(item, "type") == "image_generation_call" and made["data"]
    return describe_media({**made}) if is_image else ""


def _answered_id(block: JsonObject) -> str:
    return text_at(block, "tool_use_id") or text_at(block, "call_id")


def paid_tools(reply: AssistantMessage) -> tuple[str, ...]:
    """The tools that ran at the provider and that a Responses reply does not say the price of."""
    ran = (item for item in reply.raw if isinstance(item, dict) and is_provider_tool(item))
    return tuple(dict.fromkeys(tool_name(item) for item in ran if text_at(item, "type") in _PAID))


def _anthropic_call(block: JsonObject, result: JsonObject | None, turn: int) -> ToolCalled:
    failed = result is not None and (result.get("is_error") is True or "error_code" in object_at(result, "content"))
    return ToolCalled(
        turn=turn,
        call_id=text_at(block, "id"),
        name=text_at(block, "name"),
        arguments=block.get("input"),
        at_provider=True,
        result=None if result is None else result_text(result),
        is_error=failed,
    )


def _responses_item(item: JsonObject, output: JsonObject | None, offered: Sequence[str], turn: int) -> ToolCalled:
    fields = _ITEMS[text_at(item, "type")]
    found = {key: item[key] for key in _RESULTS if item.get(key) is not None}
    if image := generated_image(item):
        found["result"] = f"[{image}]"
    result = None if not found else _shown(next(iter(found.values())) if len(found) == 1 else found)
    arguments = {key: item[key] for key in fields if item.get(key) is not None}
    return ToolCalled(
        turn=turn,
        call_id=text_at(item, "id"),
        name=tool_name(item, offered),
        arguments=_parsed(arguments["arguments"]) if "arguments" in arguments else arguments,
        at_provider=True,
        result=result if output is None else result_text(output),
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
    return compact(without_media(_without_ciphers(content)))


def _without_ciphers(value: JsonValue) -> JsonValue:
    """Without what only the provider can read."""
    if isinstance(value, list):
        return [_without_ciphers(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_ciphers(item) for key, item in value.items() if not key.startswith("encrypted_")}
    return value
