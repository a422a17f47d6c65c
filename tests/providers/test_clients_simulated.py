"""Our clients against our simulated provider: a conversation with a tool over each protocol, plain and streamed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import TransientError
from harness.providers import connect
from harness.providers.simulated import running_provider
from harness.records.message import (
    Api,
    ModelReply,
    ModelRequest,
    OutputSchema,
    StopReason,
    ToolDefinition,
    ToolResult,
    UserMessage,
)

SCRIPT = """
match: {user: order 1042}
rules:
  - when: {turn: 1}
    fail: {status: 429, retry_after: 0.25, times: 1}
  - when: {turn: 1}
    say: Let me look.
    call:
      - {tool: find_order, arguments: {order_id: "1042"}}
      - {tool: find_order, arguments: {order_id: "1043"}}
  - when: {turn: 2}
    json: {refund: false}
"""
ORDER = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}
TOOL = ToolDefinition(name="find_order", description="Finds an order.", parameters=ORDER)
ANSWER = OutputSchema(name="answer", schema={"type": "object", "properties": {"refund": {"type": "boolean"}}})


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("api", list(Api))
async def test_a_conversation_with_a_tool(
    api: Api, stream: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate limit, two parallel calls, their results, a structured answer: the same facts over every protocol."""
    script = tmp_path / "refund.script.yaml"
    script.write_text(SCRIPT)
    model = "claude-sonnet-4-5" if api is Api.ANTHROPIC_MESSAGES else "gpt-5-mini"
    request = ModelRequest(
        model=model,
        system="Be fair.",
        messages=(UserMessage(text="My money back for order 1042."),),
        tools=(TOOL,),
        output=ANSWER,
        stream=stream,
    )
    with running_provider([script]) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "test-key")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
        client = connect(api)
        with pytest.raises(TransientError, match="answered 429") as limited:
            await client.complete(request)
        first = await client.complete(request)
        results = tuple(ToolResult(call_id=c.id, name=c.name, content="56 days") for c in first.message.tool_calls)
        pieces: list[str] = []
        following = request.model_copy(update={"messages": (*request.messages, first.message, *results)})
        second = await client.complete(following, pieces.append)
    assert limited.value.retry_after == 0.25
    assert _facts(first) == ("Let me look.", ["1042", "1043"], StopReason.TOOL_CALLS)
    assert (json.loads(second.message.text), second.stop) == ({"refund": False}, StopReason.END)
    assert "".join(pieces) == (second.message.text if stream else "")
    assert first.usage is not None
    assert second.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens > 0


def _facts(reply: ModelReply) -> tuple[str, list[str], StopReason]:
    orders = [json.loads(call.arguments)["order_id"] for call in reply.message.tool_calls]
    return reply.message.text, orders, reply.stop
