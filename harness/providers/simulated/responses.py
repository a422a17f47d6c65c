"""OpenAI Responses: requests in, responses and their events out."""

from __future__ import annotations

from collections.abc import Iterator

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

__all__ = ["Responses"]


class Responses(OpenAIProvider):
    """``POST /v1/responses``, with the memory that ``previous_response_id`` needs."""

    api = Api.OPENAI_RESPONSES
    path = "/v1/responses"

    def __init__(self) -> None:
        self._stored: dict[str, list[JsonObject]] = {}

    def read(self, body: JsonObject) -> ModelRequest:
        """Read a request. Raises :class:`RejectedError` for what the provider would refuse."""
        if not text_at(body, "model"):
            raise missing("model")
        items = self._items(body)
        _check_calls(items)
        instructions = [text_at(body, "instructions")]
        instructions += [joined_text(item) for item in items if item.get("role") in ("system", "developer")]
        return ModelRequest(
            model=text_at(body, "model"),
            system="\n\n".join(text for text in instructions if text),
            messages=tuple(_messages(items)),
            tools=tuple(_tools(body)),
            output=_output(body),
            stream=body.get("stream") is True,
        )

    def whole(self, body: JsonObject, reply: Reply) -> bytes:
        """The body of a plain response."""
        return pretty_json(self._finished(body, reply))

    def events(self, body: JsonObject, reply: Reply) -> Iterator[bytes]:
        """The events of a streamed response, numbered."""
        for number, event in enumerate(self._events(body, reply)):
            yield server_sent({**event, "sequence_number": number}, named=True)

    def _events(self, body: JsonObject, reply: Reply) -> Iterator[JsonObject]:
        begun = _response(body, reply, "in_progress", [])
        yield {"type": "response.created", "response": begun}
        yield {"type": "response.in_progress", "response": begun}
        index = 0
        if reply.text:
            yield from _message_events(reply, index)
            index += 1
        for number, call in enumerate(reply.calls):
            yield from _call_events(reply, number, call, index + number)
        finished = self._finished(body, reply)
        yield {"type": f"response.{finished['status']}", "response": finished}

    def _finished(self, body: JsonObject, reply: Reply) -> JsonObject:
        output: list[JsonObject] = [_message_item(reply, _status(reply))] if reply.text else []
        output += [_call_item(reply, number, call, "completed") for number, call in enumerate(reply.calls)]
        if body.get("store") is not False:
            self._stored[_response_id(reply)] = [*self._items(body), *output]
        return _response(body, reply, _status(reply), output)

    def _items(self, body: JsonObject) -> list[JsonObject]:
        """The whole conversation: what was stored, and what this request adds."""
        previous = text_at(body, "previous_response_id")
        if previous and previous not in self._stored:
            text = f"Previous response with id '{previous}' not found."
            raise RejectedError(400, text, param="previous_response_id", code="previous_response_not_found")
        if "input" not in body and not previous:
            text = "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided."
            raise RejectedError(400, text, param="input", code="missing_required_parameter")
        said = body.get("input")
        added = [{"role": "user", "content": said}] if isinstance(said, str) else objects_at(body, "input")
        return [*self._stored.get(previous, []), *added]


def _check_calls(items: list[JsonObject]) -> None:
    asked = {text_at(item, "call_id") for item in items if item.get("type") == "function_call"}
    answered = {text_at(item, "call_id") for item in items if item.get("type") == "function_call_output"}
    for call in sorted(answered - asked):
        text = f"No tool call found for function call output with call_id {call}."
        raise RejectedError(400, text, param="input")
    for call in sorted(asked - answered):
        raise RejectedError(400, f"No tool output found for function call {call}.", param="input")


def _messages(items: list[JsonObject]) -> Iterator[Message]:
    for item in items:
        kind = item.get("type", "message")
        if kind == "function_call":
            call = ToolCall(
                id=text_at(item, "call_id"), name=text_at(item, "name"), arguments=text_at(item, "arguments")
            )
            yield AssistantMessage(tool_calls=(call,))
        elif kind == "function_call_output":
            output = text_at(item, "output") or joined_text({"content": item.get("output")})
            yield ToolResult(call_id=text_at(item, "call_id"), content=output)
        elif kind == "message" and item.get("role") == "assistant":
            yield AssistantMessage(text=joined_text(item))
        elif kind == "message" and item.get("role") == "user":
            yield UserMessage(text=joined_text(item))


def _tools(body: JsonObject) -> Iterator[ToolDefinition]:
    for number, tool in enumerate(objects_at(body, "tools")):
        if tool.get("type") != "function":
            continue
        if not text_at(tool, "name"):
            raise missing(f"tools[{number}].name")
        yield ToolDefinition(
            name=text_at(tool, "name"),
            description=text_at(tool, "description"),
            parameters=object_at(tool, "parameters"),
        )


