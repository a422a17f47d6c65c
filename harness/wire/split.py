"""Takes a request apart into what the author wrote and what was said, without changing either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.records.json_text import read_json
from harness.records.message import Api
from harness.wire.prompts import SystemText, read_system_blocks, take_system_prompt

__all__ = ["STORED", "UNHEARD", "Definition", "WireRequest", "api_of", "has_spoken", "split"]

UNHEARD = ("prompt_cache_key",)
"""Fields that say where the provider may find a prompt that it has read before. No answer depends on them, and agent
frameworks mint one for each run, or send one to some hosts only."""

STORED = ("previous_response_id", "conversation")
"""Fields by which OpenAI Responses goes on with a conversation that the provider keeps."""

_SUFFIXES = {
    "/chat/completions": Api.OPENAI_CHAT,
    "/responses": Api.OPENAI_RESPONSES,
    "/messages": Api.ANTHROPIC_MESSAGES,
}
_MODEL_ITEMS = ("reasoning", "item_reference", "compaction", "mcp_list_tools", "mcp_approval_request")


@dataclass(frozen=True, slots=True)
class Definition:
    """The part of a request that stands in the author's files: all but the conversation."""

    endpoint: str
    """The path, such as ``/v1/chat/completions``."""
    model: str
    """Empty where the endpoint names it."""
    tools: Mapping[str, JsonValue]
    """The raw definitions by name; a tool without a name goes by its type."""
    system: str
    """The text of the system prompt, its parts joined by an empty line."""
    output_schema: JsonValue
    """The answer's required format as the provider takes it; None where there is none."""
    settings: JsonObject
    """Every other top-level field. Under ``system``: what a prompt says beside its text, such as a cache mark."""


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request of one of the three protocols, in two halves."""

    definition: Definition
    conversation: tuple[JsonValue, ...]
    """The raw messages or items in order, without the system prompt."""


def api_of(path: str) -> Api | None:
    """The protocol that a path belongs to, below whatever base a gateway gives it; None for any other."""
    return next((api for suffix, api in _SUFFIXES.items() if path.endswith(suffix)), None)


def split(method: str, path: str, body: bytes) -> WireRequest | None:
    """Take a request apart; None where it is no model call of a protocol that we read."""
    api = api_of(path)
    if api is None or method.upper() != "POST":
        return None
    try:
        data = read_json(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    for field in UNHEARD:
        data.pop(field, None)
    model = data.pop("model", "")
    tools = data.pop("tools", None) or []
    if not isinstance(model, str) or not isinstance(tools, list):
        return None
    taken = _SPLITTERS[api](data)
    if taken is None:
        return None
    system, conversation, output_schema = taken
    if system.marks:
        data["system"] = list(system.marks)
    definition = Definition(path, model, _name_tools(tools), system.text, output_schema, data)
    return WireRequest(definition, tuple(conversation))


def has_spoken(conversation: Iterable[JsonValue]) -> bool:
    """Whether anything in the conversation is the model's own."""
    return any(_is_models(item) for item in conversation)


_Taken = tuple[SystemText, list[JsonValue], JsonValue]
"""System prompt, conversation, output schema."""


def _split_chat(data: JsonObject) -> _Taken | None:
    messages = data.pop("messages", None)
    if not isinstance(messages, list):
        return None
    system, conversation = take_system_prompt(messages)
    return system, conversation, data.pop("response_format", None)


def _split_responses(data: JsonObject) -> _Taken | None:
    given = data.pop("input", None)
    if given is None and not data.keys() & {"prompt", "previous_response_id", "conversation"}:
        return None
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list | None):
        return None
    system, conversation = take_system_prompt(given or [])
    instructions = data.pop("instructions", None)
    if isinstance(instructions, str) and instructions:
        system = SystemText("\n\n".join(filter(None, (instructions, system.text))), system.marks)
    return system, conversation, _take_field(data, "text", "format")


def _split_anthropic(data: JsonObject) -> _Taken | None:
    messages = data.pop("messages", None)
    if not isinstance(messages, list):
        return None
    system = read_system_blocks(data.pop("system", None))
    output_schema = _take_field(data, "output_config", "format")
    return system, messages, data.pop("output_format", None) if output_schema is None else output_schema


_SPLITTERS = {
    Api.OPENAI_CHAT: _split_chat,
    Api.OPENAI_RESPONSES: _split_responses,
    Api.ANTHROPIC_MESSAGES: _split_anthropic,
}


def _take_field(data: JsonObject, name: str, field: str) -> JsonValue:
    """Take one field out of an object among the settings; an object left empty goes as well."""
    holder = data.get(name)
    if not isinstance(holder, dict):
        return None
    value = holder.pop(field, None)
    if not holder:
        del data[name]
    return value


def _name_tools(tools: list[JsonValue]) -> dict[str, JsonValue]:
    named: dict[str, JsonValue] = {}
    for tool in tools:
        name = _tool_name(tool)
        count = 1
        while name in named:
            count += 1
            name = f"{_tool_name(tool)} ({count})"
        named[name] = tool
    return named


def _tool_name(tool: JsonValue) -> str:
    if not isinstance(tool, dict):
        return str(tool)
    kind = str(tool.get("type", ""))
    inner = tool.get(kind)  # chat nests a function's or a custom tool's name under its type
    name = inner.get("name") if isinstance(inner, dict) else tool.get("name")
    return name if isinstance(name, str) else kind


def _is_models(item: JsonValue) -> bool:
    if not isinstance(item, dict):
        return False
    kind = str(item.get("type", ""))
    return item.get("role") == "assistant" or kind.endswith("_call") or kind in _MODEL_ITEMS
