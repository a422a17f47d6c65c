"""Anthropic Messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.records.json_text import read_json
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
    Usage,
    UserMessage,
)
from harness.wire.failures import broken_reply, classify
from harness.wire.parts import anthropic_parts
from harness.wire.prompts import join_text, read_system_blocks
from harness.wire.schemas import ANTHROPIC, narrow
from harness.wire.shapes import compact, count_at, drop_format, items_at, object_at, objects_at, text_at, without_nulls

__all__ = ["DEFAULT_MAX_TOKENS", "PATH", "encode", "fold", "read_reply", "read_request", "read_usage", "text_delta"]

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
_NO_JSON = "invalid_json"
"""The protocol takes only objects as tool arguments; text that is none travels under this key."""
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
    return ModelReply(
        id=text_at(body, "id"),
        model=text_at(body, "model"),
        message=_read_assistant([without_nulls(block) if isinstance(block, dict) else block for block in blocks]),
        stop=_STOPS.get(text_at(body, "stop_reason"), StopReason.OTHER),
        usage=read_usage(body),
    )


def fold(events: Iterable[JsonObject]) -> JsonObject:
    """The whole message that a stream's events add up to.

    Raises the :class:`harness.errors.ProviderError` of an error inside the stream, or
    :class:`harness.errors.TransientError` where the stream ends before ``message_stop``.
    """
    body: JsonObject = {}
    blocks: dict[int, JsonObject] = {}
    for event in events:
        kind = text_at(event, "type")
        if kind == "error":
            raise classify(None, event)
        if kind == "message_start":
            body = dict(object_at(event, "message"))
        elif kind == "content_block_start":
            blocks[count_at(event, "index")] = dict(object_at(event, "content_block"))
        elif kind == "content_block_delta":
            _add_delta(blocks.setdefault(count_at(event, "index"), {}), object_at(event, "delta"))
        elif kind == "message_delta":
            body |= object_at(event, "delta")
            body["usage"] = object_at(body, "usage") | without_nulls(object_at(event, "usage"))
        elif kind == "message_stop":
            body["content"] = [_close_block(blocks[index]) for index in sorted(blocks)]
            return body
    raise broken_reply("the stream ends before its last frame")


def text_delta(event: JsonObject) -> str | None:
    """The answer's next piece of text, where the event brings one."""
    delta = object_at(event, "delta")
    return text_at(delta, "text") or None if delta.get("type") == "text_delta" else None


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
    value = _parse_object(arguments or "{}")
    return {_NO_JSON: arguments} if value is None else value


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
    if isinstance(given, dict) and given.keys() == {_NO_JSON} and isinstance(given[_NO_JSON], str):
        return str(given[_NO_JSON])
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


def read_usage(body: JsonObject) -> Usage | None:
    """The tokens that a body speaks of; None where it does not."""
    usage = object_at(body, "usage")
    if not usage:
        return None
    cached = count_at(usage, "cache_read_input_tokens")
    written = count_at(usage, "cache_creation_input_tokens")
    return Usage(
        input_tokens=count_at(usage, "input_tokens") + cached + written,
        output_tokens=count_at(usage, "output_tokens"),
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=count_at(object_at(usage, "output_tokens_details"), "thinking_tokens"),
    )


def _add_delta(block: JsonObject, delta: JsonObject) -> None:
    """Join a piece of a content block to the pieces before it."""
    kind = text_at(delta, "type")
    if kind == "input_json_delta":
        block["partial_json"] = text_at(block, "partial_json") + text_at(delta, "partial_json")
    elif kind == "citations_delta":
        block["citations"] = [*items_at(block, "citations"), delta.get("citation")]
    else:
        for key in ("text", "thinking", "signature"):
            if piece := text_at(delta, key):
                block[key] = text_at(block, key) + piece


def _close_block(block: JsonObject) -> JsonObject:
    """Read the arguments that came in pieces."""
    if "partial_json" in block:
        text = str(block.pop("partial_json"))
        if text:
            value = _parse_object(text)
            block["input"] = {_NO_JSON: text} if value is None else value
    return block


def _parse_object(text: str) -> JsonObject | None:
    try:
        value = read_json(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
