"""What the codecs write and read, without a network."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ModelError, ProviderError
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
    Usage,
    UserMessage,
)
from harness.wire.anthropic_messages import DEFAULT_MAX_TOKENS
from harness.wire.codecs import codec_for

EVERY_API = pytest.mark.parametrize("api", list(Api))
TEXT = st.text(min_size=1, max_size=12)
OBJECTS = st.dictionaries(TEXT, st.integers() | st.text(max_size=8) | st.none() | st.booleans(), max_size=3)
SETTINGS = {"temperature": st.floats(0, 2), "seed": st.integers(), "x_unknown": OBJECTS, "metadata": OBJECTS}
SCHEMA = st.fixed_dictionaries(
    {
        "type": st.just("object"),
        "properties": st.just({"a": {"type": "string"}}),
        "required": st.just(["a"]),
        "additionalProperties": st.just(False),
        "title": TEXT,
    }
)


@st.composite
def conversations(draw: st.DrawFn, api: Api) -> tuple[Message, ...]:
    """Turns as an agent makes them: the user, then the model, then a result for each of its calls."""
    messages: list[Message] = []
    number = 0
    for _ in range(draw(st.integers(1, 3))):
        messages.append(UserMessage(text=draw(TEXT)))
        for _ in range(draw(st.integers(0, 2))):
            calls = []
            for _ in range(draw(st.integers(1, 3))):
                number += 1
                arguments = json.dumps(draw(OBJECTS), ensure_ascii=False) if draw(st.booleans()) else '{"cut'
                calls.append(ToolCall(id=f"call_{number}", name=draw(TEXT), arguments=arguments))
            messages.append(AssistantMessage(text=draw(st.just("") | TEXT), tool_calls=tuple(calls)))
            messages += [
                ToolResult(
                    call_id=call.id,
                    name=call.name,
                    content=draw(TEXT),
                    is_error=draw(st.booleans()) if api is Api.ANTHROPIC_MESSAGES else False,
                )
                for call in calls
            ]
        if draw(st.booleans()):
            messages.append(AssistantMessage(text=draw(TEXT)))
    return tuple(messages)


@st.composite
def requests(draw: st.DrawFn, api: Api) -> ModelRequest:
    """Requests in all their parts."""
    names = draw(st.lists(TEXT, unique=True, max_size=3))
    tools = [
        ToolDefinition(name=name, description=draw(st.text(max_size=9)), parameters=draw(OBJECTS)) for name in names
    ]
    name = "output" if api is Api.ANTHROPIC_MESSAGES else draw(TEXT)
    return ModelRequest(
        model=draw(st.sampled_from(["gpt-4.1", "gpt-5-mini", "o3", "gpt-5-chat-latest", "claude-sonnet-4-5"])),
        system=draw(st.just("") | TEXT),
        messages=draw(conversations(api)),
        tools=tuple(tools),
        output=draw(st.none() | st.builds(lambda schema: OutputSchema(name=name, schema=schema), SCHEMA)),
        settings=draw(st.fixed_dictionaries({}, optional=SETTINGS)),
        stream=draw(st.booleans()),
    )


@EVERY_API
@settings(deadline=None)
@given(data=st.data())
def test_reading_undoes_writing(api: Api, data: st.DataObject) -> None:
    """A request comes back equal, and what goes over the wire is JSON."""
    request = data.draw(requests(api))
    codec = codec_for(api)
    assert codec.read_request(json.loads(json.dumps(codec.encode(request)))) == request


REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
FUNCTION_CALL = {
    "type": "function_call",
    "id": "fc_1",
    "status": "completed",
    "call_id": "c1",
    "name": "f",
    "arguments": "{}",
}
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
TOOL_USE = {"type": "tool_use", "id": "c1", "name": "f", "input": {}}


def reply_with(api: Api, items: list[Any], **facts: Any) -> dict[str, Any]:
    """A reply that holds these items."""
    if api is Api.OPENAI_RESPONSES:
        return {"id": "r", "model": "m", "status": "completed", "output": items, **facts}
    return {"id": "a", "model": "m", "stop_reason": "tool_use", "content": items, **facts}


@pytest.mark.parametrize(
    ("api", "items", "sent_back"),
    [
        (Api.ANTHROPIC_MESSAGES, [THINKING, TOOL_USE], [THINKING, TOOL_USE]),
        (
            Api.OPENAI_RESPONSES,
            [REASONING, FUNCTION_CALL],
            [REASONING, {key: value for key, value in FUNCTION_CALL.items() if key != "id"}],
        ),
    ],
)
def test_reasoning_goes_back_as_it_came(api: Api, items: list[Any], sent_back: list[Any]) -> None:
    """Signed or encrypted reasoning returns unchanged with the tool's result, as these providers demand."""
    codec = codec_for(api)
    message = codec.read_reply(reply_with(api, items)).message
    result = ToolResult(call_id="c1", name="f", content="done")
    request = ModelRequest(model="gpt-5", messages=(UserMessage(text="Go"), message, result))
    body = codec.encode(request)
    conversation = body.get("input") or body["messages"][1]["content"]
    assert [item for item in conversation if item in sent_back] == sent_back
    assert codec.read_request(body) == request


def test_a_response_that_the_provider_stored_goes_back_with_its_ids() -> None:
    """With ``store: true`` the items are found by id, so they keep it, and reasoning needs no content."""
    bare = {"type": "reasoning", "id": "rs_1", "summary": []}
    stored = reply_with(Api.OPENAI_RESPONSES, [bare, FUNCTION_CALL], store=True)
    assert codec_for(Api.OPENAI_RESPONSES).read_reply(stored).message.raw == (bare, FUNCTION_CALL)


def test_reasoning_that_nobody_can_look_up_is_left_out() -> None:
    """A model whose name we don't know as reasoning sends bare ids; sending them back would be refused."""
    bare = {"type": "reasoning", "id": "rs_1", "summary": []}
    reply = codec_for(Api.OPENAI_RESPONSES).read_reply(
        reply_with(Api.OPENAI_RESPONSES, [bare, FUNCTION_CALL], store=False)
    )
    assert reply.message.tool_calls == (ToolCall(id="c1", name="f", arguments="{}"),)
    assert reply.message.raw == ()


@pytest.mark.parametrize(
    ("model", "settings", "wanted"),
    [
        ("gpt-4.1", {}, {"store": False}),
        ("gpt-5-chat-latest", {}, {"store": False}),
        ("gpt-5-mini", {}, {"store": False, "include": ["reasoning.encrypted_content"]}),
        ("openai/o3", {}, {"store": False, "include": ["reasoning.encrypted_content"]}),
        ("gpt-5", {"include": []}, {"store": False, "include": []}),
        ("gpt-5", {"store": True}, {"store": True}),
        ("gpt-5", {"previous_response_id": "resp_1"}, {"previous_response_id": "resp_1"}),
    ],
)
def test_responses_are_asked_for_without_memory(model: str, settings: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Encrypted reasoning is asked for only where the model has any; the user's settings come first."""
    request = ModelRequest(model=model, messages=(UserMessage(text="Hi"),), settings=settings)
    body = codec_for(Api.OPENAI_RESPONSES).encode(request)
    assert {key: value for key, value in body.items() if key not in ("model", "input")} == wanted
    assert codec_for(Api.OPENAI_RESPONSES).encode(codec_for(Api.OPENAI_RESPONSES).read_request(body)) == body


def test_anthropic_gets_the_limit_that_it_demands() -> None:
    """``max_tokens`` is always there, and the settings override it."""
    codec = codec_for(Api.ANTHROPIC_MESSAGES)
    request = ModelRequest(model="claude-sonnet-4-5", messages=(UserMessage(text="Hi"),))
    assert codec.encode(request)["max_tokens"] == DEFAULT_MAX_TOKENS
    assert codec.encode(request.model_copy(update={"settings": {"max_tokens": 5}}))["max_tokens"] == 5


def test_anthropic_gets_all_results_of_a_turn_in_one_message() -> None:
    """Parallel calls are answered together, and what the user adds follows in the same message."""
    messages = (
        AssistantMessage(tool_calls=tuple(ToolCall(id=f"c{n}", name="f", arguments="{}") for n in (1, 2))),
        ToolResult(call_id="c1", content="one"),
        ToolResult(call_id="c2", content="two", is_error=True),
        UserMessage(text="And now?"),
    )
    body = codec_for(Api.ANTHROPIC_MESSAGES).encode(ModelRequest(model="claude-sonnet-4-5", messages=messages))
    assert body["messages"][1:] == [
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "one"},
                {"type": "tool_result", "tool_use_id": "c2", "content": "two", "is_error": True},
                {"type": "text", "text": "And now?"},
            ],
        }
    ]


def test_an_empty_reply_is_not_sent_back_to_anthropic() -> None:
    """The protocol refuses a message without content."""
    messages = (UserMessage(text="Hi"), AssistantMessage(), UserMessage(text="Hello?"))
    body = codec_for(Api.ANTHROPIC_MESSAGES).encode(ModelRequest(model="claude-sonnet-4-5", messages=messages))
    assert [message["content"] for message in body["messages"]] == ["Hi", "Hello?"]


def test_cut_arguments_of_a_streamed_call_are_kept() -> None:
    """Arguments that ran into the token limit arrive as the model wrote them, for the agent to refuse."""
    codec = codec_for(Api.ANTHROPIC_MESSAGES)
    events = [
        {"type": "message_start", "message": {"id": "a", "model": "m", "usage": {"input_tokens": 3}}},
        {"type": "content_block_start", "index": 0, "content_block": TOOL_USE},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"a": [1'}},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    reply = codec.read_reply(codec.fold(events).whole())
    assert (reply.message.tool_calls[0].arguments, reply.stop) == ('{"a": [1', StopReason.LENGTH)
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (3, 2)


@pytest.mark.parametrize(
    ("api", "body", "wanted"),
    [
        (
            Api.OPENAI_CHAT,
            {"choices": [{"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}]},
            StopReason.REFUSAL,
        ),
        (
            Api.OPENAI_CHAT,
            {"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]},
            StopReason.CONTENT_FILTER,
        ),
        (
            Api.OPENAI_CHAT,
            {
                "choices": [
                    {"message": {"tool_calls": [{"id": "c", "function": {"name": "f"}}]}, "finish_reason": "stop"}
                ]
            },
            StopReason.TOOL_CALLS,
        ),
        (
            Api.OPENAI_RESPONSES,
            reply_with(
                Api.OPENAI_RESPONSES,
                [{"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}],
            ),
            StopReason.REFUSAL,
        ),
        (
            Api.OPENAI_RESPONSES,
            {"output": [], "status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            StopReason.CONTENT_FILTER,
        ),
        (Api.OPENAI_RESPONSES, {"output": [REASONING], "status": "cancelled"}, StopReason.OTHER),
        (Api.ANTHROPIC_MESSAGES, {"content": [], "stop_reason": "refusal"}, StopReason.REFUSAL),
        (Api.ANTHROPIC_MESSAGES, {"content": [], "stop_reason": "pause_turn"}, StopReason.OTHER),
        (Api.ANTHROPIC_MESSAGES, {"content": [], "stop_reason": "model_context_window_exceeded"}, StopReason.LENGTH),
    ],
)
def test_why_the_model_stopped(api: Api, body: dict[str, Any], wanted: StopReason) -> None:
    """Each provider's words map to one vocabulary; a word that we don't know is OTHER, never a plain end."""
    reply = codec_for(api).read_reply(body)
    assert reply.stop is wanted
    if "No." in json.dumps(body):
        assert reply.message.text == "No."


@pytest.mark.parametrize(
    ("api", "body"),
    [
        (
            Api.OPENAI_CHAT,
            {
                "choices": [{"message": {"content": "x"}}],
                "usage": {
                    "prompt_tokens": 100,
                    "completion_tokens": 9,
                    "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 20},
                    "completion_tokens_details": {"reasoning_tokens": 4},
                },
            },
        ),
        (
            Api.OPENAI_RESPONSES,
            {
                "output": [REASONING],
                "usage": {
                    "input_tokens": 100,
                    "output_tokens": 9,
                    "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 20},
                    "output_tokens_details": {"reasoning_tokens": 4},
                },
            },
        ),
        (
            Api.ANTHROPIC_MESSAGES,
            {
                "content": [],
                "usage": {
                    "input_tokens": 50,
                    "cache_read_input_tokens": 30,
                    "cache_creation_input_tokens": 20,
                    "output_tokens": 9,
                    "output_tokens_details": {"thinking_tokens": 4},
                },
            },
        ),
    ],
)
def test_what_was_used(api: Api, body: dict[str, Any]) -> None:
    """One meaning for all providers: the prompt's tokens include the cached and the written ones."""
    wanted = Usage(input_tokens=100, output_tokens=9, cached_input_tokens=30, cache_write_tokens=20, reasoning_tokens=4)
    assert codec_for(api).read_reply(body).usage == wanted


TOOL = ToolDefinition(name="find", description="Finds.", parameters={"type": "object", "properties": {}})
FORM = {"type": "object", "properties": {}, "additionalProperties": False, "required": []}


@pytest.mark.parametrize(
    ("api", "wanted"),
    [
        (
            Api.OPENAI_CHAT,
            {
                "model": "gpt-4.1",
                "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}],
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "find", "description": "Finds.", "parameters": TOOL.parameters},
                    }
                ],
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": FORM, "strict": True},
                },
                "stream": True,
                "stream_options": {"include_usage": True},
                "seed": 7,
            },
        ),
        (
            Api.OPENAI_RESPONSES,
            {
                "model": "gpt-4.1",
                "instructions": "Be short.",
                "input": [{"role": "user", "content": "Hi"}],
                "tools": [
                    {
                        "type": "function",
                        "name": "find",
                        "description": "Finds.",
                        "parameters": TOOL.parameters,
                        "strict": False,
                    }
                ],
                "text": {"format": {"type": "json_schema", "name": "answer", "schema": FORM, "strict": True}},
                "stream": True,
                "store": False,
                "seed": 7,
            },
        ),
        (
            Api.ANTHROPIC_MESSAGES,
            {
                "model": "gpt-4.1",
                "system": "Be short.",
                "messages": [{"role": "user", "content": "Hi"}],
                "tools": [{"name": "find", "description": "Finds.", "input_schema": TOOL.parameters}],
                "output_config": {
                    "format": {
                        "type": "json_schema",
                        "schema": {key: value for key, value in FORM.items() if key != "required"},
                    }
                },
                "max_tokens": DEFAULT_MAX_TOKENS,
                "stream": True,
                "seed": 7,
            },
        ),
    ],
)
def test_a_whole_request(api: Api, wanted: dict[str, Any]) -> None:
    """Every part of a request, as each provider's reference writes it."""
    request = ModelRequest(
        model="gpt-4.1",
        system="Be short.",
        messages=(UserMessage(text="Hi"),),
        tools=(TOOL,),
        output=OutputSchema(name="answer", schema={"type": "object", "properties": {}}),
        settings={"seed": 7},
        stream=True,
    )
    assert codec_for(api).encode(request) == wanted


def test_an_invalid_prompt_is_the_models_matter() -> None:
    """A response that failed for its content is no transient error."""
    body = {"status": "failed", "output": [], "error": {"code": "invalid_prompt", "message": "Flagged."}}
    with pytest.raises(ModelError, match=r"invalid_prompt: Flagged\."):
        codec_for(Api.OPENAI_RESPONSES).read_reply(body)


KEYS = [
    *("arguments", "choices", "content", "content_block", "delta", "error", "finish_reason", "function", "index"),
    *("input", "message", "messages", "model", "name", "output", "response", "role", "status", "stop_reason"),
    *("system", "text", "tool_calls", "tools", "type", "usage"),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["assistant", "tool", "user", "function_call", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@EVERY_API
@settings(deadline=None)
@given(value=ANYTHING)
def test_no_shape_breaks_a_reader(api: Api, value: Any) -> None:
    """Whatever JSON arrives, reading a request raises only ValueError, and a reply only one of our errors."""
    codec = codec_for(api)
    body = value if isinstance(value, dict) else {"messages": value, "input": value, "choices": value}
    with suppress(ValueError):
        codec.read_request(body)
    with suppress(ProviderError):
        codec.read_reply(body)
    for done in (False, True):
        with suppress(ProviderError):
            codec.read_reply(codec.fold([body, body], done=done).body)
    codec.text_delta(body)


@EVERY_API
def test_half_a_character_is_shown_as_replaced_and_hides_nothing(api: Api) -> None:
    """Half a surrogate pair is valid JSON and no text: it is read as U+FFFD, and what stands beside it is read."""
    half = json.loads('"a\\ud83d"')
    arguments = json.dumps({"order": half})
    function = {"name": "refund", "arguments": arguments}
    body: dict[str, Any] = {
        "choices": [
            {"message": {"content": half, "tool_calls": [{"id": "c", "type": "function", "function": function}]}}
        ],
        "content": [{"type": "text", "text": half}, {**TOOL_USE, "name": "refund", "input": {"order": half}}],
        "output": [{"role": "assistant", "content": half}, {"type": "function_call", "call_id": "c", **function}],
    }
    message = codec_for(api).read_reply(body).message
    assert message.text == "a\ufffd"
    assert [call.name for call in message.tool_calls] == ["refund"]
