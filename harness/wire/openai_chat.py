"""OpenAI Chat Completions, and everything that speaks it."""

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
    ToolDefinition,
    ToolResult,
    UserMessage,
)
from harness.wire.failures import broken_reply, classify
from harness.wire.parts import chat_calls, chat_parts
from harness.wire.prompts import join_text, take_system_prompt
from harness.wire.schemas import OPENAI, narrow
from harness.wire.shapes import object_at, objects_at, text_at
from harness.wire.usage import billing_terms, read_usage

__all__ = ["PATH", "encode", "read_reply", "read_request"]

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
        tools=tuple(_read_tool(tool) for tool in (*objects_at(body, "tools"), *objects_at(body, "functions"))),
        output=output,
        settings=settings,
        stream=stream,
    )


def read_reply(body: JsonValue) -> ModelReply:
    """A reply with all its choices. Raises the :class:`harness.errors.ProviderError` that it stands for."""
    if not isinstance(body, dict):
        raise broken_reply(f"it is no JSON object: {str(body)[:80]!r}")
    if body.get("error"):
        raise classify(None, body)
    choices = objects_at(body, "choices")
    messages = [_message_of(choice) for choice in choices]
    if not choices or (messages[0] is None and not choices[0].get("finish_reason")):
        raise broken_reply("it holds no choice with a message")
    first, *others = [_read_message(message or {}) for message in messages]
    took = read_usage(body)
    return ModelReply(
        id=text_at(body, "id"),
        model=text_at(body, "model"),
        message=first,
        others=tuple(others),
        stop=_read_stop(choices[0], messages[0] or {}, first),
        usage=took.usage,
        usage_unknown=took.unknown,
        terms=billing_terms(body),
        unread=tuple(dict.fromkeys(note for message in messages for note in _unread_calls(message or {}))),
    )


def _message_of(choice: JsonObject) -> JsonObject | None:
    """A choice's message; None where there is none, as when a filter stopped it before the first word."""
    message = choice.get("message", choice.get("delta"))  # some servers answer with the form of a stream
    return message if isinstance(message, dict) else None


def _read_message(message: JsonObject) -> AssistantMessage:
    text = _said(message.get("content")) or text_at(message, "refusal")
    return AssistantMessage(text=text, tool_calls=chat_calls(message), parts=chat_parts(message))


def _said(content: JsonValue) -> str:
    """The text of an answer, without its thoughts."""
    if isinstance(content, list):
        return "".join(text_at(part, "text") for part in content)
    return content if isinstance(content, str) else ""


def _read_stop(choice: JsonObject, raw: JsonObject, message: AssistantMessage) -> StopReason:
    if text_at(raw, "refusal"):
        return StopReason.REFUSAL
    stop = _STOPS.get(text_at(choice, "finish_reason"), StopReason.OTHER)
    if message.tool_calls and stop is StopReason.END:
        return StopReason.TOOL_CALLS  # some servers say `stop` whatever happened
    return stop


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
            text = _said(content) or text_at(item, "refusal")
            messages.append(AssistantMessage(text=text, tool_calls=calls, parts=chat_parts(item)))
        elif role in ("tool", "function"):  # the latter belongs to the calls before `tools`, which have no ids
            call_id = text_at(item, "tool_call_id")
            name = names.get(call_id, "") or text_at(item, "name")
            messages.append(ToolResult(call_id=call_id, name=name, content=join_text(content, "\n")))
        else:
            messages.append(UserMessage(text=join_text(content, "\n")))
    return tuple(messages)


def _unread_calls(message: JsonObject) -> Iterator[str]:
    for call in objects_at(message, "tool_calls"):
        if not chat_calls({"tool_calls": [call]}):
            yield f"a tool call of type `{text_at(call, 'type') or 'unknown'}` without a name"
    if message.get("tool_calls") and not isinstance(message["tool_calls"], list):
        yield "`tool_calls` that are no list"


def _read_tool(item: JsonObject) -> ToolDefinition:
    inner = object_at(item, text_at(item, "type")) or item
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
