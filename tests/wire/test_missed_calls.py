"""Tool calls that providers and gateways send in odd forms are in the trace, as a client sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.records.exchange import Ending, Exchange, HttpRequest
from harness.records.message import Api, StopReason
from harness.records.trace import HttpCall
from tests.wire.replies import answered, called, chunk, function_call, model_call, responds, sse, traced

CHAT, RESPONSES, ANTHROPIC = Api.OPENAI_CHAT, Api.OPENAI_RESPONSES, Api.ANTHROPIC_MESSAGES


def piece(name: str = "", arguments: str = "", **fields: Any) -> dict[str, Any]:
    """A piece of a streamed chat call; index and id as given."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value}
    return {"type": "function", "function": function, **fields}


def streamed(*pieces: dict[str, Any]) -> list[tuple[str, Any]]:
    """The calls of a chat stream that brings one piece a chunk."""
    chunks = [chunk({"tool_calls": [each]}) for each in pieces]
    return called(traced(answered(CHAT, sse([*chunks, chunk({}, "tool_calls")], done=True))))


TWO = [("find", {"id": 1}), ("refund", {"id": 2})]


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            [piece("find", '{"id": 1}', index=0, id="a"), piece("refund", '{"id": 2}', index=0, id="b")],
            id="one index, whole calls",
        ),
        pytest.param(
            [piece("find", '{"id": 1}', index=None, id="a"), piece("refund", '{"id": 2}', index=None, id="b")],
            id="null index",
        ),
        pytest.param([piece("find", '{"id": 1}', id="a"), piece("refund", '{"id": 2}', id="b")], id="no index"),
        pytest.param(
            [
                piece("find", index=0, id="a"),
                piece("", '{"id"', index=0),
                piece("", ": 1}", index=0),
                piece("refund", index=0, id="b"),
                piece("", '{"id": 2}', index=0),
            ],
            id="one index, in pieces",
        ),
        pytest.param(
            [
                piece("find", index=0, id="a"),
                piece("refund", index=1, id="b"),
                piece("", '{"id": 2}', index=1),
                piece("", '{"id": 1}', index=0),
            ],
            id="interleaved by index",
        ),
        pytest.param(
            [
                piece("find", id="a"),
                piece("refund", id="b"),
                piece("", '{"id": 2}', id="b"),
                piece("", '{"id": 1}', id="a"),
            ],
            id="interleaved by id",
        ),
        pytest.param(
            [piece("find", '{"id": 1}', index=0, id=""), piece("refund", '{"id": 2}', index=0, id="")],
            id="one index, empty ids",
        ),
        pytest.param([piece("find", '{"id": 1}'), piece("refund", '{"id": 2}')], id="neither index nor id"),
        pytest.param(
            [
                piece("find", '{"id"', index=0, id="a"),
                piece("", ": 1}", index=0, id="a-again"),
                piece("refund", '{"id": 2}', index=1, id="b"),
            ],
            id="an id for each chunk",
        ),
        pytest.param(
            [
                piece("find", '{"id"', index=0, id="a"),
                piece("find", ": 1}", index=0, id="a"),
                piece("refund", '{"id": 2}', index=1, id="b"),
            ],
            id="the name repeated",
        ),
        pytest.param(
            [
                piece("find", index=0, id="call"),
                piece("", '{"id": 1}', index=0),
                piece("refund", index=1, id="call"),
                piece("", '{"id": 2}', index=1),
            ],
            id="one id for both",
        ),
    ],
)
def test_parallel_calls_of_a_chat_stream_are_told_apart(pieces: list[dict[str, Any]]) -> None:
    """By id, then by index, then by where the next one begins."""
    assert streamed(*pieces) == TWO


def test_two_equal_calls_without_ids_are_two() -> None:
    """A server that sends whole calls under one index may send the same one twice."""
    same = piece("find", '{"id": 1}', index=0, id="")
    assert streamed(same, same) == [("find", {"id": 1})] * 2


def test_a_name_that_comes_in_pieces_is_joined() -> None:
    """Under its own index, before any arguments."""
    assert streamed(piece("ref", index=0, id="a"), piece("und", index=0), piece("", "{}", index=0)) == [("refund", {})]


