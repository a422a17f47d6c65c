"""Anthropic Messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.records.message import (
    AssistantMessage,
    Message,
    ModelReply,
    ModelRequest,
    OutputSchema,
    StopReason,
    ToolCall,
    ToolDefinition,
    ToolResult,
    UserMessage,
)
from harness.wire.anthropic_stream import NO_JSON, parse_object
from harness.wire.failures import broken_reply, classify
from harness.wire.parts import anthropic_parts
from harness.wire.prompts import join_text, read_system_blocks
from harness.wire.schemas import ANTHROPIC, narrow
from harness.wire.shapes import compact, drop_format, object_at, objects_at, text_at, without_nulls
from harness.wire.usage import billing_terms, read_usage

__all__ = ["BLOCKS", "DEFAULT_MAX_TOKENS", "PATH", "encode", "read_reply", "read_request"]

PATH = "/v1/messages"
DEFAULT_MAX_TOKENS = 8192
"""The protocol demands a limit; this one is allowed by every current model."""

_STOPS = {
    "end_turn": StopReason.END,
    "tool_use": StopReason.TOOL_CALLS,
    "max_tokens": StopReason.LENGTH,
    "model_context_window_exceeded": StopReason.LENGTH,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "refusal": StopReason.REFUSAL,
}
BLOCKS = frozenset(
    {
        "advisor_tool_result",
        "bash_code_execution_tool_result",
        "code_execution_tool_result",
        "compaction",
        "container_upload",
        "fallback",
        "mcp_tool_listing",
        "mcp_tool_result",
        "mcp_tool_use",
        "redacted_thinking",
        "server_tool_use",
        "text",
        "text_editor_code_execution_tool_result",
        "thinking",
        "tool_search_tool_result",
        "tool_use",
        "web_fetch_tool_result",
        "web_search_tool_result",
    }
)
"""The content blocks of a reply that we know."""
_TEXT_FIELDS = {"type", "text"}
_CALL_FIELDS = {"type", "id", "name", "input"}


def encode(request: ModelRequest) -> JsonObject:
    """The request's body."""
    body: JsonObject = {
        "model": request.model,
        "max_tokens": DEFAULT_MAX_TOKENS,
        "messages": _encode_messages(request.messages),
    }
    if request.system:
        body["system"] = request.system
    if request.tools:
        body["tools"] = [_encode_tool(tool) for tool in request.tools]
    if request.stream:
        body["stream"] = True
    body |= request.settings
    if request.output:
        form: JsonObject = {"type": "json_schema", "schema": narrow(request.output.schema_, ANTHROPIC)}
        body["output_config"] = {**object_at(body, "output_config"), "format": form}
    return body


def read_request(body: JsonObject) -> ModelRequest:
    """What a body asks for. Raises :class:`ValueError` where it is no request of this protocol."""
    settings = dict(body)
    items = settings.pop("messages", None)
    if not isinstance(items, list):
        raise ValueError("the body has no list of messages")
    for key in ("model", "system", "tools"):
        settings.pop(key, None)
    if settings.get("max_tokens") == DEFAULT_MAX_TOKENS:
        del settings["max_tokens"]
    stream = settings.pop("stream", None) is True
    return ModelRequest(
        model=text_at(body, "model"),
        system=read_system_blocks(body.get("system")).text,
        messages=_read_messages(items),
        tools=tuple(_read_tool(tool) for tool in objects_at(body, "tools")),
        output=_take_output(settings),
        settings=settings,
        stream=stream,
    )


def read_reply(body: JsonValue) -> ModelReply:
    """A whole message. Raises the :class:`harness.errors.ProviderError` that it stands for."""
    if not isinstance(body, dict):
        raise broken_reply(f"it is no JSON object: {str(body)[:80]!r}")
    if body.get("type") == "error" or body.get("error"):
        raise classify(None, body)
    blocks = body.get("content")
    if not isinstance(blocks, list):
        raise broken_reply("it holds no list of content blocks")
    took = read_usage(body)
    return ModelReply(
        id=text_at(body, "id"),
        model=text_at(body, "model"),
        message=_read_assistant([without_nulls(block) if isinstance(block, dict) else block for block in blocks]),
        stop=_STOPS.get(text_at(body, "stop_reason"), StopReason.OTHER),
        usage=took.usage,
        usage_unknown=took.unknown,
        terms=billing_terms(body),
        unread=tuple(dict.fromkeys(_unread_blocks(blocks))),
    )


def _unread_blocks(blocks: Sequence[JsonValue]) -> Iterator[str]:
    for block in blocks:
        kind = text_at(block, "type")
        if kind not in BLOCKS:
            yield f"a content block of type `{kind or 'unknown'}`"


