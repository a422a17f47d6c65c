"""Responses items beside messages: what the client runs, hands back and says, and what ran at the provider."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from harness.records.exchange import Exchange, HttpRequest, HttpResponse
from harness.records.message import AssistantMessage, PartKind, ToolResult, UserMessage
from harness.records.trace import Event, ModelCall, ToolCalled
from harness.wire.client_items import offered_name
from harness.wire.openai_responses import read_reply, read_request
from harness.wire.provider_tools import provider_tools
from harness.wire.trace import read_events

PIXEL = base64.b64encode(bytes(70)).decode()
TASK = {"role": "user", "content": "Look."}
DONE = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Done.", "annotations": []}],
}


def reply_of(*output: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The body of a response with these items."""
    return {"id": "resp_1", "model": "gpt-5", "status": "completed", "store": True, "output": list(output), **fields}


def exchange(given: list[Any], *output: dict[str, Any], at: int = 0) -> Exchange:
    """One exchange of the protocol."""
    body = json.dumps({"model": "gpt-5", "input": given}).encode()
    return Exchange(
        request=HttpRequest(method="POST", uri="https://api.openai.com/v1/responses", body=body),
        response=HttpResponse(
            status=200, headers=(("content-type", "application/json"),), body=json.dumps(reply_of(*output)).encode()
        ),
        started=at,
        duration=1,
    )


def called(*played: Exchange) -> list[ToolCalled]:
    """The tool calls in a trial of these exchanges."""
    events: tuple[Event, ...] = read_events([(each, 0) for each in played], (), {})
    return [event for event in events if isinstance(event, ToolCalled)]


@pytest.mark.parametrize(
    ("call", "output", "name", "arguments", "result", "failed"),
    [
        (
            {"type": "computer_call", "call_id": "c", "action": {"type": "click", "x": 1}},
            {
                "type": "computer_call_output",
                "output": {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PIXEL}"},
            },
            "computer",
            {"type": "click", "x": 1},
            "[image/png, 70 bytes]",
            False,
        ),
        (
            {"type": "local_shell_call", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}},
            {"type": "local_shell_call_output", "output": '{"stdout": "a"}'},
            "local_shell",
            {"type": "exec", "command": ["ls"]},
            '{"stdout": "a"}',
            False,
        ),
        (
            {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}, "environment": {"type": "local"}},
            {"type": "shell_call_output", "output": [{"stdout": "a", "stderr": ""}]},
            "shell",
            {"commands": ["ls"]},
            '{"stdout": "a", "stderr": ""}',
            False,
        ),
        (
            {"type": "apply_patch_call", "call_id": "c", "operation": {"type": "delete_file", "path": "a"}},
            {"type": "apply_patch_call_output", "status": "failed", "output": "no such file"},
            "apply_patch",
            {"type": "delete_file", "path": "a"},
            "no such file",
            True,
        ),
        (
            {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {"goal": "ship"}},
            {"type": "tool_search_output", "execution": "client", "tools": [{"type": "function", "name": "track"}]},
            "tool_search",
            {"goal": "ship"},
            '["track"]',
            False,
        ),
        (
            {"type": "function_call", "call_id": "c", "name": "find", "arguments": "{}"},
            {
                "type": "function_call_output",
                "output": [{"type": "input_text", "text": "Here:"}, {"type": "input_image", "file_id": "f"}],
            },
            "find",
            {},
            "Here:\n[image, stored as f]",
            False,
        ),
    ],
)
def test_calls_that_the_client_answers(
    call: dict[str, Any], output: dict[str, Any], name: str, arguments: Any, result: str, failed: bool
) -> None:
    """Of a computer, a shell, a patch or a search among tools: with arguments, and what was handed back."""
    (one,) = called(exchange([TASK], call), exchange([TASK, call, {"call_id": "c", **output}], DONE, at=5))
    assert (one.name, one.arguments, one.at_provider) == (name, arguments, False)
    assert (one.result, one.is_error) == (result, failed)