@pytest.mark.parametrize("arguments", [{"id": 7}, '{"id": 7}'])
@pytest.mark.parametrize("stream", [False, True])
def test_arguments_as_an_object_are_the_same_as_their_text(stream: bool, arguments: Any) -> None:
    """Some servers do not write them as text."""
    message = {"tool_calls": [{"id": "a", "index": 0, "function": {"name": "refund", "arguments": arguments}}]}
    body = {"id": "c", "model": "m", "choices": [{"message": message, "finish_reason": "tool_calls"}]}
    given = sse([chunk(message), chunk({}, "tool_calls")]) if stream else body
    assert called(traced(answered(CHAT, given))) == [("refund", {"id": 7})]


@pytest.mark.parametrize("arguments", ["", " ", "{}", None])
def test_no_arguments_are_an_empty_object(arguments: Any) -> None:
    """Models call a tool without parameters in each of these ways."""
    function = {"name": "refund", "arguments": arguments}
    chat = {
        "choices": [{"message": {"tool_calls": [{"id": "a", "function": function}]}, "finish_reason": "tool_calls"}]
    }
    assert called(traced(answered(CHAT, chat))) == [("refund", {})]
    item = {**function_call("refund", ""), "arguments": arguments}
    assert called(traced(answered(RESPONSES, responds([item])))) == [("refund", {})]


@pytest.mark.parametrize("stream", [False, True])
def test_the_calls_of_every_choice_are_there(stream: bool) -> None:
    """Of a request for two answers, the agent may take either."""
    function = {"id": "a", "index": 0, "type": "function", "function": {"name": "refund", "arguments": "{}"}}
    choices = [{"content": "I would rather not."}, {"tool_calls": [function]}]
    whole = [{"index": at, "message": each, "finish_reason": "stop"} for at, each in enumerate(choices)]
    events = [chunk(each, "stop", index=at) for at, each in enumerate(choices)]
    trace = traced(answered(CHAT, sse(events) if stream else {"choices": whole}, n=2))
    assert called(trace) == [("refund", {})]
    call = model_call(trace)
    assert call.reply is not None
    assert call.reply.text == "I would rather not."
    assert [[made.name for made in other.tool_calls] for other in call.others] == [["refund"]]


@pytest.mark.parametrize("stream", [False, True])
def test_legacy_functions_are_offered_and_called(stream: bool) -> None:
    """``functions`` and ``function_call``, which old clients still send, with their results."""
    first = {"name": "refund", "arguments": '{"id"'}
    message = {"content": None, "function_call": {"name": "refund", "arguments": '{"id": 7}'}}
    events = [
        chunk({"function_call": first}),
        chunk({"function_call": {"arguments": ": 7}"}}),
        chunk({}, "function_call"),
    ]
    body = {"choices": [{"message": message, "finish_reason": "function_call"}]}
    asked = {"role": "user", "content": "Please."}
    told = {"role": "function", "name": "refund", "content": "done"}
    offered = {"functions": [{"name": "refund", "parameters": {}}]}
    trace = traced(
        answered(CHAT, sse(events) if stream else body, **offered),
        answered(
            CHAT,
            {"choices": [{"message": {"content": "Refunded."}}]},
            at=2,
            messages=[asked, {"role": "assistant", **message}, told],
            **offered,
        ),
    )
    assert [call.tools for call in trace.model_calls] == [("refund",)] * 2
    ((call,),) = [trace.tool_calls]
    assert (call.name, call.arguments, call.result) == ("refund", {"id": 7}, "done")
    assert not any(call.linked or call.unsure for call in trace.model_calls)


def test_a_choice_without_a_message_says_why() -> None:
    """A filter that stops a reply before its first word; what the request took still counts."""
    body = {
        "choices": [{"index": 0, "finish_reason": "content_filter"}],
        "usage": {"prompt_tokens": 15, "completion_tokens": 1, "total_tokens": 16},
    }
    call = model_call(traced(answered(CHAT, body)))
    assert (call.error, call.stop) == (None, StopReason.CONTENT_FILTER)
    assert call.usage is not None
    assert call.usage.input_tokens == 15


STREAMED_ITEM = [
    {"type": "response.created", "response": responds([], "in_progress")},
    {"type": "response.output_item.added", "output_index": 0, "item": function_call("refund", "")},
    {
        "type": "response.function_call_arguments.delta",
        "output_index": 0,
        "item_id": "fc_call_1",
        "delta": '{"id": 7}',
    },
    {"type": "response.output_item.done", "output_index": 0, "item": function_call("refund", '{"id": 7}')},
]


