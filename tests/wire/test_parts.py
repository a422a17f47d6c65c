"""The parts of a reply, in order, from each protocol's JSON."""

from __future__ import annotations

import base64
from typing import Any, get_args

import pytest
from anthropic.types import ContentBlock
from anthropic.types.beta import BetaContentBlock
from openai.types.responses import ResponseOutputItem

from harness.records.message import Part, PartKind
from harness.wire.parts import anthropic_parts, chat_calls, chat_parts, responses_parts

PIXEL = base64.b64encode(bytes(70)).decode()
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
FUNCTION_CALL = {"type": "function_call", "call_id": "c1", "name": "find", "arguments": "{}"}
TOOL_USE = {"type": "tool_use", "id": "c1", "name": "find", "input": {}}


def said(parts: tuple[Part, ...]) -> list[tuple[str, str]]:
    """Kind and text of each part."""
    return [(part.kind.value, part.text) for part in parts]


def message(*content: dict[str, Any]) -> dict[str, Any]:
    """A message among Responses items."""
    return {"type": "message", "id": "m", "role": "assistant", "content": list(content)}


def text(words: str, **fields: Any) -> dict[str, Any]:
    """A text in a Responses message."""
    return {"type": "output_text", "text": words, "annotations": [], **fields}


def types_of(union: Any) -> set[str]:
    """The names of all types in an SDK's union."""
    found = set()
    for member in get_args(union):
        if hasattr(member, "model_fields"):
            found |= set(get_args(member.model_fields["type"].annotation))
        else:
            found |= types_of(member)
    return found


@pytest.mark.parametrize(
    "parts",
    [
        chat_parts({"role": "assistant", "content": "Yes."}),
        chat_parts({"role": "assistant", "content": None, "refusal": None, "annotations": [], "tool_calls": [CALL]}),
        chat_parts(
            {"content": [{"type": "text", "text": "Yes."}, {"type": "text", "text": "No."}], "tool_calls": [CALL]}
        ),
        chat_parts({"content": "", "reasoning": "", "reasoning_content": None, "reasoning_details": []}),
        responses_parts([message(text("Yes.")), FUNCTION_CALL]),
        responses_parts([{"role": "assistant", "content": "Yes."}]),
        responses_parts([FUNCTION_CALL, {"type": "custom_tool_call", "call_id": "c2", "name": "calc", "input": "1"}]),
        anthropic_parts([{"type": "text", "text": "Yes."}, {"type": "text", "text": "No."}, TOOL_USE]),
        anthropic_parts([{"type": "text", "text": ""}, TOOL_USE]),
        anthropic_parts([]),
    ],
)
def test_text_followed_by_calls_has_no_parts(parts: tuple[Part, ...]) -> None:
    """What text and tool calls say already is not kept twice."""
    assert parts == ()


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (chat_parts({"content": "A.", "reasoning_content": "T."}), ["thought T.", "text A."]),
        (chat_parts({"content": "A.", "reasoning": "T."}), ["thought T.", "text A."]),
        (chat_parts({"content": "A.", "thinking": "T."}), ["thought T.", "text A."]),
        (
            chat_parts(
                {
                    "reasoning": "T. U.",
                    "reasoning_details": [
                        {"type": "reasoning.text", "text": "T. U.", "index": 0},
                        {"type": "reasoning.encrypted", "data": "x", "index": 1},
                    ],
                }
            ),
            ["thought T. U.", "thought "],
        ),
        (
            chat_parts(
                {
                    "reasoning_details": [
                        {"type": "reasoning.summary", "summary": "On", "index": 0},
                        {"type": "reasoning.summary", "summary": "ce.", "index": 0},
                        {"type": "reasoning.summary", "summary": "Twice.", "index": 1},
                    ]
                }
            ),
            ["thought Once.", "thought Twice."],
        ),
        (chat_parts({"thinking_blocks": [{"type": "thinking", "thinking": "T."}]}), ["thought T."]),
        (
            chat_parts(
                {
                    "content": [
                        {"type": "thinking", "thinking": [{"type": "text", "text": "T."}]},
                        {"type": "text", "text": "A."},
                    ]
                }
            ),
            ["thought T.", "text A."],
        ),
        (
            responses_parts(
                [
                    {
                        "type": "reasoning",
                        "summary": [{"type": "summary_text", "text": "S."}, {"type": "summary_text", "text": "T."}],
                        "content": [{"type": "reasoning_text", "text": "U."}],
                        "encrypted_content": "x",
                    },
                    message(text("A.")),
                ]
            ),
            ["thought S.", "thought T.", "thought U.", "text A."],
        ),
        (responses_parts([{"type": "reasoning", "summary": [], "encrypted_content": "x"}]), ["thought "]),
        (responses_parts([{"type": "reasoning", "id": "rs"}, FUNCTION_CALL]), ["thought ", "tool_call find"]),
        (
            anthropic_parts(
                [
                    {"type": "thinking", "thinking": "T.", "signature": "s"},
                    {"type": "redacted_thinking", "data": "x"},
                    {"type": "text", "text": "A."},
                    {"type": "thinking", "thinking": "", "signature": "s"},
                    TOOL_USE,
                ]
            ),
            ["thought T.", "thought ", "text A.", "thought ", "tool_call find"],
        ),
    ],
)
def test_thoughts(parts: tuple[Part, ...], expected: list[str]) -> None:
    """Each once and in its place; without text where the provider keeps it to itself."""
    assert [f"{kind} {words}" for kind, words in said(parts)] == expected