@pytest.mark.parametrize(
    ("items", "name", "arguments", "result"),
    [
        (
            [
                {"type": "program", "id": "p", "call_id": "c", "code": "1 + 1"},
                {"type": "program_output", "call_id": "c", "result": "2"},
            ],
            "program",
            {"code": "1 + 1"},
            "2",
        ),
        (
            [
                {
                    "type": "shell_call",
                    "id": "s",
                    "call_id": "c",
                    "action": {"commands": ["ls"]},
                    "environment": {"type": "container_reference"},
                },
                {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "a"}]},
            ],
            "shell",
            {"action": {"commands": ["ls"]}},
            '[{"stdout": "a"}]',
        ),
        (
            [{"type": "image_generation_call", "id": "i", "result": PIXEL, "revised_prompt": "A cat."}],
            "image_generation",
            {"revised_prompt": "A cat."},
            "[image/png, 70 bytes]",
        ),
        (
            [{"type": "web_search_call", "id": "w", "action": {"query": "x"}}],
            "web_search",
            {"action": {"query": "x"}},
            None,
        ),
    ],
)
def test_calls_that_ran_at_the_provider(items: list[dict[str, Any]], name: str, arguments: Any, result: str) -> None:
    """They are no calls of the client, and their results are those of the reply, an image by type and size."""
    (one,) = called(exchange([TASK], *items, DONE))
    assert (one.name, one.arguments, one.result, one.at_provider) == (name, arguments, result, True)


@pytest.mark.parametrize(
    ("name", "offered", "expected"),
    [
        ("computer", ["computer_use_preview", "shell"], "computer_use_preview"),
        ("shell", ["computer", "shell", "shell_2"], "shell"),
        ("computer", ["computer_a", "computer_b"], "computer"),
        ("find", ["find_order"], "find"),
        ("apply_patch", [], "apply_patch"),
    ],
)
def test_a_built_in_tool_goes_by_the_name_that_offered_it(name: str, offered: list[str], expected: str) -> None:
    """Where one such tool was offered; functions keep the name that the model wrote."""
    assert offered_name(name, offered) == expected


def test_a_history_with_results_of_the_provider_is_one_message() -> None:
    """A hosted shell's output that a request repeats is the model's turn, and no result that the client sent."""
    hosted = [
        {"type": "shell_call", "call_id": "c", "action": {}, "environment": {"type": "container_reference"}},
        {"type": "shell_call_output", "call_id": "c", "output": []},
    ]
    messages = read_request({"model": "gpt-5", "input": [TASK, *hosted, DONE, TASK]}).messages
    assert [message.role for message in messages] == ["user", "assistant", "user"]
    handed_back = [{**hosted[0], "environment": {"type": "local"}}, hosted[1]]
    messages = read_request({"model": "gpt-5", "input": [TASK, *handed_back, DONE]}).messages
    assert [message.role for message in messages] == ["user", "assistant", "tool", "assistant"]


def test_what_the_client_says_beside_messages() -> None:
    """An approval and added tools are the client's words, between the model's."""
    asks = {"type": "mcp_approval_request", "id": "a", "server_label": "wiki", "name": "ask", "arguments": "{}"}
    gives = {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True}
    tools = {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "track"}]}
    messages = read_request({"model": "gpt-5", "input": [TASK, asks, gives, tools]}).messages
    assert [type(message) for message in messages] == [UserMessage, AssistantMessage, UserMessage, UserMessage]
    assert [message.text for message in messages[2:] if isinstance(message, UserMessage)] == [
        "approval given: a",
        "tools added: track",
    ]


def test_an_approval_is_shown_with_the_call_that_sends_it() -> None:
    """It is new in the second request, whose other items were known."""
    asks = {"type": "mcp_approval_request", "id": "a", "server_label": "wiki", "name": "ask", "arguments": "{}"}
    gives = {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True}
    events = read_events([(exchange([TASK], asks), 0), (exchange([TASK, asks, gives], DONE, at=5), 0)], (), {})
    first, second = (event for event in events if isinstance(event, ModelCall))
    assert first.reply is not None
    assert [part.text for part in first.reply.parts] == ["approval asked by MCP server wiki: ask({}), a"]
    assert [message.text for message in second.sent if isinstance(message, UserMessage)] == ["approval given: a"]


def test_thoughts_are_kept_that_a_request_may_not_repeat() -> None:
    """A summary without encrypted content is left out of the next request, and stands among the parts."""
    reasoning = {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "Hm."}]}
    message = read_reply(reply_of(reasoning, DONE, store=False)).message
    assert [(part.kind, part.text) for part in message.parts] == [(PartKind.THOUGHT, "Hm."), (PartKind.TEXT, "Done.")]
    assert reasoning not in message.raw


def test_results_of_the_provider_without_a_call_are_no_call() -> None:
    """They are a note of the reply, which went on after a pause."""
    result = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    assert list(provider_tools(AssistantMessage(raw=(result,)), (), 1)) == []


def test_a_result_keeps_the_name_of_its_tool() -> None:
    """As with functions."""
    call = {"type": "computer_call", "call_id": "c", "action": {}}
    output = {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "file_id": "f"}}
    messages = read_request({"model": "gpt-5", "input": [TASK, call, output]}).messages
    assert messages[-1] == ToolResult(call_id="c", name="computer", content="[screenshot, stored as f]")