@pytest.mark.parametrize(
    "last",
    [
        responds([]),
        {key: value for key, value in responds([]).items() if key != "output"},
        responds([]) | {"output": None},
        responds([{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hm."}]}]),
        responds([function_call("refund", '{"id": 7}')]),
        responds([], "incomplete", incomplete_details={"reason": "max_output_tokens"}),
    ],
    ids=["empty", "missing", "null", "without the call", "with the call", "incomplete"],
)
def test_items_that_were_streamed_are_the_reply_whatever_the_last_frame_holds(last: dict[str, Any]) -> None:
    """Some servers leave the output of the last frame empty; a call is counted once."""
    trace = traced(answered(RESPONSES, sse([*STREAMED_ITEM, {"type": "response.completed", "response": last}])))
    assert called(trace) == [("refund", {"id": 7})]
    assert model_call(trace).error is None


TOOL_STREAM: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 9, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "refund"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"id": 7}'}},
    {"type": "content_block_stop", "index": 0},
]
CHAT_CALL = piece("refund", '{"id": 7}', index=0, id="a")


@pytest.mark.parametrize(
    ("api", "events"),
    [
        (ANTHROPIC, TOOL_STREAM),
        (ANTHROPIC, TOOL_STREAM[:3]),
        (RESPONSES, STREAMED_ITEM),
        (RESPONSES, STREAMED_ITEM[:3]),
        (CHAT, [chunk({"tool_calls": [CHAT_CALL]})]),
    ],
    ids=["block stop", "whole arguments", "item done", "whole item arguments", "whole chat arguments"],
)
def test_a_call_that_had_arrived_whole_counts_where_the_agent_left_the_stream(
    api: Api, events: list[dict[str, Any]]
) -> None:
    """It is a call; what the reply took is unknown."""
    trace = traced(answered(api, sse(events), ending=Ending.ABANDONED))
    assert called(trace) == [("refund", {"id": 7})]
    call = model_call(trace)
    assert call.usage is None
    assert call.error is not None
    assert "abandoned" in call.error


@pytest.mark.parametrize(
    ("api", "events"),
    [
        (
            ANTHROPIC,
            [*TOOL_STREAM[:2], {**TOOL_STREAM[2], "delta": {"type": "input_json_delta", "partial_json": '{"'}}],
        ),
        (ANTHROPIC, TOOL_STREAM[:2]),
        (RESPONSES, STREAMED_ITEM[:2]),
        (CHAT, [chunk({"tool_calls": [piece("refund", '{"id"', index=0, id="a")]})]),
        (CHAT, [chunk({"function_call": {"name": "refund", "arguments": '{"id"'}})]),
    ],
    ids=["anthropic", "anthropic without arguments", "responses", "chat", "legacy function"],
)
def test_a_call_that_is_cut_short_is_none_and_is_named(api: Api, events: list[dict[str, Any]]) -> None:
    """Nobody can tell what the agent made of it."""
    trace = traced(answered(api, sse(events), ending=Ending.ABANDONED))
    assert called(trace) == []
    (hidden,) = trace.hidden_calls
    assert hidden.startswith("turn 1 holds a call of `refund` whose arguments had not all arrived")


def test_a_chat_stream_without_a_finish_reason_is_whole_once_it_said_so() -> None:
    """Some servers end with ``[DONE]`` alone."""
    call = model_call(traced(answered(CHAT, sse([chunk({"content": "Hi"})], done=True))))
    assert (call.error, call.stop) == (None, StopReason.OTHER)
    broken = model_call(traced(answered(CHAT, sse([chunk({"content": "Hi"})]))))
    assert broken.error is not None
    assert broken.reply is not None
    assert broken.reply.text == "Hi"


def test_what_arrived_before_a_broken_event_counts() -> None:
    """An event that is not JSON ends the stream for a client; what came before it was delivered."""
    body = sse([chunk({"tool_calls": [CHAT_CALL]})]) + b"data: {oops\n\n"
    trace = traced(answered(CHAT, body))
    assert called(trace) == [("refund", {"id": 7})]
    assert "not JSON" in str(model_call(trace).error)


def test_a_whole_call_in_a_failed_attempt_is_possible_and_not_counted() -> None:
    """The same request was sent again, so the conversation holds one call; whether the first ran, nobody can tell."""
    broken = answered(ANTHROPIC, sse(TOOL_STREAM), ending=Ending.RESET)
    reply = {"content": [{"type": "tool_use", "id": "u", "name": "find", "input": {}}], "stop_reason": "tool_use"}
    trace = traced(broken, answered(ANTHROPIC, reply, at=5))
    assert called(trace) == [("find", {})]
    assert [(turn, call.name) for turn, call in trace.possible_calls] == [(1, "refund")]


CLIENT_RUN = [
    ("shell", {"type": "shell_call", "action": {"commands": ["rm -rf build"]}}, {"commands": ["rm -rf build"]}),
    ("local_shell", {"type": "local_shell_call", "action": {"command": ["rm"]}}, {"command": ["rm"]}),
    ("apply_patch", {"type": "apply_patch_call", "operation": {"path": "a.py"}}, {"path": "a.py"}),
    ("computer_use_preview", {"type": "computer_call", "action": {"type": "click"}}, {"type": "click"}),
    ("computer", {"type": "computer_call", "actions": [{"type": "wait"}]}, [{"type": "wait"}]),
    ("tool_search", {"type": "tool_search_call", "execution": "client", "arguments": {"q": "x"}}, {"q": "x"}),
]


@pytest.mark.parametrize(("offered", "item", "arguments"), CLIENT_RUN, ids=[each[0] for each in CLIENT_RUN])
@pytest.mark.parametrize("stream", [False, True])
def test_tools_that_the_client_runs_for_the_provider_are_calls(
    offered: str, item: dict[str, Any], arguments: Any, stream: bool
) -> None:
    """Under the name by which they were offered, with what the client sends back."""
    item = {"id": "i", "call_id": "c", "status": "completed", **item}
    tools = [{"type": offered}]
    whole = responds([item])
    events = [{"type": "response.output_item.done", "item": item}, {"type": "response.completed", "response": whole}]
    result = {"type": f"{item['type']}_output", "call_id": "c", "output": "done"}
    if item["type"] == "tool_search_call":
        result = {"type": "tool_search_output", "call_id": "c", "execution": "client", "tools": [{"name": "found"}]}
    trace = traced(
        answered(RESPONSES, sse(events) if stream else whole, tools=tools),
        answered(RESPONSES, responds([]) | {"output": [function_call("noop", "{}")]}, at=2, tools=tools, input=[
            {"role": "user", "content": "Please."}, item, result,
        ]),
    )  # fmt: skip
    call = trace.tool_calls[0]
    assert (call.name, call.arguments, call.at_provider) == (offered, arguments, False)
    assert call.result == ('["found"]' if offered == "tool_search" else "done")


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ({"type": "shell_call", "environment": {"type": "container_reference"}, "action": {"commands": []}}, "shell"),
        ({"type": "tool_search_call", "execution": "server", "arguments": {}}, "tool_search"),
        ({"type": "program", "code": "1"}, "program"),
    ],
)
def test_the_same_tools_at_the_provider_are_the_providers(item: dict[str, Any], name: str) -> None:
    """A hosted shell, the provider's own search of tools, and the model's programs."""
    (call,) = traced(answered(RESPONSES, responds([{"id": "i", "call_id": "c", **item}]))).tool_calls
    assert (call.name, call.at_provider) == (name, True)


