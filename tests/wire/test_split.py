"""What the author wrote, apart from what was said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.records.message import Api
from harness.wire.split import Definition, api_of, has_spoken, split

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
MESSAGES = "/v1/messages"


def definition(path: str, body: Any) -> Definition:
    """The definition in a body, which has to be one."""
    found = split("POST", path, json.dumps(body).encode())
    assert found is not None
    return found.definition


def test_a_chat_request() -> None:
    """Leading system messages, tools by name, the schema; everything else is a setting, unknown fields too."""
    schema = {"type": "json_schema", "json_schema": {"name": "x"}}
    tool = {"type": "function", "function": {"name": "find", "parameters": {}}}
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]
    body = {"model": "m", "messages": messages, "tools": [tool], "response_format": schema, "temperature": 1, "new": {}}
    found = split("post", f"/gateway{CHAT}", json.dumps(body).encode())
    assert found is not None
    assert found.definition == Definition(
        f"/gateway{CHAT}", "m", {"find": tool}, "Be short.", schema, {"temperature": 1, "new": {}}
    )
    assert found.conversation == ({"role": "user", "content": "Hi"},)


def test_a_responses_request() -> None:
    """Instructions and leading developer items are the system prompt; text is one item; text.format the schema."""
    form = {"type": "json_schema", "name": "x", "schema": {}}
    body = {"model": "m", "instructions": "A", "input": "Hi", "text": {"format": form, "verbosity": "low"}}
    found = split("POST", RESPONSES, json.dumps(body).encode())
    assert found is not None
    assert found.conversation == ({"role": "user", "content": "Hi"},)
    assert (found.definition.system, found.definition.output_schema) == ("A", form)
    assert found.definition.settings == {"text": {"verbosity": "low"}}
    items = [{"role": "developer", "content": [{"type": "input_text", "text": "B"}]}, {"role": "user", "content": "Hi"}]
    assert definition(RESPONSES, {"instructions": "A", "input": items}).system == "A\n\nB"


def test_an_anthropic_request() -> None:
    """System blocks are joined; both forms of the output schema are found; a server tool goes by its name."""
    blocks = [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]
    tools = [{"type": "web_search_20250305", "name": "web_search"}, {"name": "find", "input_schema": {}}]
    form = {"type": "json_schema", "schema": {}}
    body = {"model": "m", "max_tokens": 5, "system": blocks, "messages": [], "tools": tools}
    assert definition(MESSAGES, body).system == "A\n\nB"
    assert list(definition(MESSAGES, body).tools) == ["web_search", "find"]
    new, old = {**body, "output_config": {"format": form, "effort": "low"}}, {**body, "output_format": form}
    assert definition(MESSAGES, new).output_schema == definition(MESSAGES, old).output_schema == form
    assert definition(MESSAGES, new).settings["output_config"] == {"effort": "low"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([{"role": "system", "content": "A"}], [{"role": "developer", "content": "A"}]),
        ([{"role": "system", "content": "A\n\nB"}], [{"role": "system", "content": s} for s in "AB"]),
        ([{"role": "system", "content": "A"}], [{"role": "system", "content": "A", "name": "boss"}]),
    ],
)
def test_no_change_of_a_system_prompt_is_lost(one: Any, other: Any) -> None:
    """Two prompts of the same text that differ beside it have different definitions."""
    assert definition(CHAT, {"messages": one}).system == definition(CHAT, {"messages": other}).system
    assert definition(CHAT, {"messages": one}) != definition(CHAT, {"messages": other})


def test_a_cache_mark_is_part_of_the_definition() -> None:
    """It changes no text, but what is paid."""
    plain = {"messages": [], "system": [{"type": "text", "text": "A"}]}
    marked = {"messages": [], "system": [{"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}}]}
    assert definition(MESSAGES, plain) == definition(MESSAGES, {"messages": [], "system": "A"})
    assert definition(MESSAGES, plain) != definition(MESSAGES, marked)


def test_the_order_of_tools_means_nothing_and_no_tool_is_lost() -> None:
    """Reordered tools are the same definition; two tools of one name are both kept."""
    one, two = ({"type": "function", "name": name} for name in ("a", "b"))
    assert definition(RESPONSES, {"input": "", "tools": [one, two]}) == definition(
        RESPONSES, {"input": "", "tools": [two, one]}
    )
    servers = [{"type": "mcp", "server_label": label} for label in "xy"]
    assert definition(RESPONSES, {"input": "", "tools": servers}).tools == {"mcp": servers[0], "mcp (2)": servers[1]}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", RESPONSES, b'{"input": "x"}'),
        ("POST", "/v1/embeddings", b'{"input": "x"}'),
        ("POST", CHAT, b"not json"),
        ("POST", CHAT, b"[" * 100_000),
        ("POST", CHAT, b"\xff"),
        ("POST", CHAT, b"[]"),
        ("POST", CHAT, b'{"model": "m"}'),
        ("POST", CHAT, b'{"model": 1, "messages": []}'),
        ("POST", CHAT, b'{"messages": [], "tools": {"a": 1}}'),
        ("POST", RESPONSES, b'{"model": "m"}'),
        ("POST", RESPONSES, b'{"input": 5}'),
        ("POST", MESSAGES, b'{"messages": "x"}'),
    ],
)
def test_what_is_no_model_call(method: str, path: str, body: bytes) -> None:
    """Another method, path or shape is not taken apart."""
    assert split(method, path, body) is None


@pytest.mark.parametrize(
    ("path", "api"),
    [
        (CHAT, Api.OPENAI_CHAT),
        ("/openai/deployments/x/chat/completions", Api.OPENAI_CHAT),
        ("/api/v1/responses", Api.OPENAI_RESPONSES),
        (MESSAGES, Api.ANTHROPIC_MESSAGES),
        ("/v1/messages/count_tokens", None),
        ("/", None),
    ],
)
def test_the_protocol_of_a_path(path: str, api: Api | None) -> None:
    """The end of a path tells, whatever a gateway puts before it."""
    assert api_of(path) is api


@pytest.mark.parametrize(
    ("item", "spoken"),
    [
        ({"role": "user", "content": "x"}, False),
        ({"role": "developer", "content": "x"}, False),
        ({"type": "function_call_output", "call_id": "c"}, False),
        ("text", False),
        ({"role": "assistant", "content": "x"}, True),
        ({"type": "function_call", "call_id": "c"}, True),
        ({"type": "reasoning"}, True),
        ({"type": "web_search_call"}, True),
    ],
)
def test_whether_the_model_has_spoken(item: Any, spoken: bool) -> None:
    """Only what the model itself produced counts."""
    assert has_spoken([{"role": "user", "content": "x"}, item]) is spoken


def test_the_key_of_the_prompts_cache_is_no_setting() -> None:
    """No difference in it is one of the definition."""
    body = {"model": "m", "messages": [], "prompt_cache_key": "run:1"}
    assert definition(CHAT, body).settings == {}