def _encode_messages(messages: Sequence[Message]) -> list[JsonValue]:
    """Results of one turn share a message, as the protocol demands, and what the user adds follows in the same one."""
    encoded: list[JsonValue] = []
    results: list[JsonValue] = []
    for message in messages:
        if isinstance(message, ToolResult):
            if not results:
                encoded.append({"role": "user", "content": results})
            results.append(_encode_result(message))
        elif isinstance(message, UserMessage) and results:
            results.append({"type": "text", "text": message.text})
            results = []
        elif message != AssistantMessage():  # the protocol refuses a message without content
            results = []
            content = message.text if isinstance(message, UserMessage) else _encode_content(message)
            encoded.append({"role": message.role, "content": content})
    return encoded


def _encode_content(message: AssistantMessage) -> JsonValue:
    if message.raw:
        return list(message.raw)
    if not message.tool_calls:
        return message.text
    said: list[JsonValue] = [{"type": "text", "text": message.text}] if message.text else []
    return said + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": _encode_arguments(call.arguments)}
        for call in message.tool_calls
    ]


def _encode_arguments(arguments: str) -> JsonObject:
    value = parse_object(arguments or "{}")
    return {NO_JSON: arguments} if value is None else value


def _encode_result(result: ToolResult) -> JsonObject:
    block: JsonObject = {"type": "tool_result", "tool_use_id": result.call_id, "content": result.content}
    return block | {"is_error": True} if result.is_error else block


def _encode_tool(tool: ToolDefinition) -> JsonValue:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}


def _read_messages(items: Sequence[JsonValue]) -> tuple[Message, ...]:
    names: dict[str, str] = {}
    messages: list[Message] = []
    for item in items:
        content = item.get("content") if isinstance(item, dict) else None
        if text_at(item, "role") == "assistant":
            message = _read_assistant(content if isinstance(content, list) else [{"type": "text", "text": content}])
            names |= {call.id: call.name for call in message.tool_calls}
            messages.append(message)
            continue
        blocks = content if isinstance(content, list) else []
        results = [block for block in blocks if isinstance(block, dict) and block.get("type") == "tool_result"]
        messages += [_read_result(block, names) for block in results]
        rest = [block for block in blocks if block not in results]
        if rest or not results:
            messages.append(UserMessage(text=join_text(rest or content, "\n")))
    return tuple(messages)


def _read_result(block: JsonObject, names: dict[str, str]) -> ToolResult:
    call_id = text_at(block, "tool_use_id")
    return ToolResult(
        call_id=call_id,
        name=names.get(call_id, ""),
        content=join_text(block.get("content"), "\n"),
        is_error=block.get("is_error") is True,
    )


def _read_assistant(blocks: Sequence[JsonValue]) -> AssistantMessage:
    text = "".join(text_at(block, "text") for block in blocks if text_at(block, "type") == "text")
    calls = tuple(
        ToolCall(id=text_at(block, "id"), name=text_at(block, "name"), arguments=_read_arguments(block))
        for block in blocks
        if isinstance(block, dict) and block.get("type") == "tool_use"
    )
    if _is_plain(blocks):
        return AssistantMessage(text=text, tool_calls=calls)
    return AssistantMessage(text=text, tool_calls=calls, parts=anthropic_parts(blocks), raw=tuple(blocks))


def _read_arguments(block: JsonObject) -> str:
    given = block.get("input")
    if isinstance(given, dict) and given.keys() == {NO_JSON} and isinstance(given[NO_JSON], str):
        return str(given[NO_JSON])
    return compact(given if given is not None else {})


def _is_plain(blocks: Sequence[JsonValue]) -> bool:
    """Whether text and tool calls say it all: one text at most, before the calls, and nothing beside them."""
    for number, block in enumerate(blocks):
        if not isinstance(block, dict):
            return False
        if block.get("type") == "text" and number == 0 and block.keys() <= _TEXT_FIELDS:
            continue
        if block.get("type") != "tool_use" or not block.keys() <= _CALL_FIELDS:
            return False
    return True


def _read_tool(item: JsonObject) -> ToolDefinition:
    return ToolDefinition(
        name=text_at(item, "name") or text_at(item, "type"),
        description=text_at(item, "description"),
        parameters=object_at(item, "input_schema"),
    )


def _take_output(settings: JsonObject) -> OutputSchema | None:
    form = object_at(object_at(settings, "output_config"), "format")
    if form.get("type") != "json_schema":
        return None
    drop_format(settings, "output_config")
    return OutputSchema(name="output", schema=object_at(form, "schema"))  # this protocol gives it no name