def polled(body: Any, at: int, method: str = "GET", path: str = "/resp_1", **kwargs: Any) -> Exchange:
    """A later request for a response."""
    asked = HttpRequest(method=method, uri=f"https://api.openai.com/v1/responses{path}")
    return answered(RESPONSES, body, at=at, **kwargs).model_copy(update={"request": asked})


QUEUED = responds([], "queued", background=True, usage=None)
ENDED = responds([function_call("refund", "{}")], background=True, usage={"input_tokens": 3, "output_tokens": 2})


def test_a_polled_background_response_is_one_call_with_what_came_last() -> None:
    """However often it was asked for; it lasts until the last answer."""
    trace = traced(
        answered(RESPONSES, QUEUED, background=True),
        polled(QUEUED | {"status": "in_progress"}, 2),
        polled({"error": {"message": "try again"}}, 3, status=500),
        polled(ENDED, 4, path="/resp_1?include=x"),
    )
    assert called(trace) == [("refund", {})]
    call = model_call(trace)
    assert (call.polls, trace.model_requests, call.duration) == ((2, 3, 4), 1, 5_000_000_000)
    assert call.usage is not None
    assert trace.hidden_calls == ()
    assert not any(isinstance(event, HttpCall) for event in trace.events)


def test_a_stream_that_is_taken_up_again_is_one() -> None:
    """A background stream that was lost, asked for from an event on: each event counts once."""
    events = [
        {**event, "sequence_number": number}
        for number, event in enumerate([*STREAMED_ITEM, {"type": "response.completed", "response": responds([])}])
    ]
    lost = answered(RESPONSES, sse(events[:3]), ending=Ending.RESET, background=True, stream=True)
    trace = traced(lost, polled(sse(events[2:]), 3, path="/resp_1?stream=true&starting_after=1"))
    assert called(trace) == [("refund", {"id": 7})]
    assert model_call(trace).error is None


def test_a_background_response_that_was_never_seen_to_end_is_unknown() -> None:
    """What it did until then, or after, nobody saw."""
    trace = traced(answered(RESPONSES, QUEUED, background=True), polled(QUEUED, 2))
    assert trace.hidden_calls == ("turn 1 holds a background response that was not seen to end",)


@pytest.mark.parametrize(
    ("method", "path", "hides"),
    [
        ("GET", "/resp_of_another", True),
        ("POST", "/resp_of_another/cancel", True),
        ("GET", "/resp_of_another/input_items", False),
        ("DELETE", "/resp_of_another", False),
    ],
)
def test_a_response_that_this_recording_did_not_begin_is_not_read(method: str, path: str, hides: bool) -> None:
    """It may hold calls; its deletion and its inputs don't."""
    trace = traced(polled(ENDED, 0, method, path))
    assert bool(trace.hidden_calls) is hides


@pytest.mark.parametrize(
    ("uri", "hides"),
    [
        ("https://generativelanguage.googleapis.com/v1beta/models/gemini-3-pro:generateContent", True),
        ("https://bedrock-runtime.us-east-1.amazonaws.com/model/x/converse", True),
        ("http://127.0.0.1:11434/api/chat", True),
        ("https://api.openai.com/v1/chat/completions/chatcmpl_1", True),
        ("https://api.openai.com/v1/embeddings", False),
        ("https://api.openai.com/v1/moderations", False),
        ("https://example.org/tides", False),
    ],
)
def test_an_api_that_is_not_read_hides_calls_where_it_can_make_them(uri: str, hides: bool) -> None:
    """Of embeddings and of other traffic no tool can be asked for; an error answer asks for none either."""
    made = answered(CHAT, {"ok": True}).model_copy(update={"request": HttpRequest(method="POST", uri=uri, body=b"{}")})
    assert bool(traced(made).hidden_calls) is hides
    refused = made.model_copy(update={"response": made.response.model_copy(update={"status": 403})})
    assert traced(refused).hidden_calls == ()


@pytest.mark.parametrize(
    ("api", "body", "note"),
    [
        (RESPONSES, responds([{"type": "telepathy_call", "call_id": "c"}]), "an output item of type `telepathy_call`"),
        (ANTHROPIC, {"content": [{"type": "telepathy_use"}]}, "a content block of type `telepathy_use`"),
        (
            CHAT,
            {"choices": [{"message": {"tool_calls": [{"type": "telepathy", "id": "a"}]}}]},
            "a tool call of type `telepathy` without a name",
        ),
    ],
)
def test_content_of_an_unknown_type_is_named(api: Api, body: Any, note: str) -> None:
    """It may be a call, so checks that depend on calls can't be told."""
    assert traced(answered(api, body)).hidden_calls == (f"turn 1 holds {note}",)


def test_a_custom_kind_of_chat_call_goes_by_the_name_under_its_type() -> None:
    """A type of call that we do not know, in the form that all of them have."""
    calls = [{"id": "a", "type": "grammar", "grammar": {"name": "refund", "input": "7"}}]
    body = {"choices": [{"message": {"tool_calls": calls}}]}
    assert called(traced(answered(CHAT, body))) == [("refund", 7)]


