"""OpenAI Chat Completions, and everything that speaks it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.records.message import (
    AssistantMessage,
    Message,
    ModelReply,
    ModelRequest,
    OutputSchema,
    StopReason,
    ToolDefinition,
    ToolResult,
    Usage,
    UserMessage,
)
from harness.wire.failures import broken_reply, classify
from harness.wire.parts import chat_calls, chat_parts
from harness.wire.prompts import join_text, take_system_prompt
from harness.wire.schemas import OPENAI, narrow
from harness.wire.shapes import count_at, object_at, objects_at, text_at, without_nulls

__all__ = ["PATH", "encode", "fold", "read_reply", "read_request", "read_usage", "text_delta"]

PATH = "/chat/completions"

_WITH_USAGE: JsonObject = {"include_usage": True}
_STOPS = {
    "stop": StopReason.END,
    "tool_calls": StopReason.TOOL_CALLS,
    "function_call": StopReason.TOOL_CALLS,
    "length": StopReason.LENGTH,
    "content_filter": StopReason.CONTENT_FILTER,
}


def encode(request: ModelRequest) -> JsonObject:
    """The request's body."""
    system: list[JsonValue] = [{"role": "system", "content": request.system}] if request.system else []
    body: JsonObject = {"model": request.model, "messages": system + [_encode_message(m) for m in request.messages]}
    if request.tools:
        body["tools"] = [{"type": "function", "function": _encode_tool(tool)} for tool in request.tools]
    if request.output:
        schema: JsonObject = {
            "name": request.output.name,
            "schema": narrow(request.output.schema_, OPENAI),
            "strict": True,
        }
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.stream:
        body |= {"stream": True, "stream_options": _WITH_USAGE}
    return body | request.settings


def read_request(body: JsonObject) -> ModelRequest:
    """What a body asks for. Raises :class:`ValueError` where it is no request of this protocol."""
    settings = dict(body)
    messages = settings.pop("messages", None)
    if not isinstance(messages, list):
        raise ValueError("the body has no list of messages")
    system, conversation = take_system_prompt(messages)
    stream = settings.pop("stream", None) is True
    if stream and settings.get("stream_options") == _WITH_USAGE:
        del settings["stream_options"]
    output = _read_output(object_at(body, "response_format"))
    if output:
        del settings["response_format"]
    settings.pop("tools", None)
    settings.pop("model", None)
    return ModelRequest(
        model=text_at(body, "model"),
        system=system.text,
        messages=_read_messages(conversation),
        tools=tuple(_read_tool(tool) for tool in objects_at(body, "tools")),
        output=output,
        settings=settings,
        stream=stream,
    )


def read_reply(body: JsonValue) -> ModelReply:
    """The first choice of a reply. Raises the :class:`harness.errors.ProviderError` that it stands for."""
    if not isinstance(body, dict):
        raise broken_reply(f"it is no JSON object: {str(body)[:80]!r}")
    if body.get("error"):
        raise classify(None, body)
    choice = next(iter(objects_at(body, "choices")), None)
    if choice is None or not isinstance(choice.get("message"), dict):
        raise broken_reply("it holds no choice with a message")
    raw = object_at(choice, "message")
    refusal = text_at(raw, "refusal")
    calls = chat_calls(raw)
    stop = _STOPS.get(text_at(choice, "finish_reason"), StopReason.OTHER)
    if refusal:
        stop = StopReason.REFUSAL
    elif calls and stop is StopReason.END:
        stop = StopReason.TOOL_CALLS  # some servers say `stop` whatever happened
    return ModelReply(
        id=text_at(body, "id"),
        model=text_at(body, "model"),
        message=AssistantMessage(
            text=join_text(raw.get("content"), "") or refusal, tool_calls=calls, parts=chat_parts(raw)
        ),
        stop=stop,
        usage=read_usage(body),
    )


