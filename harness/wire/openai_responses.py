"""OpenAI Responses, used without the provider's memory.

Each request carries the whole conversation and says ``store: false``, because a conversation that the provider
remembers can't be recorded again from the middle, and an organization with zero data retention has no memory at all.
Reasoning then has to travel as encrypted content, which has to be asked for; models that don't reason refuse that.
Where a reasoning model's name is not known as one, its reasoning is left out of the next request; all else still works.
"""

from __future__ import annotations

import re
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
from harness.wire.client_items import client_call, client_result, client_words, offered_tools
from harness.wire.failures import broken_reply, classify
from harness.wire.parts import responses_parts
from harness.wire.prompts import join_text, take_system_prompt
from harness.wire.provider_tools import is_provider_tool, is_result
from harness.wire.schemas import OPENAI, narrow
from harness.wire.shapes import drop_format, items_at, object_at, objects_at, text_at
from harness.wire.usage import billing_terms, read_usage

__all__ = ["ITEMS", "PATH", "encode", "read_reply", "read_request"]

PATH = "/responses"

_REASONING_MODEL = re.compile(r"(?!.*chat)(.*/)?(o[1-9]|gpt-([5-9]|\d\d)|codex)")
_OWN_MEMORY = {"background", "conversation", "previous_response_id", "store"}
ITEMS = frozenset(
    {
        "additional_tools",
        "apply_patch_call",
        "apply_patch_call_output",
        "code_interpreter_call",
        "compaction",
        "computer_call",
        "computer_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "file_search_call",
        "function_call",
        "function_call_output",
        "image_generation_call",
        "local_shell_call",
        "local_shell_call_output",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "mcp_list_tools",
        "message",
        "program",
        "program_output",
        "reasoning",
        "shell_call",
        "shell_call_output",
        "tool_search_call",
        "tool_search_output",
        "web_search_call",
    }
)
"""The output items that we know."""
_PLAIN_MESSAGE = {"id", "type", "status", "role", "content"}
_PLAIN_CALL = {"id", "type", "status", "call_id", "name", "arguments"}


def encode(request: ModelRequest) -> JsonObject:
    """The request's body."""
    body: JsonObject = {
        "model": request.model,
        "input": [item for message in request.messages for item in _encode_message(message)],
    }
    if request.system:
        body["instructions"] = request.system
    if request.tools:
        body["tools"] = [_encode_tool(tool) for tool in request.tools]
    if request.stream:
        body["stream"] = True
    body |= _memory(request.model, request.settings) | request.settings
    if request.output:
        schema = narrow(request.output.schema_, OPENAI)
        form: JsonObject = {"type": "json_schema", "name": request.output.name, "schema": schema, "strict": True}
        body["text"] = {**object_at(body, "text"), "format": form}
    return body


def read_request(body: JsonObject) -> ModelRequest:
    """What a body asks for. Raises :class:`ValueError` where it is no request of this protocol."""
    settings = dict(body)
    given = settings.pop("input", None)
    items: JsonValue = [{"role": "user", "content": given}] if isinstance(given, str) else given or []
    if not isinstance(items, list):
        raise ValueError("the body's input is neither text nor a list")
    system, conversation = take_system_prompt(items)
    for key in ("instructions", "model", "tools"):
        settings.pop(key, None)
    stream = settings.pop("stream", None) is True
    model = text_at(body, "model")
    memory = _memory(model, {key: value for key, value in settings.items() if key != "store"})
    if memory and memory.items() <= settings.items():
        settings = {key: value for key, value in settings.items() if key not in memory}
    return ModelRequest(
        model=model,
        system="\n\n".join(filter(None, (text_at(body, "instructions"), system.text))),
        messages=_read_messages(conversation),
        tools=tuple(_read_tool(tool) for tool in offered_tools(body)),
        output=_take_output(settings),
        settings=settings,
        stream=stream,
    )


def read_reply(body: JsonValue) -> ModelReply:
    """A whole response. Raises the :class:`harness.errors.ProviderError` that it stands for."""
    if not isinstance(body, dict):
        raise broken_reply(f"it is no JSON object: {str(body)[:80]!r}")
    if body.get("error"):
        raise classify(None, body)
    items = body.get("output")
    if not isinstance(items, list):
        raise broken_reply("it holds no list of output items")
    if not items and body.get("status") == "completed":
        raise broken_reply("it is completed and holds no output")
    kept = items if body.get("store") is True else [item for given in items for item in _detach(given)]
    message = _read_assistant(kept).model_copy(update={"parts": responses_parts(items)})
    took = read_usage(body)
    return ModelReply(
        id=text_at(body, "id"),
        model=text_at(body, "model"),
        message=message,
        stop=_read_stop(body, message, items),
        usage=took.usage,
        usage_unknown=took.unknown,
        terms=billing_terms(body),
        unread=tuple(dict.fromkeys(_unread(body, items))),
    )