@pytest.mark.parametrize(
    "parts",
    [
        chat_parts({"content": None, "refusal": "No."}),
        chat_parts({"content": [{"type": "refusal", "refusal": "No."}]}),
        responses_parts([message({"type": "refusal", "refusal": "No."})]),
    ],
)
def test_refusals(parts: tuple[Part, ...]) -> None:
    """A refusal is no text of the answer."""
    assert said(parts) == [("refusal", "No.")]


IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (chat_parts({"content": "A.", "images": [IMAGE]}), "image/png, 70 bytes"),
        (chat_parts({"content": [IMAGE]}), "image/png, 70 bytes"),
        (chat_parts({"audio": {"id": "a", "data": PIXEL, "transcript": "Hello."}}), "audio, 70 bytes: Hello."),
        (chat_parts({"audio": {"id": "a", "data": PIXEL}}), "audio, 70 bytes"),
        (
            responses_parts([message({"type": "output_audio", "data": PIXEL, "transcript": "Hi."})]),
            "audio, 70 bytes: Hi.",
        ),
        (responses_parts([{"type": "image_generation_call", "id": "i", "result": PIXEL}]), "image/png, 70 bytes"),
        (
            responses_parts([{"type": "image_generation_call", "id": "i", "result": PIXEL, "output_format": "webp"}]),
            "image/webp, 70 bytes",
        ),
        (anthropic_parts([{"type": "container_upload", "file_id": "file_1"}]), "file, stored as file_1"),
        (
            anthropic_parts([{"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}]),
            "image at https://example.org/a.png",
        ),
    ],
)
def test_media(parts: tuple[Part, ...], expected: str) -> None:
    """Images, audio and files are known by what they are and how large."""
    assert [part.text for part in parts if part.kind is PartKind.MEDIA] == [expected]


def test_tools_at_the_provider_stand_between_the_texts() -> None:
    """In each protocol the order of texts and tools is kept, and a result stands with its call."""
    blocks = [
        {"type": "text", "text": "Let me look."},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}},
        {"type": "mcp_tool_use", "id": "s2", "name": "ask", "server_name": "wiki", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
        {"type": "mcp_tool_result", "tool_use_id": "s2", "content": []},
        {"type": "text", "text": "Found."},
    ]
    assert said(anthropic_parts(blocks)) == [
        ("text", "Let me look."),
        ("provider_tool", "web_search"),
        ("provider_tool", "ask"),
        ("text", "Found."),
    ]
    items = [
        message(text("Let me look.")),
        {"type": "web_search_call", "id": "w", "action": {"type": "search"}},
        {"type": "program", "id": "p", "call_id": "p1", "code": "1"},
        {"type": "program_output", "call_id": "p1", "result": "1"},
        {"type": "shell_call", "call_id": "h", "action": {}, "environment": {"type": "container_reference"}},
        {"type": "tool_search_call", "call_id": None, "execution": "server", "arguments": {}},
        {"type": "tool_search_output", "call_id": None, "execution": "server", "tools": []},
        message(text("Found.")),
        {"type": "computer_call", "call_id": "k", "action": {"type": "click"}},
    ]
    assert said(responses_parts(items)) == [
        ("text", "Let me look."),
        ("provider_tool", "web_search"),
        ("provider_tool", "program"),
        ("provider_tool", "shell"),
        ("provider_tool", "tool_search"),
        ("text", "Found."),
        ("tool_call", "computer"),
    ]


