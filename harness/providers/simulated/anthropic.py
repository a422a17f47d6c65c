"""Anthropic Messages: requests in, messages and their events out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from pydantic import JsonValue

from harness.providers.simulated.dialect import compact_json, fragments, server_sent
from harness.providers.simulated.identifiers import Identifiers
from harness.providers.simulated.reply import RejectedError, Reply, arguments_text, tokens
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

__all__ = ["Messages"]

_LIMITS = {"requests": 4_000, "input-tokens": 400_000, "output-tokens": 80_000, "tokens": 480_000}
_TOKENS_IN_A_DELTA = 5
_STOPS = {StopReason.LENGTH: "max_tokens", StopReason.REFUSAL: "refusal", StopReason.TOOL_CALLS: "tool_use"}
_USUAL: dict[int, tuple[str, str]] = {
    400: ("invalid_request_error", "Invalid request"),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "Not found"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    504: ("timeout_error", "The request timed out"),
    529: ("overloaded_error", "Overloaded"),
}
_WORTH_ANOTHER_TRY = (408, 409, 429)


class Messages:
    """``POST /v1/messages``."""

    api = Api.ANTHROPIC_MESSAGES
    path = "/v1/messages"

    def admit(self, headers: Mapping[str, str]) -> None:
        """Any key that is not empty will do. Raises :class:`RejectedError`."""
        bearer = headers.get("authorization", "").partition(" ")[2]
        if not headers.get("x-api-key", "").strip() and not bearer.strip():
            raise RejectedError(401, "x-api-key header is required")
        if not headers.get("anthropic-version"):
            raise RejectedError(400, "anthropic-version: header is required")

    def read(self, body: JsonObject) -> ModelRequest:
        """Read a request. Raises :class:`RejectedError` for what the provider would refuse."""
        for field in ("model", "max_tokens", "messages"):
            if field not in body:
                raise RejectedError(400, f"{field}: Field required")
        if not isinstance(body["max_tokens"], int) or body["max_tokens"] < 1:
            raise RejectedError(400, "max_tokens: Input should be greater than or equal to 1")
        raw = [_object(item, number) for number, item in enumerate(items_at(body, "messages"))]
        if not raw:
            raise RejectedError(400, "messages: at least one message is required")
        _check_tool_blocks(raw)
        return ModelRequest(
            model=text_at(body, "model"),
            system=_text(body, "system"),
            messages=tuple(message for item in raw for message in _messages(item)),
            tools=tuple(_tools(body)),
            output=_output(body),
            stream=body.get("stream") is True,
        )

    def whole(self, body: JsonObject, reply: Reply) -> bytes:
        """The body of a plain response."""
        content = [_text_block(reply.text)] if reply.text else []
        content += [_call_block(reply, number, _arguments(reply, number)) for number in range(len(reply.calls))]
        return compact_json(_message(reply, content, _ending(reply), _usage(reply))).encode()

    def events(self, body: JsonObject, reply: Reply) -> Iterator[bytes]:
        """The events of a streamed response."""
        return (server_sent(event, named=True) for event in _events(reply))

    def success_headers(self, reply: Reply) -> list[tuple[str, str]]:
        """Request id and rate limits."""
        reset = datetime.fromtimestamp(reply.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        spent = {
            "requests": 1,
            "input-tokens": reply.usage.input_tokens,
            "output-tokens": reply.usage.output_tokens,
            "tokens": reply.usage.total_tokens,
        }
        headers = [("anthropic-organization-id", "simulated"), ("request-id", _request_id(reply.ids))]
        for name, limit in _LIMITS.items():
            headers.append((f"anthropic-ratelimit-{name}-limit", str(limit)))
            headers.append((f"anthropic-ratelimit-{name}-remaining", str(max(limit - spent[name], 0))))
            headers.append((f"anthropic-ratelimit-{name}-reset", reset))
        return headers

    def refuse(self, rejection: RejectedError, ids: Identifiers) -> tuple[list[tuple[str, str]], bytes]:
        """Headers and body of an error."""
        again = rejection.status in _WORTH_ANOTHER_TRY or rejection.status >= 500
        headers = [("request-id", _request_id(ids)), ("x-should-retry", "true" if again else "false")]
        if rejection.retry_after is not None:
            headers.append(("retry-after", f"{rejection.retry_after:g}"))
        fallback = ("api_error", "Internal server error") if again else ("invalid_request_error", "Invalid request")
        kind, message = _USUAL.get(rejection.status, fallback)
        error: JsonObject = {"type": kind, "message": rejection.message or message}
        return headers, compact_json({"type": "error", "error": error, "request_id": _request_id(ids)}).encode()


def _object(item: JsonValue, number: int) -> JsonObject:
    if not isinstance(item, dict):
        raise RejectedError(400, f"messages.{number}: Input should be an object")
    role = item.get("role")
    if role == "system":
        text = 'Unexpected role "system". The Messages API accepts a top-level `system` parameter'
        raise RejectedError(400, f'messages: {text}, not "system" as an input message role.')
    if role not in ("user", "assistant"):
        raise RejectedError(400, f"messages.{number}.role: Input should be 'user' or 'assistant'")
    if "content" not in item:
        raise RejectedError(400, f"messages.{number}.content: Field required")
    return item


def _check_tool_blocks(messages: list[JsonObject]) -> None:
    asked: list[str] = []
    for number, message in enumerate(messages):
        blocks = objects_at(message, "content")
        answered = {
            text_at(block, "tool_use_id"): place for place, block in enumerate(blocks) if _is(block, "tool_result")
        }
        for call, place in answered.items():
            if call not in asked:
                what = f"messages.{number}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks"
                text = "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                raise RejectedError(400, f"{what}: {call}. {text}")
        _check_all_answered([call for call in asked if call not in answered], number - 1)
        asked = [text_at(block, "id") for block in blocks if _is(block, "tool_use")]
    _check_all_answered(asked, len(messages) - 1)


def _check_all_answered(calls: list[str], number: int) -> None:
    if calls:
        what = "`tool_use` ids were found without `tool_result` blocks immediately after"
        text = "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        raise RejectedError(400, f"messages.{number}: {what}: {', '.join(calls)}. {text}")


def _messages(item: JsonObject) -> Iterator[Message]:
    blocks = objects_at(item, "content")
    if item["role"] == "assistant":
        calls = tuple(
            ToolCall(id=text_at(block, "id"), name=text_at(block, "name"), arguments=compact_json(block.get("input")))
            for block in blocks
            if _is(block, "tool_use")
        )
        yield AssistantMessage(text=_text(item, "content"), tool_calls=calls)
        return
    for block in blocks:
        if _is(block, "tool_result"):
            yield ToolResult(
                call_id=text_at(block, "tool_use_id"),
                content=_text(block, "content"),
                is_error=block.get("is_error") is True,
            )
    text = _text(item, "content")
    if text or not any(_is(block, "tool_result") for block in blocks):
        yield UserMessage(text=text)


def _text(holder: JsonObject, field: str) -> str:
    """A text, or the texts of a list of blocks."""
    texts = [text_at(block, "text") for block in objects_at(holder, field) if _is(block, "text")]
    return text_at(holder, field) or "\n".join(texts)


def _is(block: JsonObject, kind: str) -> bool:
    return block.get("type") == kind


def _tools(body: JsonObject) -> Iterator[ToolDefinition]:
    for number, tool in enumerate(objects_at(body, "tools")):
        if tool.get("type", "custom") != "custom":
            continue
        for field in ("name", "input_schema"):
            if field not in tool:
                raise RejectedError(400, f"tools.{number}.custom.{field}: Field required")
        yield ToolDefinition(
            name=text_at(tool, "name"),
            description=text_at(tool, "description"),
            parameters=object_at(tool, "input_schema"),
        )


def _output(body: JsonObject) -> OutputSchema | None:
    asked = object_at(object_at(body, "output_config"), "format")
    if asked.get("type") != "json_schema":
        return None
    return OutputSchema(name="output", schema=object_at(asked, "schema"))


def _events(reply: Reply) -> Iterator[JsonObject]:
    usage = _usage(reply)
    begun: JsonObject = {**usage, "output_tokens": min(reply.usage.output_tokens, 3)}
    unended: JsonObject = dict.fromkeys(_ending(reply))
    yield {"type": "message_start", "message": _message(reply, [], unended, begun)}
    for index, (block, deltas) in enumerate(_blocks(reply)):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        if index == 0:
            yield {"type": "ping"}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    counts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    yield {
        "type": "message_delta",
        "delta": _ending(reply),
        "usage": {name: usage[name] for name in counts},
    }
    yield {"type": "message_stop"}


def _blocks(reply: Reply) -> Iterator[tuple[JsonObject, Iterator[JsonObject]]]:
    if reply.text:
        pieces = fragments(tokens(reply.text), _TOKENS_IN_A_DELTA)
        yield _text_block(""), ({"type": "text_delta", "text": piece} for piece in pieces)
    for number, call in enumerate(reply.calls):
        pieces = fragments(["", *tokens(arguments_text(call))], 1)
        yield _call_block(reply, number, {}), ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)


def _message(reply: Reply, content: list[JsonObject], ending: JsonObject, usage: JsonObject) -> JsonObject:
    return {
        "model": reply.model,
        "id": f"msg_01{reply.ids.base58(22, 'message')}",
        "type": "message",
        "role": "assistant",
        "content": [*content],
        **ending,
        "usage": usage,
    }


def _ending(reply: Reply) -> JsonObject:
    refused: JsonObject = {"type": "refusal", "category": None, "explanation": None}
    return {
        "stop_reason": _STOPS.get(reply.stop, "end_turn"),
        "stop_sequence": None,
        "stop_details": refused if reply.stop is StopReason.REFUSAL else None,
    }


def _text_block(text: str) -> JsonObject:
    return {"type": "text", "text": text}


def _call_block(reply: Reply, number: int, arguments: JsonValue) -> JsonObject:
    return {
        "type": "tool_use",
        "id": f"toolu_01{reply.ids.base58(22, 'call', number)}",
        "name": reply.calls[number].tool,
        "input": arguments,
        "caller": {"type": "direct"},
    }


def _arguments(reply: Reply, number: int) -> JsonValue:
    """This protocol sends arguments parsed; a text that is no JSON can only be sent as a text."""
    arguments = reply.calls[number].arguments
    if not isinstance(arguments, str):
        return arguments
    try:
        parsed: JsonValue = json.loads(arguments)
    except json.JSONDecodeError:
        return arguments
    return parsed


def _usage(reply: Reply) -> JsonObject:
    """This protocol counts cached input apart."""
    usage = reply.usage
    return {
        "input_tokens": max(usage.input_tokens - usage.cached_input_tokens, 0),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": usage.output_tokens,
        "service_tier": "standard",
        "inference_geo": "not_available",
    }


def _request_id(ids: Identifiers) -> str:
    return f"req_011C{ids.base58(20, 'request')}"