def _unread(body: JsonObject, items: Sequence[JsonValue]) -> Iterator[str]:
    for item in items:
        kind = text_at(item, "type")
        if kind not in ITEMS:
            yield f"an output item of type `{kind or 'unknown'}`"
    if body.get("background") is True and body.get("status") in ("queued", "in_progress"):
        yield "a background response that was not seen to end"


def _memory(model: str, settings: JsonObject) -> JsonObject:
    """The fields that keep the provider from remembering, unless the settings say what to remember."""
    if settings.keys() & _OWN_MEMORY:
        return {}
    if _REASONING_MODEL.match(model):
        return {"store": False, "include": ["reasoning.encrypted_content"]}
    return {"store": False}


def _detach(item: JsonValue) -> list[JsonValue]:
    """An output item as it may be sent to a provider that did not store it: without a name to look it up by."""
    if not isinstance(item, dict):
        return [item]
    if item.get("type") == "reasoning":
        return [item] if item.get("encrypted_content") else []
    return [{key: value for key, value in item.items() if key != "id"}]


def _encode_message(message: Message) -> list[JsonValue]:
    if isinstance(message, UserMessage):
        return [{"role": "user", "content": message.text}]
    if isinstance(message, ToolResult):
        return [{"type": "function_call_output", "call_id": message.call_id, "output": message.content}]
    if message.raw:
        return list(message.raw)
    said: list[JsonValue] = [{"role": "assistant", "content": message.text}] if message.text else []
    return said + [
        {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ]


def _encode_tool(tool: ToolDefinition) -> JsonValue:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": False,  # this API's default is true, which refuses optional parameters
    }


def _read_messages(items: Sequence[JsonValue]) -> tuple[Message, ...]:
    names: dict[str, str] = {}
    messages: list[Message] = []
    pending: list[JsonValue] = []

    def close() -> None:
        if pending:
            message = _read_assistant(pending)
            names.update({call.id: call.name for call in message.tool_calls})
            messages.append(message)
            pending.clear()

    ran = {text_at(item, "call_id") for item in items if isinstance(item, dict) and is_provider_tool(item)}
    for item in items:
        if isinstance(item, dict) and is_result(item) and text_at(item, "call_id") not in ran:
            close()
            messages.append(client_result(item, names))
        elif isinstance(item, dict) and (words := client_words(item)):
            close()
            messages.append(words)
        else:
            pending.append(item)
    close()
    return tuple(messages)


def _read_assistant(items: Sequence[JsonValue]) -> AssistantMessage:
    calls = []
    texts = []
    for item in items:
        if call := client_call(item) if isinstance(item, dict) else None:
            calls.append(call)
        elif text_at(item, "role") == "assistant" and isinstance(item, dict):
            texts.append(_message_text(item.get("content")))
    text = "".join(texts)
    if _is_plain(items):
        return AssistantMessage(text=text, tool_calls=tuple(calls))
    return AssistantMessage(text=text, tool_calls=tuple(calls), parts=responses_parts(items), raw=tuple(items))


def _message_text(content: JsonValue) -> str:
    if not isinstance(content, list):
        return join_text(content, "")
    return "".join(text_at(part, "text") or text_at(part, "refusal") for part in content)


def _is_plain(items: Sequence[JsonValue]) -> bool:
    """Whether text and tool calls say it all: one message at most, before the calls, and nothing beside them."""
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            return False
        if text_at(item, "role") == "assistant" and number == 0:
            content = item.get("content")
            parts = objects_at(item, "content")
            one_text = len(parts) == 1 and parts[0].get("type") != "refusal" and not parts[0].get("annotations")
            if not item.keys() <= _PLAIN_MESSAGE or not (isinstance(content, str) or one_text):
                return False
        elif item.get("type") != "function_call" or not item.keys() <= _PLAIN_CALL:
            return False
    return True


def _read_tool(item: JsonObject) -> ToolDefinition:
    return ToolDefinition(
        name=text_at(item, "name") or text_at(item, "type"),
        description=text_at(item, "description"),
        parameters=object_at(item, "parameters"),
    )


def _take_output(settings: JsonObject) -> OutputSchema | None:
    form = object_at(object_at(settings, "text"), "format")
    if form.keys() != {"type", "name", "schema", "strict"} or not form["strict"]:
        return None  # not all of it is what we would write: it stays among the settings
    drop_format(settings, "text")
    return OutputSchema(name=text_at(form, "name"), schema=object_at(form, "schema"))


def _read_stop(body: JsonObject, message: AssistantMessage, items: Sequence[JsonValue]) -> StopReason:
    reason = text_at(object_at(body, "incomplete_details"), "reason")
    if reason == "max_output_tokens":
        return StopReason.LENGTH
    if reason == "content_filter":
        return StopReason.CONTENT_FILTER
    if body.get("status") != "completed":
        return StopReason.OTHER
    if any(text_at(part, "type") == "refusal" for item in items for part in items_at(item, "content")):
        return StopReason.REFUSAL
    return StopReason.TOOL_CALLS if message.tool_calls else StopReason.END
