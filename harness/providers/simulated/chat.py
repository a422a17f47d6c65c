"""OpenAI Chat Completions: requests in, completions and chunks out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from harness.providers.simulated.dialect import fragments, server_sent
from harness.providers.simulated.openai import OpenAIProvider, joined_text, missing, pretty_json
from harness.providers.simulated.reply import RejectedError, Reply, arguments_text, tokens
from harness.providers.simulated.script import ScriptedCall
from harness.records.base import JsonObject
from harness.records.message import (
    Api,
    AssistantMessage,
    Message,
    ModelRequest,
    OutputSchema,
    StopReason,
    ToolCall,
    ToolDefinition,
    ToolResult,
    UserMessage,
)
from harness.wire.shapes import items_at, object_at, objects_at, text_at

__all__ = ["ChatCompletions"]

_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_FINISH = {StopReason.LENGTH: "length", StopReason.TOOL_CALLS: "tool_calls"}
_REASONING_MODELS = ("gpt-5", "o1", "o3", "o4")


class ChatCompletions(OpenAIProvider):
    """``POST /v1/chat/completions``."""

    api = Api.OPENAI_CHAT
    path = "/v1/chat/completions"

    def read(self, body: JsonObject) -> ModelRequest:
        """Read a request. Raises :class:`RejectedError` for what the provider would refuse."""
        if not text_at(body, "model"):
            raise RejectedError(400, "you must provide a model parameter")
        if "messages" not in body:
            raise missing("messages")
        raw = [_object(item, number) for number, item in enumerate(items_at(body, "messages"))]
        if not raw:
            text = "Invalid 'messages': empty array. Expected an array with minimum length 1."
            raise RejectedError(400, text, param="messages", code="empty_array")
        _check_tool_messages(raw)
        instructions = [joined_text(message) for message in raw if message["role"] in ("system", "developer")]
        return ModelRequest(
            model=text_at(body, "model"),
            system="\n\n".join(instructions),
            messages=tuple(_message(message) for message in raw if message["role"] not in ("system", "developer")),
            tools=tuple(_tools(body)),
            output=_output(body),
            stream=body.get("stream") is True,
        )

    def whole(self, body: JsonObject, reply: Reply) -> bytes:
        """The body of a plain response."""
        refused = reply.stop is StopReason.REFUSAL
        message: JsonObject = {"role": "assistant", "content": reply.text or None}
        if reply.calls:
            message["tool_calls"] = [
                {"id": _call_id(reply, number), "type": "function", "function": _function(call, arguments_text(call))}
                for number, call in enumerate(reply.calls)
            ]
        message |= {"refusal": reply.text, "content": None} if refused else {"refusal": None}
        message["annotations"] = []
        choice: JsonObject = {"index": 0, "message": message}
        choice |= _logprobs(reply)
        choice["finish_reason"] = _FINISH.get(reply.stop, "stop")
        completion: JsonObject = {**_envelope(reply, "chat.completion"), "choices": [choice], "usage": _usage(reply)}
        completion |= {"service_tier": completion.pop("service_tier"), "system_fingerprint": None}
        return pretty_json(completion)

    def events(self, body: JsonObject, reply: Reply) -> Iterator[bytes]:
        """The chunks of a streamed response, and the mark at its end."""
        with_usage = object_at(body, "stream_options").get("include_usage") is True
        head = {**_envelope(reply, "chat.completion.chunk"), "system_fingerprint": None}
        tail: JsonObject = {"usage": None} if with_usage else {}
        for delta in _deltas(reply):
            choice: JsonObject = {"index": 0, "delta": delta, **_logprobs(reply), "finish_reason": None}
            yield server_sent({**head, "choices": [choice], **tail}, named=False)
        last: JsonObject = {
            "index": 0,
            "delta": {},
            **_logprobs(reply),
            "finish_reason": _FINISH.get(reply.stop, "stop"),
        }
        yield server_sent({**head, "choices": [last], **tail}, named=False)
        if with_usage:
            yield server_sent({**head, "choices": [], "usage": _usage(reply)}, named=False)
        yield b"data: [DONE]\n\n"


def _object(item: JsonValue, number: int) -> JsonObject:
    if not isinstance(item, dict):
        text = f"Invalid type for 'messages[{number}]': expected an object, but got {type(item).__name__} instead."
        raise RejectedError(400, text, param=f"messages[{number}]", code="invalid_type")
    if "role" not in item:
        raise missing(f"messages[{number}].role")
    if item["role"] not in _ROLES:
        supported = ", ".join(f"'{role}'" for role in _ROLES[:-1])
        text = f"Invalid value: '{item['role']}'. Supported values are: {supported}, and '{_ROLES[-1]}'."
        raise RejectedError(400, text, param=f"messages[{number}].role", code="invalid_value")
    return item


def _check_tool_messages(messages: Sequence[JsonObject]) -> None:
    open_calls: list[str] = []
    asked: set[str] = set()
    for number, message in enumerate(messages):
        if message["role"] == "tool":
            call = text_at(message, "tool_call_id")
            if not call:
                raise missing(f"messages[{number}].tool_call_id")
            if call not in asked:
                text = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                raise RejectedError(400, f"Invalid parameter: {text}", param=f"messages.[{number}].role")
            open_calls = [known for known in open_calls if known != call]
            continue
        _check_all_answered(open_calls, number)
        open_calls = [text_at(call, "id") for call in objects_at(message, "tool_calls")]
        asked = set(open_calls)
    _check_all_answered(open_calls, len(messages))


def _check_all_answered(open_calls: list[str], number: int) -> None:
    if open_calls:
        text = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(open_calls)}"
        )
        raise RejectedError(400, text, param=f"messages.[{number}].role")


def _message(message: JsonObject) -> Message:
    if message["role"] == "assistant":
        calls = [(text_at(call, "id"), object_at(call, "function")) for call in objects_at(message, "tool_calls")]
        return AssistantMessage(
            text=joined_text(message) or text_at(message, "refusal"),
            tool_calls=tuple(
                ToolCall(id=call_id, name=text_at(function, "name"), arguments=text_at(function, "arguments"))
                for call_id, function in calls
            ),
        )
    if message["role"] == "tool":
        return ToolResult(call_id=text_at(message, "tool_call_id"), content=joined_text(message))
    return UserMessage(text=joined_text(message))


def _tools(body: JsonObject) -> Iterator[ToolDefinition]:
    for number, tool in enumerate(objects_at(body, "tools")):
        function = object_at(tool, "function")
        if tool.get("type") != "function":
            continue
        if not text_at(function, "name"):
            raise missing(f"tools[{number}].function.name")
        yield ToolDefinition(
            name=text_at(function, "name"),
            description=text_at(function, "description"),
            parameters=object_at(function, "parameters"),
        )


def _output(body: JsonObject) -> OutputSchema | None:
    asked = object_at(body, "response_format")
    if asked.get("type") != "json_schema":
        return None
    schema = object_at(asked, "json_schema")
    if not text_at(schema, "name"):
        raise missing("response_format.json_schema.name")
    return OutputSchema(name=text_at(schema, "name"), schema=object_at(schema, "schema"))


def _envelope(reply: Reply, kind: str) -> JsonObject:
    return {
        "id": f"chatcmpl-{reply.ids.base62(29, 'completion')}",
        "object": kind,
        "created": reply.created,
        "model": reply.model,
        "service_tier": "default",
    }


def _logprobs(reply: Reply) -> JsonObject:
    """Reasoning models leave the field out."""
    return {} if reply.model.startswith(_REASONING_MODELS) else {"logprobs": None}


def _deltas(reply: Reply) -> Iterator[JsonObject]:
    """A reply that is one call opens with it; else the role comes first, by itself."""
    opening: JsonObject = {"role": "assistant", "content": "" if reply.text else None}
    alone = len(reply.calls) == 1 and not reply.text
    if alone:
        opening["tool_calls"] = [_opened(reply, 0)]
    yield {**opening, "refusal": None}
    field = "refusal" if reply.stop is StopReason.REFUSAL else "content"
    for piece in tokens(reply.text):
        yield {field: piece}
    for number, call in enumerate(reply.calls):
        if not alone:
            yield {"tool_calls": [_opened(reply, number)]}
        for fragment in fragments(tokens(arguments_text(call)), 1):
            yield {"tool_calls": [{"index": number, "function": {"arguments": fragment}}]}


def _opened(reply: Reply, number: int) -> JsonObject:
    function = _function(reply.calls[number], "")
    return {"index": number, "id": _call_id(reply, number), "type": "function", "function": function}


def _call_id(reply: Reply, number: int) -> str:
    return f"call_{reply.ids.base62(24, 'call', number)}"


def _function(call: ScriptedCall, arguments: str) -> JsonObject:
    return {"name": call.tool, "arguments": arguments}


def _usage(reply: Reply) -> JsonObject:
    usage = reply.usage
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