def fold(events: Iterable[JsonObject]) -> JsonObject:
    """The whole reply that a stream's chunks add up to.

    Raises the :class:`harness.errors.ProviderError` of an error inside the stream, or
    :class:`harness.errors.TransientError` where the stream ends without a finish reason.
    """
    body: JsonObject = {"object": "chat.completion"}
    message: JsonObject = {"role": "assistant", "content": None, "refusal": None}
    calls: dict[int, JsonObject] = {}
    finish: JsonValue = None
    for event in events:
        if event.get("error"):
            raise classify(None, event)
        body |= without_nulls({key: event.get(key) for key in ("id", "created", "model", "usage")})
        choice = next((c for c in objects_at(event, "choices") if count_at(c, "index") == 0), {})
        delta = object_at(choice, "delta")
        for key in ("content", "refusal"):
            if piece := text_at(delta, key):
                message[key] = text_at(message, key) + piece
        for piece_of_call in objects_at(delta, "tool_calls"):
            _add_call(calls, piece_of_call)
        finish = choice.get("finish_reason") or finish
    if finish is None:
        raise broken_reply("the stream ends before its last frame")
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    body["choices"] = [{"index": 0, "message": message, "finish_reason": finish}]
    return body


def text_delta(event: JsonObject) -> str | None:
    """The answer's next piece of text, where the chunk brings one."""
    choice = next(iter(objects_at(event, "choices")), {})
    return text_at(object_at(choice, "delta"), "content") or None


def _encode_message(message: Message) -> JsonValue:
    if isinstance(message, UserMessage):
        return {"role": "user", "content": message.text}
    if isinstance(message, ToolResult):
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.content}
    if not message.tool_calls:
        return {"role": "assistant", "content": message.text}
    calls: list[JsonValue] = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.tool_calls
    ]
    return {"role": "assistant", "content": message.text or None, "tool_calls": calls}


def _encode_tool(tool: ToolDefinition) -> JsonObject:
    return {"name": tool.name, "description": tool.description, "parameters": tool.parameters}


def _read_messages(items: Sequence[JsonValue]) -> tuple[Message, ...]:
    names: dict[str, str] = {}
    messages: list[Message] = []
    for item in items:
        role = text_at(item, "role")
        content = item.get("content") if isinstance(item, dict) else None
        if role == "assistant" and isinstance(item, dict):
            calls = chat_calls(item)
            names |= {call.id: call.name for call in calls}
            text = join_text(content, "") or text_at(item, "refusal")
            messages.append(AssistantMessage(text=text, tool_calls=calls, parts=chat_parts(item)))
        elif role in ("tool", "function"):
            call_id = text_at(item, "tool_call_id")
            name = names.get(call_id) or text_at(item, "name")
            messages.append(ToolResult(call_id=call_id, name=name, content=join_text(content, "\n")))
        else:
            messages.append(UserMessage(text=join_text(content, "\n")))
    return tuple(messages)


def _read_tool(item: JsonObject) -> ToolDefinition:
    inner = object_at(item, text_at(item, "type"))
    name = text_at(inner, "name") or text_at(item, "type")
    return ToolDefinition(
        name=name, description=text_at(inner, "description"), parameters=object_at(inner, "parameters")
    )


def _read_output(form: JsonObject) -> OutputSchema | None:
    """The schema, if all of it is what we would write; else it stays among the settings."""
    inner = object_at(form, "json_schema")
    if form.get("type") != "json_schema" or inner.keys() != {"name", "schema", "strict"} or not inner["strict"]:
        return None
    return OutputSchema(name=text_at(inner, "name"), schema=object_at(inner, "schema"))


def read_usage(body: JsonObject) -> Usage | None:
    """The tokens that a body speaks of; None where it does not."""
    usage = object_at(body, "usage")
    if not usage:
        return None
    prompt = object_at(usage, "prompt_tokens_details")
    return Usage(
        input_tokens=count_at(usage, "prompt_tokens"),
        output_tokens=count_at(usage, "completion_tokens"),
        cached_input_tokens=count_at(prompt, "cached_tokens"),
        cache_write_tokens=count_at(prompt, "cache_write_tokens"),
        reasoning_tokens=count_at(object_at(usage, "completion_tokens_details"), "reasoning_tokens"),
    )


def _add_call(calls: dict[int, JsonObject], piece: JsonObject) -> None:
    """Join a piece of a tool call to the pieces before it."""
    call = calls.setdefault(count_at(piece, "index"), {"id": "", "type": "function"})
    call |= {key: value for key in ("id", "type") if (value := text_at(piece, key))}
    for kind, body in (("function", "arguments"), ("custom", "input")):
        if part := object_at(piece, kind):
            whole = object_at(call, kind)
            name = text_at(whole, "name") or text_at(part, "name")
            call[kind] = {"name": name, body: text_at(whole, body) + text_at(part, body)}
