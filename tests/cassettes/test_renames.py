"""What was declared to be the same under another name replays; nothing else does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cassettes import ReplaySession
from harness.errors import BadInputError, CassetteMissError
from harness.records.exchange import Cassette, Chunk, Exchange, HttpRequest, HttpResponse
from harness.records.mismatch import MismatchPart
from harness.records.renames import Renames
from harness.seams import RecordedClock
from harness.settings import load_project

CHAT = "https://api.openai.com/v1/chat/completions"
RESPONSES = "https://api.openai.com/v1/responses"
MESSAGES = "https://api.anthropic.com/v1/messages"
TOOLS = Renames(tools={"lookup": "find_order"})


def exchange(body: Any, reply: Any = None, uri: str = CHAT, **response: Any) -> Exchange:
    """A recorded exchange."""
    raw = reply if isinstance(reply, bytes) else json.dumps(reply or {}).encode()
    request = HttpRequest(method="POST", uri=uri, body=json.dumps(body).encode())
    return Exchange(request=request, response=HttpResponse(status=200, body=raw, **response))


def session_of(renames: Renames, *exchanges: Exchange) -> ReplaySession:
    """A session over them."""
    return ReplaySession(Cassette(exchanges=exchanges), clock=RecordedClock(), renames=renames)


def ask(session: ReplaySession, body: Any, uri: str = CHAT) -> Exchange:
    """The exchange that answers."""
    return session.meet(HttpRequest(method="POST", uri=uri, body=json.dumps(body).encode())).exchange


def chat(name: str, **more: Any) -> dict[str, Any]:
    """A chat request that offers, demands and has called a tool."""
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": '{"name": "lookup"}'}}
    return {
        "model": "m",
        "messages": [
            {"role": "user", "content": "lookup"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "name": name, "content": "found"},
        ],
        "tools": [{"type": "function", "function": {"name": name, "parameters": {"name": "lookup"}}}],
        "tool_choice": {"type": "function", "function": {"name": name}},
        **more,
    }


def chat_reply(name: str) -> dict[str, Any]:
    """Its reply, which calls the tool and speaks of it."""
    call = {"id": "call_2", "type": "function", "function": {"name": name, "arguments": '{"name": "lookup"}'}}
    return {"choices": [{"message": {"role": "assistant", "content": 'use "lookup"', "tool_calls": [call]}}]}


def responses(name: str) -> dict[str, Any]:
    """The same in the Responses form."""
    return {
        "model": "m",
        "input": [{"type": "function_call", "call_id": "c", "name": name, "arguments": "{}"}],
        "tools": [{"type": "function", "name": name, "parameters": {}}],
    }


def messages(name: str) -> dict[str, Any]:
    """The same in Anthropic's form."""
    return {
        "model": "m",
        "messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": name, "input": {}}]}],
        "tools": [{"name": name, "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": name},
    }


def output(name: str) -> dict[str, Any]:
    """A reply in the Responses form, which repeats the tools."""
    return {"output": [{"type": "function_call", "name": name, "arguments": "{}"}], "tools": [{"name": "lookup"}]}


def content(name: str) -> dict[str, Any]:
    """A reply in Anthropic's form whose arguments look like a call."""
    inner = {"type": "tool_use", "name": "lookup"}
    return {"content": [{"type": "tool_use", "id": "t", "name": name, "input": {"name": "lookup", "x": inner}}]}


FORMS = {
    "chat": (CHAT, chat, chat_reply),
    "responses": (RESPONSES, responses, output),
    "anthropic": (MESSAGES, messages, content),
}