LISTING = {"type": "mcp_list_tools", "server_label": "wiki", "tools": [{"name": "delete_page"}, {"name": "read_page"}]}
MCP_CALL = {"type": "mcp_call", "id": "m", "name": "delete_page", "server_label": "wiki", "arguments": '{"id": 7}'}
SERVER = {"type": "mcp", "server_label": "wiki", "server_url": "https://wiki.example/mcp"}


@pytest.mark.parametrize(
    ("api", "body", "fields", "offered", "servers"),
    [
        (RESPONSES, responds([MCP_CALL]), {"tools": [SERVER]}, ("mcp",), ("wiki",)),
        (RESPONSES, responds([LISTING, MCP_CALL]), {"tools": [SERVER]}, ("mcp", "delete_page", "read_page"), ()),
        (
            RESPONSES,
            responds([MCP_CALL]),
            {"tools": [{**SERVER, "allowed_tools": {"tool_names": ["delete_page"]}}]},
            ("mcp", "delete_page"),
            (),
        ),
        (
            ANTHROPIC,
            {"content": [{"type": "mcp_tool_use", "id": "m", "name": "delete_page", "input": {"id": 7}}]},
            {"mcp_servers": [{"type": "url", "name": "wiki", "url": "https://wiki.example/mcp"}]},
            (),
            ("wiki",),
        ),
        (
            ANTHROPIC,
            {"content": [{"type": "mcp_tool_use", "id": "m", "name": "delete_page", "input": {"id": 7}}]},
            {
                "mcp_servers": [{"type": "url", "name": "wiki", "url": "https://wiki.example/mcp"}],
                "tools": [
                    {
                        "type": "mcp_toolset",
                        "mcp_server_name": "wiki",
                        "default_config": {"enabled": False},
                        "configs": {"delete_page": {"enabled": True}, "read_page": {"enabled": False}},
                    }
                ],
            },
            ("mcp_toolset", "delete_page"),
            (),
        ),
    ],
)
def test_tools_of_mcp_servers_go_by_their_own_names(
    api: Api, body: Any, fields: dict[str, Any], offered: tuple[str, ...], servers: tuple[str, ...]
) -> None:
    """Those that the request allows or the server lists are on offer; a server that lists nothing is named."""
    trace = traced(answered(api, body, **fields))
    assert called(trace) == [("delete_page", {"id": 7})]
    call = model_call(trace)
    assert (call.tools, call.servers) == (offered, servers)


def test_tools_in_name_spaces_and_found_by_a_search_are_on_offer() -> None:
    """By their own names, not by that of the space."""
    space = {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "find_customer"}]}
    found = {"type": "tool_search_output", "execution": "client", "call_id": "c", "tools": [{"name": "refund"}]}
    fields = {"tools": [space], "input": [{"role": "user", "content": "Please."}, found]}
    call = model_call(traced(answered(RESPONSES, responds([function_call("refund", "{}")]), **fields)))
    assert call.tools == ("find_customer", "refund")


def test_the_written_form_of_a_plain_call_says_nothing_more_than_before() -> None:
    """Baselines of earlier versions stay as they are."""
    body = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}
    written = json.loads(model_call(traced(answered(CHAT, body))).model_dump_json())
    assert not written.keys() & {"polls", "others", "unread", "servers"}
    assert written["reply"].keys() == {"role", "text", "tool_calls", "raw"}


def test_half_a_character_in_a_request_can_be_written_and_links_what_was_said() -> None:
    """Agents send back what the model said, in the prompt, in messages and in results."""
    half = json.loads('"a\\ud83d"')
    function = {"name": "refund", "arguments": json.dumps({"why": half})}
    said = {"role": "assistant", "content": half, "tool_calls": [{"id": "a", "function": function}]}
    asked = [{"role": "system", "content": half}, {"role": "user", "content": half}]
    told = [*asked, said, {"role": "tool", "tool_call_id": "a", "content": half}]
    trace = traced(
        answered(CHAT, {"choices": [{"message": said}]}, messages=asked),
        answered(CHAT, {"choices": [{"message": {"content": "Done."}}]}, at=2, messages=told),
    )
    assert [call.linked for call in trace.model_calls] == ["", ""]
    assert trace.tool_calls[0].result == "a\ufffd"
    assert "a\ufffd" in trace.model_dump_json()
