"""Exchanges of each protocol whose reply is given as JSON, as a stream's events, or as bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from harness.records.exchange import Ending, Exchange, HttpRequest, HttpResponse
from harness.records.message import Api
from harness.records.trace import ModelCall, ToolCalled, Trace
from harness.wire.sums import total_cost, total_usage
from harness.wire.trace import read_events

__all__ = ["answered", "called", "chunk", "function_call", "model_call", "responds", "sse", "traced"]

PATHS = {
    Api.OPENAI_CHAT: "https://api.openai.com/v1/chat/completions",
    Api.OPENAI_RESPONSES: "https://api.openai.com/v1/responses",
    Api.ANTHROPIC_MESSAGES: "https://api.anthropic.com/v1/messages",
}
ASKED: dict[Api, dict[str, Any]] = {
    Api.OPENAI_CHAT: {"messages": [{"role": "user", "content": "Please."}]},
    Api.OPENAI_RESPONSES: {"input": [{"role": "user", "content": "Please."}]},
    Api.ANTHROPIC_MESSAGES: {"max_tokens": 9, "messages": [{"role": "user", "content": "Please."}]},
}


def answered(
    api: Api,
    body: Any,
    *,
    ending: Ending = Ending.COMPLETE,
    content_type: str = "",
    status: int = 200,
    at: int = 0,
    **fields: Any,
) -> Exchange:
    """One exchange; ``body`` is the reply's JSON, or its bytes. ``fields`` go into the request."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = content_type or ("text/event-stream" if isinstance(body, bytes) else "application/json")
    request = {"model": "gpt-5-mini", **ASKED[api], **fields}
    return Exchange(
        request=HttpRequest(method="POST", uri=PATHS[api], body=json.dumps(request).encode()),
        response=HttpResponse(status=status, headers=(("content-type", kind),), body=raw, ending=ending),
        started=at * 1_000_000_000,
        duration=1_000_000_000,
    )


def sse(events: Iterable[dict[str, Any]], *, done: bool = False) -> bytes:
    """A stream's bytes."""
    frames = [f"data: {json.dumps(event)}\n\n" for event in events]
    return "".join([*frames, "data: [DONE]\n\n" if done else ""]).encode()


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> dict[str, Any]:
    """A chunk of a chat stream."""
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c", "model": "m", "choices": [choice]}


def function_call(name: str, arguments: str, call_id: str = "call_1") -> dict[str, Any]:
    """A finished item of a response."""
    return {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": name, "arguments": arguments}


def responds(output: Sequence[dict[str, Any]], status: str = "completed", **more: Any) -> dict[str, Any]:
    """A response object."""
    return {"id": "resp_1", "object": "response", "model": "m", "status": status, "output": [*output], **more}


def traced(*exchanges: Exchange) -> Trace:
    """The trace of a trial with one user turn."""
    events = read_events([(each, 1) for each in exchanges], ["Please."], {})
    return Trace(
        run_id="0",
        events=events,
        outputs=("Done.",),
        state=None,
        usage=total_usage(events),
        cost_usd=total_cost(events),
        duration=0,
    )


def model_call(trace: Trace) -> ModelCall:
    """The only model call."""
    (call,) = trace.model_calls
    return call


def called(trace: Trace) -> list[tuple[str, Any]]:
    """Each tool call's name and arguments."""
    return [(event.name, event.arguments) for event in trace.events if isinstance(event, ToolCalled)]
