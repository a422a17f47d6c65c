"""Requests that the real providers refuse are refused, in their words and shape."""

from __future__ import annotations

import re
import socket

import httpx2
import pytest

ANSWER = "match: {user: Hello}\nrules: [{say: Hi.}]\n"
HELLO = [{"role": "user", "content": "Hello"}]
OPENAI = {"authorization": "Bearer simulated"}
CLAUDE = {"x-api-key": "simulated", "anthropic-version": "2023-06-01"}
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"

CHAT_CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CHAT_ASKED = {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]}
CLAUDE_ASKED = {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]}
CLAUDE_RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "1"}]}
CALL_ITEM = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT_ITEM = {"type": "function_call_output", "call_id": "call_1", "output": "1"}

CASES = {
    "no key": (CHAT, {}, {"model": "m", "messages": HELLO}, 401, "didn't provide an API key"),
    "no key, Anthropic": (MESSAGES, {"anthropic-version": "2023-06-01"}, {}, 401, "x-api-key header is required"),
    "no version": (MESSAGES, {"x-api-key": "k"}, {}, 400, "anthropic-version: header is required"),
    "unknown path": ("/v1/nonsense", OPENAI, {}, 404, r"Invalid URL \(POST /v1/nonsense\)"),
    "unknown path, Anthropic": ("/v1/nonsense", CLAUDE, {}, 404, "Not found"),
    "bad JSON": (CHAT, OPENAI, b"{", 400, "could not parse the JSON body"),
    "bad JSON, Anthropic": (MESSAGES, CLAUDE, b"\xff", 400, "not valid JSON"),
    "deep JSON": (RESPONSES, OPENAI, b"[" * 200_000, 400, "could not parse the JSON body"),
    "no object": (MESSAGES, CLAUDE, b"[]", 400, "valid dictionary"),
    "no model": (CHAT, OPENAI, {"messages": HELLO}, 400, "must provide a model"),
    "no messages": (CHAT, OPENAI, {"model": "m"}, 400, "Missing required parameter: 'messages'"),
    "empty messages": (CHAT, OPENAI, {"model": "m", "messages": []}, 400, "empty array"),
    "wrong role": (CHAT, OPENAI, {"model": "m", "messages": [{"role": "bot"}]}, 400, "Invalid value: 'bot'"),
    "nameless tool": (
        CHAT,
        OPENAI,
        {"model": "m", "messages": HELLO, "tools": [{"type": "function", "function": {}}]},
        400,
        r"tools\[0\].function.name",
    ),
    "result without call": (
        CHAT,
        OPENAI,
        {"model": "m", "messages": [*HELLO, {"role": "tool", "tool_call_id": "call_1", "content": "1"}]},
        400,
        "must be a response to a preceeding message with 'tool_calls'",
    ),
    "call without result": (
        CHAT,
        OPENAI,
        {"model": "m", "messages": [*HELLO, CHAT_ASKED, *HELLO]},
        400,
        "did not have response messages: call_1",
    ),
    "Responses without input": (RESPONSES, OPENAI, {"model": "m"}, 400, '"input" or "previous_response_id"'),
    "Responses without model": (RESPONSES, OPENAI, {"input": "Hello"}, 400, "Missing required parameter: 'model'"),
    "output without call": (
        RESPONSES,
        OPENAI,
        {"model": "m", "input": [*HELLO, OUTPUT_ITEM]},
        400,
        "No tool call found for function call output with call_id call_1",
    ),
    "call without output": (
        RESPONSES,
        OPENAI,
        {"model": "m", "input": [*HELLO, CALL_ITEM]},
        400,
        "No tool output found for function call call_1",
    ),
    "forgotten response": (
        RESPONSES,
        OPENAI,
        {"model": "m", "input": "Hello", "previous_response_id": "resp_9"},
        400,
        "Previous response with id 'resp_9' not found",
    ),
    "no max_tokens": (MESSAGES, CLAUDE, {"model": "m", "messages": HELLO}, 400, "max_tokens: Field required"),
    "zero max_tokens": (MESSAGES, CLAUDE, {"model": "m", "max_tokens": 0, "messages": HELLO}, 400, "greater than"),
    "system as a message": (
        MESSAGES,
        CLAUDE,
        {"model": "m", "max_tokens": 9, "messages": [{"role": "system", "content": "x"}]},
        400,
        "top-level `system` parameter",
    ),
    "tool_use without result": (
        MESSAGES,
        CLAUDE,
        {"model": "m", "max_tokens": 9, "messages": [*HELLO, CLAUDE_ASKED, *HELLO]},
        400,
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1",
    ),
    "tool_result without use": (
        MESSAGES,
        CLAUDE,
        {"model": "m", "max_tokens": 9, "messages": [CLAUDE_RESULT]},
        400,
        "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1",
    ),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_refused(start, case):
    """Status, words, shape and the mark that a simulated provider spoke."""
    path, headers, body, status, words = CASES[case]
    url = start(ANSWER)
    with httpx2.Client() as client:
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        response = client.post(url + path, headers=headers, **sent)
    assert response.status_code == status
    assert response.headers["x-simulated-provider"] == "agent-regression-harness"
    error = response.json()["error"]
    is_anthropic = path == MESSAGES or "x-api-key" in headers
    assert set(response.json()) == ({"type", "error", "request_id"} if is_anthropic else {"error"})
    assert set(error) == ({"type", "message"} if is_anthropic else {"message", "type", "param", "code"})
    assert re.search(words, error["message"])


def test_complete_conversations_are_not_refused(start):
    """The same shapes with call and result in place are answered."""
    url = start(ANSWER)
    result = {"role": "tool", "tool_call_id": "call_1", "content": "1"}
    good = [
        (CHAT, OPENAI, {"model": "m", "messages": [*HELLO, CHAT_ASKED, result]}),
        (RESPONSES, OPENAI, {"model": "m", "input": [*HELLO, CALL_ITEM, OUTPUT_ITEM]}),
        (MESSAGES, CLAUDE, {"model": "m", "max_tokens": 9, "messages": [*HELLO, CLAUDE_ASKED, CLAUDE_RESULT]}),
    ]
    with httpx2.Client() as client:
        for path, headers, body in good:
            assert client.post(url + path, headers=headers, json=body).status_code == 200


def test_wrong_method(start):
    """Only POST is served."""
    with httpx2.Client() as client:
        response = client.get(start(ANSWER) + CHAT, headers=OPENAI)
    assert response.status_code == 405
    assert response.json()["error"]["message"].startswith("Not allowed to GET")


def test_what_is_not_http_is_hung_up_on(start):
    """Bytes that are no HTTP close that connection and leave the server standing."""
    url = start(ANSWER)
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        plain.sendall(b"\x16\x03\x01 no http\r\n\r\n")
        assert plain.recv(100) == b""
    with httpx2.Client() as client:
        assert client.post(url + CHAT, headers=OPENAI, json={"model": "m", "messages": HELLO}).status_code == 200