@pytest.mark.parametrize(
    "parts",
    [
        anthropic_parts([{"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "u"}]}]),
        responses_parts([{"type": "program_output", "call_id": "s1", "result": '[{"url": "u"}]'}]),
        responses_parts([{"type": "shell_call_output", "call_id": "s1", "output": [{"url": "u"}]}]),
    ],
)
def test_a_result_whose_call_is_elsewhere_is_shown(parts: tuple[Part, ...]) -> None:
    """A reply that was paused goes on with the result of an earlier reply's call."""
    assert said(parts) == [("note", 'result of s1: [{"url": "u"}]')]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (
            chat_parts(
                {
                    "content": "A.",
                    "annotations": [
                        {
                            "type": "url_citation",
                            "url_citation": {"url": "https://a", "title": "Page", "content": "So."},
                        }
                    ],
                }
            ),
            "source: Page, https://a: “So.”",
        ),
        (
            responses_parts(
                [message(text("A.", annotations=[{"type": "url_citation", "url": "https://a", "title": "P"}] * 2))]
            ),
            "source: P, https://a",
        ),
        (
            responses_parts(
                [message(text("A.", annotations=[{"type": "file_citation", "file_id": "f", "filename": "a.md"}]))]
            ),
            "source: a.md, f",
        ),
        (
            anthropic_parts(
                [
                    {
                        "type": "text",
                        "text": "A.",
                        "citations": [{"type": "char_location", "document_title": "D", "cited_text": "c"}],
                    }
                ]
            ),
            "source: D: “c”",
        ),
        (
            responses_parts(
                [{"type": "mcp_list_tools", "server_label": "wiki", "tools": [{"name": "ask"}, {"name": "find"}]}]
            ),
            "tools of MCP server wiki: ask, find",
        ),
        (
            responses_parts([{"type": "mcp_list_tools", "server_label": "wiki", "tools": [], "error": "no route"}]),
            'tools of MCP server wiki: failed: "no route"',
        ),
        (
            responses_parts(
                [{"type": "mcp_approval_request", "id": "a", "server_label": "w", "name": "f", "arguments": "{}"}]
            ),
            "approval asked by MCP server w: f({}), a",
        ),
        (
            responses_parts(
                [{"type": "mcp_approval_response", "approval_request_id": "a", "approve": False, "reason": "No."}]
            ),
            "approval refused: a, No.",
        ),
        (
            responses_parts([{"type": "compaction", "encrypted_content": "x"}]),
            "earlier messages in short: withheld by the provider",
        ),
        (anthropic_parts([{"type": "compaction", "content": "They met."}]), "earlier messages in short: They met."),
        (
            anthropic_parts([{"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}, "trigger": {}}]),
            "other model: a declined, b goes on",
        ),
        (
            anthropic_parts([{"type": "mcp_tool_listing", "mcp_server_name": "wiki", "tools": [{"name": "ask"}]}]),
            "tools of MCP server wiki: ask",
        ),
        (responses_parts([{"type": "item_reference", "id": "msg_1"}]), "stored at the provider: msg_1"),
        (
            responses_parts([{"type": "additional_tools", "role": "developer", "tools": [{"name": "ask"}]}]),
            "tools added: ask",
        ),
    ],
)
def test_notes(parts: tuple[Part, ...], expected: str) -> None:
    """Sources once each, tool lists, approvals, summaries and other models, in words."""
    assert [part.text for part in parts if part.kind is PartKind.NOTE] == [expected]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (chat_parts({"content": [{"type": "hologram", "x": 1}]}), "hologram"),
        (responses_parts([message({"type": "hologram"})]), "hologram"),
        (responses_parts([{"type": "hologram_call"}]), "hologram_call"),
        (anthropic_parts([{"type": "hologram"}]), "hologram"),
        (anthropic_parts([{"text": "x"}]), "content without a type"),
        (anthropic_parts(["x"]), '"x"'),
    ],
)
def test_what_is_not_known_is_unread(parts: tuple[Part, ...], expected: str) -> None:
    """Never left out: it is named."""
    assert said(parts) == [("unread", expected)]


@pytest.mark.parametrize("kind", sorted(types_of(ResponseOutputItem)))
def test_every_item_that_the_sdk_knows_is_read(kind: str) -> None:
    """Of the installed OpenAI SDK's output items, no type is unread."""
    item = {"type": kind, "id": "i", "call_id": "c", "role": "assistant", "content": "x"}
    assert PartKind.UNREAD not in [part.kind for part in responses_parts([item])]


@pytest.mark.parametrize("kind", sorted(types_of(ContentBlock) | types_of(BetaContentBlock)))
def test_every_block_that_the_sdk_knows_is_read(kind: str) -> None:
    """Of the installed Anthropic SDK's content blocks, with those of the beta, no type is unread."""
    block = {"type": kind, "id": "i", "file_id": "f"} | ({"tool_use_id": "t"} if kind.endswith("_result") else {})
    assert PartKind.UNREAD not in [part.kind for part in anthropic_parts([block])]


def test_the_call_of_the_old_chat_api_is_a_call() -> None:
    """``function_call`` has no id; functions and custom tools have theirs."""
    custom = {"id": "c2", "type": "custom", "custom": {"name": "calc", "input": "1 + 1"}}
    old = {"content": None, "function_call": {"name": "find", "arguments": '{"id": 1}'}}
    assert [(call.id, call.name, call.arguments) for call in chat_calls(old)] == [("", "find", '{"id": 1}')]
    assert [(call.id, call.name, call.arguments) for call in chat_calls({"tool_calls": [CALL, custom]})] == [
        ("c1", "find", "{}"),
        ("c2", "calc", "1 + 1"),
    ]
    assert chat_calls({"content": "x", "function_call": None}) == ()
