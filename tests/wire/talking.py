"""Exchanges with a model, built from the few facts that a test is about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from harness.records.exchange import Ending, Exchange, HttpRequest, HttpResponse
from harness.records.trace import Conversation, Event, ModelCall, ToolCalled

__all__ = ["asks", "calls_in", "conversations_in", "exchange", "says", "tool_calls_in", "tool_result", "user"]

SECOND = 1_000_000_000


def user(text: str) -> dict[str, Any]:
    """What the user says."""
    return {"role": "user", "content": text}


def says(text: str) -> dict[str, Any]:
    """What the model says."""
    return {"role": "assistant", "content": text}


def asks(*calls: tuple[str, str, Any], text: str | None = None) -> dict[str, Any]:
    """The model asks for tools: id, name and arguments of each."""
    made = [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for id_, name, arguments in calls
    ]
    return {"role": "assistant", "content": text, "tool_calls": made}


def tool_result(call_id: str, content: str) -> dict[str, Any]:
    """What a tool gave back."""
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def exchange(
    messages: Iterable[Any],
    reply: dict[str, Any] | None,
    *,
    at: float,
    took: float = 1,
    system: str = "",
    tools: Sequence[str] = (),
    status: int = 200,
    headers: Sequence[tuple[str, str]] = (),
    ending: Ending = Ending.COMPLETE,
    **fields: Any,
) -> Exchange:
    """One Chat Completions exchange, sent ``at`` seconds and over after ``took``; without a reply, a failure."""
    given = ([{"role": "system", "content": system}] if system else []) + list(messages)
    request: dict[str, Any] = {"model": "gpt-5-mini", "messages": given, **fields}
    if tools:
        request["tools"] = [
            {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in tools
        ]
    body: dict[str, Any] = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    if reply is not None:
        finish = "tool_calls" if reply.get("tool_calls") else "stop"
        body = {
            "id": f"chatcmpl-{at}",
            "model": "gpt-5-mini",
            "choices": [{"index": 0, "message": reply, "finish_reason": finish}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10},
        }
    return Exchange(
        request=HttpRequest(
            method="POST", uri="https://api.openai.com/v1/chat/completions", body=json.dumps(request).encode()
        ),
        response=HttpResponse(
            status=status,
            headers=(("content-type", "application/json"), *headers),
            body=json.dumps(body).encode() if status else b"",
            ending=ending,
        ),
        started=round(at * SECOND),
        duration=round(took * SECOND),
    )


def calls_in(events: Iterable[Event]) -> list[ModelCall]:
    """The model calls."""
    return [event for event in events if isinstance(event, ModelCall)]


def tool_calls_in(events: Iterable[Event]) -> list[ToolCalled]:
    """The tool calls."""
    return [event for event in events if isinstance(event, ToolCalled)]


def conversations_in(events: Iterable[Event]) -> list[Conversation]:
    """The conversations."""
    return [event for event in events if isinstance(event, Conversation)]