@pytest.mark.parametrize(("uri", "body", "reply"), FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(("recorded", "today"), [("lookup", "find_order"), ("find_order", "lookup")])
def test_a_renamed_tool_replays(uri: str, body: Any, reply: Any, recorded: str, today: str) -> None:
    """In both directions: the reply calls the tool by the name that the request offers, and says the rest as it was."""
    renames = Renames(tools={"lookup": "find_order"})
    session = session_of(renames, exchange(body(recorded), reply(recorded), uri))
    answered = ask(session, body(today), uri)
    assert json.loads(answered.response.body) == reply(today)
    assert json.loads(answered.request.body) == body(today)
    assert renames.used == {("tools", "lookup")}
    assert session.unplayed == ()


def test_the_same_name_is_left_alone() -> None:
    """Where nothing was renamed the reply comes byte for byte, and the rename is not used."""
    renames = Renames(tools={"lookup": "find_order"})
    recorded = exchange(chat("lookup"), chat_reply("lookup"))
    assert ask(session_of(renames, recorded), chat("lookup")) == recorded
    assert renames.used == set()


def test_streams_keep_their_chunks() -> None:
    """A streamed call is renamed in its event; every chunk comes at its time, and none is lost."""
    deltas = [{"index": 0, "id": "c", "function": {"name": "lookup", "arguments": ""}}, {"index": 0, "function": {}}]
    events = [
        b"data: %s\n\n" % json.dumps({"choices": [{"delta": {"tool_calls": [each]}}]}).encode() for each in deltas
    ]
    events.append(b"data: [DONE]\n\n")
    raw = b"".join(events)
    for cut in range(1, len(raw)):
        chunks = (Chunk(size=cut, at=1), Chunk(size=len(raw) - cut, at=2))
        headers = (("content-type", "text/event-stream"),)
        session = session_of(TOOLS, exchange(chat("lookup"), raw, headers=headers, chunks=chunks))
        response = ask(session, chat("find_order")).response
        assert b'"name":"find_order"' in response.body
        assert b"lookup" not in response.body
        assert response.body.startswith(b"data: ")
        assert response.body.endswith(events[1] + events[2])
        assert [chunk.at for chunk in response.chunks] == [1, 2]
        assert sum(chunk.size for chunk in response.chunks) == len(response.body)


def test_models_and_endpoints() -> None:
    """A model's other name and a gateway's prefix are no difference, in both directions."""
    renames = Renames(
        models={"gpt-5-mini-2026-01": "gpt-5-mini"},
        endpoints={"/openai/v1": "/v1", "https://gateway.example/search": "https://search.example"},
    )
    gateway = "https://gateway.example/openai/v1/chat/completions"
    old, new = {"model": "gpt-5-mini-2026-01", "messages": []}, {"model": "gpt-5-mini", "messages": []}
    for recorded, today in (((old, gateway), (new, CHAT)), ((new, CHAT), (old, gateway))):
        renames.used.clear()
        ask(session_of(renames, exchange(recorded[0], uri=recorded[1])), *today)
        assert renames.used == {("models", "gpt-5-mini-2026-01"), ("endpoints", "/openai/v1")}
    for recorded_at, today_at in (
        ("gateway.example/search", "search.example"),
        ("search.example", "gateway.example/search"),
    ):
        ask(
            session_of(renames, exchange({"q": 1}, uri=f"https://{recorded_at}/x?a=1")),
            {"q": 1},
            f"https://{today_at}/x?a=1",
        )
        with pytest.raises(CassetteMissError):
            ask(
                session_of(renames, exchange({"q": 1}, uri=f"https://{recorded_at}er/x")),
                {"q": 1},
                f"https://{today_at}/x",
            )


def test_two_names_in_one_recording_are_two_things() -> None:
    """Where a recording holds both names, neither answers for the other."""
    models = Renames(models={"a": "b"})
    both = [exchange({"model": name, "messages": []}, {"from": name}) for name in "ab"]
    session = session_of(models, *both)
    assert json.loads(ask(session, {"model": "b", "messages": []}).response.body) == {"from": "b"}
    with pytest.raises(CassetteMissError):
        ask(session, {"model": "b", "messages": []})
    two = chat("lookup", tools=[{"type": "function", "function": {"name": name}} for name in ("lookup", "find_order")])
    other = json.loads(
        json.dumps(two).replace(
            '"role": "tool", "tool_call_id": "call_1", "name": "lookup"',
            '"role": "tool", "tool_call_id": "call_1", "name": "find_order"',
        )
    )
    with pytest.raises(CassetteMissError):
        ask(session_of(TOOLS, exchange(two)), other)


def test_a_request_with_both_names_is_not_folded() -> None:
    """Today's request that offers both tools is not what was recorded with one."""
    tools = [{"type": "function", "function": {"name": name}} for name in ("lookup", "find_order")]
    with pytest.raises(CassetteMissError):
        ask(session_of(TOOLS, exchange(chat("lookup"))), chat("find_order", tools=tools))


def test_what_differs_beside_the_name_is_drift() -> None:
    """A rename hides nothing else: the cause is what changed, not the name."""
    session = session_of(TOOLS, exchange(chat("lookup")))
    with pytest.raises(CassetteMissError):
        ask(session, chat("find_order", temperature=1))
    assert session.mismatch is not None
    assert [each.part for each in session.mismatch.differences] == [MismatchPart.SETTINGS]


def test_a_service_of_the_users_own_has_no_tools() -> None:
    """Only a call of a model API has models and tools; another body is compared as it is."""
    renames = Renames(models={"a": "b"}, tools={"lookup": "find_order"})
    with pytest.raises(CassetteMissError):
        ask(
            session_of(renames, exchange({"model": "a"}, uri="https://own.example/x")),
            {"model": "b"},
            "https://own.example/x",
        )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "needs tables"),
        ("{prompts = {a = 'b'}}", "has no 'prompts'; known: models, tools, endpoints"),
        ("{tools = {a = 1}}", "'a' = 1 is no name"),
        ("{tools = {a = 'b', b = 'c'}}", "'b' is renamed itself"),
        ("{endpoints = {'/a' = 'https://b'}}", "needs two paths"),
        ("{endpoints = {a = 'b'}}", "needs two paths"),
    ],
)
def test_settings_at_fault(tmp_path: Path, text: str, says: str) -> None:
    """A rename that can't be meant is bad input."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.harness]\nrenames = {text}\n", encoding="utf-8")
    with pytest.raises(BadInputError, match=says):
        load_project(tmp_path)