def _output(body: JsonObject) -> OutputSchema | None:
    asked = object_at(object_at(body, "text"), "format")
    if asked.get("type") != "json_schema":
        return None
    if not text_at(asked, "name"):
        raise missing("text.format.name")
    return OutputSchema(name=text_at(asked, "name"), schema=object_at(asked, "schema"))


def _message_events(reply: Reply, index: int) -> Iterator[JsonObject]:
    item_id = _message_id(reply)
    refused = reply.stop is StopReason.REFUSAL
    kind = "refusal" if refused else "output_text"
    place: JsonObject = {"content_index": 0, "item_id": item_id, "output_index": index}
    probabilities: JsonObject = {} if refused else {"logprobs": []}
    opened: JsonObject = {
        "id": item_id,
        "type": "message",
        "status": "in_progress",
        "content": [],
        "role": "assistant",
    }
    yield {"type": "response.output_item.added", "item": opened, "output_index": index}
    yield {"type": "response.content_part.added", **place, "part": _part(reply, "")}
    for piece in tokens(reply.text):
        yield {"type": f"response.{kind}.delta", **place, "delta": piece, **probabilities}
    whole: JsonObject = {"refusal": reply.text} if refused else {"text": reply.text}
    yield {"type": f"response.{kind}.done", **place, **probabilities, **whole}
    yield {"type": "response.content_part.done", **place, "part": _part(reply, reply.text)}
    done = _message_item(reply, _status(reply))
    yield {"type": "response.output_item.done", "item": done, "output_index": index}


def _call_events(reply: Reply, number: int, call: ScriptedCall, index: int) -> Iterator[JsonObject]:
    done = _call_item(reply, number, call, "completed")
    place: JsonObject = {"item_id": done["id"], "output_index": index}
    opened: JsonObject = {**done, "status": "in_progress", "arguments": ""}
    yield {"type": "response.output_item.added", "item": opened, "output_index": index}
    arguments = arguments_text(call)
    for fragment in fragments(tokens(arguments), 1):
        yield {"type": "response.function_call_arguments.delta", "delta": fragment, **place}
    yield {"type": "response.function_call_arguments.done", "arguments": arguments, **place}
    yield {"type": "response.output_item.done", "item": done, "output_index": index}


def _message_item(reply: Reply, status: str) -> JsonObject:
    return {
        "id": _message_id(reply),
        "type": "message",
        "status": status,
        "content": [_part(reply, reply.text)],
        "role": "assistant",
    }


def _part(reply: Reply, text: str) -> JsonObject:
    if reply.stop is StopReason.REFUSAL:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _call_item(reply: Reply, number: int, call: ScriptedCall, status: str) -> JsonObject:
    return {
        "id": f"fc_{reply.ids.hexadecimal(50, 'function', number)}",
        "type": "function_call",
        "status": status,
        "arguments": arguments_text(call),
        "call_id": f"call_{reply.ids.base62(24, 'call', number)}",
        "name": call.tool,
    }


def _response_id(reply: Reply) -> str:
    return f"resp_{reply.ids.hexadecimal(50, 'response')}"


def _message_id(reply: Reply) -> str:
    return f"msg_{reply.ids.hexadecimal(50, 'message')}"


def _status(reply: Reply) -> str:
    return "incomplete" if reply.stop is StopReason.LENGTH else "completed"


def _response(body: JsonObject, reply: Reply, status: str, output: list[JsonObject]) -> JsonObject:
    ended = status != "in_progress"
    reasoning = object_at(body, "reasoning")
    return {
        "id": _response_id(reply),
        "object": "response",
        "created_at": reply.created,
        "status": status,
        "background": False,
        "completed_at": reply.created + 1 if status == "completed" else None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls"),
        "model": reply.model,
        "output": [*output],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "presence_penalty": 0.0,
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "prompt_cache_retention": body.get("prompt_cache_retention"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": "default" if ended else "auto",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": _echoed_text(object_at(body, "text")),
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": [_echoed(tool) for tool in items_at(body, "tools")],
        "top_logprobs": body.get("top_logprobs", 0),
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation", "disabled"),
        "usage": _usage(reply) if ended else None,
        "user": body.get("user"),
        "metadata": object_at(body, "metadata"),
    }


def _echoed_text(text: JsonObject) -> JsonObject:
    asked = object_at(text, "format") or {"type": "text"}
    form = {"description": None, "strict": True, **asked} if asked.get("type") == "json_schema" else asked
    return {"verbosity": "medium", **text, "format": form}


def _echoed(tool: JsonValue) -> JsonValue:
    """Tools come back with their defaults filled in."""
    if not isinstance(tool, dict) or tool.get("type") != "function":
        return tool
    return {"type": "function", "description": None, "strict": True, **tool}


def _usage(reply: Reply) -> JsonObject:
    usage = reply.usage
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }
