"""A request to another endpoint, and one that says the same in another form, are named for what they are."""

from __future__ import annotations

from typing import Any

import pytest

from harness.records.exchange import HttpRequest
from harness.records.mismatch import MismatchKind, MismatchPart
from tests.cassettes.test_mismatch import BASE, MESSAGES, RESPONSES, TALK, URI, USER, miss, request, said, session_of

GEMINI = "https://generativelanguage.googleapis.com/v1beta/models/{}:generateContent"
UNREAD = {
    "another model of Gemini": (GEMINI.format("gemini-2.5-pro"), GEMINI.format("gemini-2.5-flash")),
    "Bedrock": ("https://bedrock-runtime.eu-west-1.amazonaws.com/model/nova/converse", GEMINI.format("gemini-2.5-pro")),
    "embeddings": ("https://api.openai.com/v1/embeddings", URI),
    "one that is read": (URI, GEMINI.format("gemini-2.5-pro")),
    "a query": (f"{GEMINI.format('gemini-2.5-pro')}?alt=sse", GEMINI.format("gemini-2.5-pro")),
}


@pytest.mark.parametrize(("now", "before"), UNREAD.values(), ids=UNREAD)
@pytest.mark.parametrize("turn", [1, 2])
def test_another_endpoint_of_a_model_is_stale_at_any_turn(now: str, before: str, turn: int) -> None:
    """Whether or not we read the API; after a call that matched the agent may have chosen it itself."""
    lookup = HttpRequest(method="GET", uri="http://shop.example/orders/1")
    recorded = [lookup, request({"contents": []}, before)]
    found = miss(*recorded[: turn - 1], request({"contents": []}, now), recorded=recorded[2 - turn :])
    assert (found.kind, found.part) == (MismatchKind.STALE, MismatchPart.ENDPOINT)
    assert (found.other_reading is None) == (turn == 1)
    assert before in found.recorded


def test_another_stored_response_is_no_other_endpoint() -> None:
    """What the agent fetches after a call is its behaviour; what it newly does with it is the author's."""
    get, cancel = (("GET", f"{RESPONSES}/resp_2"), ("POST", f"{RESPONSES}/resp_1/cancel"))
    recorded = [said(RESPONSES, TALK[0]), HttpRequest(method="GET", uri=f"{RESPONSES}/resp_1")]
    for (method, uri), kind in ((get, MismatchKind.CHANGED), (cancel, MismatchKind.STALE)):
        found = miss(recorded[0], HttpRequest(method=method, uri=uri), recorded=recorded)
        assert (found.kind, found.part) == (kind, MismatchPart.ENDPOINT)


def test_the_body_of_an_api_that_is_not_read() -> None:
    """In the first call it is the author's text; later it may be either, and that is said."""
    recorded = [request({"input": text}, "https://api.openai.com/v1/embeddings") for text in ("a", "b")]
    first = miss(request({"input": "x"}, recorded[0].uri), recorded=recorded)
    assert (first.kind, first.part, first.other_reading) == (MismatchKind.STALE, MismatchPart.OPENING, None)
    assert first.cause == '`POST /v1/embeddings`: its body differs: input "a" → "x"'
    later = miss(recorded[0], request({"input": "x"}, recorded[0].uri), recorded=recorded)
    assert (later.kind, later.part) == (MismatchKind.CHANGED, MismatchPart.CONVERSATION)
    assert str(later.other_reading).endswith("what is said to embeddings is not read")


def test_a_tools_new_address_is_behaviour() -> None:
    """A service that is no model is the business of the agent's code."""
    recorded = [request(BASE), HttpRequest(method="GET", uri="http://shop.example/orders/1")]
    found = miss(recorded[0], HttpRequest(method="GET", uri="http://shop.example/parcels/1"), recorded=recorded)
    assert (found.kind, found.part, found.other_reading) == (MismatchKind.CHANGED, MismatchPart.ENDPOINT, None)


BLOCK = {"type": "text", "text": "Be brief."}
PLAIN: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "Anthropic": (MESSAGES, {"messages": [USER], "system": "Be brief."}, {"messages": [USER], "system": [BLOCK]}),
    "chat": (
        URI,
        {"messages": [{"role": "system", "content": "Be brief."}, USER]},
        {"messages": [{"role": "system", "content": [BLOCK]}, USER]},
    ),
    "responses": (
        RESPONSES,
        {"input": [{"role": "developer", "content": "Be brief."}, USER]},
        {"input": [{"role": "developer", "content": [BLOCK | {"type": "input_text"}]}, USER]},
    ),
    "input": (RESPONSES, {"input": "Hi"}, {"input": [{"role": "user", "content": "Hi"}]}),
}


@pytest.mark.parametrize(("uri", "text", "block"), PLAIN.values(), ids=PLAIN)
def test_a_prompt_as_text_and_as_a_block_is_the_same(uri: str, text: dict[str, Any], block: dict[str, Any]) -> None:
    """Either is answered by a recording of the other, in each protocol."""
    for one, other in ((text, block), (block, text)):
        session_of(request({"model": "m", **one}, uri)).meet(request({"model": "m", **other}, uri))


FORMS: dict[str, tuple[str, dict[str, Any], dict[str, Any], MismatchPart]] = {
    "two blocks and one text": (
        MESSAGES,
        {"system": "Be brief.\n\nBe kind."},
        {"system": [BLOCK, {"type": "text", "text": "Be kind."}]},
        MismatchPart.SYSTEM_PROMPT,
    ),
    "two parts and one text": (
        URI,
        {"messages": [{"role": "system", "content": "Be brief.\n\nBe kind."}, USER]},
        {"messages": [{"role": "system", "content": [BLOCK, {"type": "text", "text": "Be kind."}]}, USER]},
        MismatchPart.SYSTEM_PROMPT,
    ),
    "instructions and a message": (
        RESPONSES,
        {"instructions": "Be brief.", "input": [USER]},
        {"input": [{"role": "system", "content": "Be brief."}, USER]},
        MismatchPart.SYSTEM_PROMPT,
    ),
    "no tools and an empty list": (URI, {}, {"tools": []}, MismatchPart.TOOLS),
    "two fields for one schema": (
        MESSAGES,
        {"output_format": {"type": "json_schema"}},
        {"output_config": {"format": {"type": "json_schema"}}},
        MismatchPart.OUTPUT_SCHEMA,
    ),
}


@pytest.mark.parametrize(("uri", "before", "now", "part"), FORMS.values(), ids=FORMS)
def test_what_reads_the_same_and_is_written_otherwise_is_named(
    uri: str, before: dict[str, Any], now: dict[str, Any], part: MismatchPart
) -> None:
    """The field that differs leads, and both sides show it."""
    held = {} if uri == RESPONSES else {"messages": [USER]}
    one, other = (request({"model": "m", **held, **each}, uri) for each in (before, now))
    found = miss(other, recorded=[one])
    assert (found.kind, found.part) == (MismatchKind.STALE, part)
    assert found.cause.startswith(part.value)
    assert found.recorded != found.current
    assert found.differences[0].diff


def test_bytes_that_readers_take_differently_are_shown() -> None:
    """A key that stands twice counts byte for byte; the lines show it."""
    twice = HttpRequest(method="POST", uri=URI, body=request(BASE).body.replace(b"{", b'{"model": "x", ', 1))
    found = miss(twice, recorded=[request(BASE)])
    assert (found.kind, found.cause) == (MismatchKind.STALE, "the body is written otherwise")
    assert found.differences[0].diff


def test_another_host_of_the_recording_is_named() -> None:
    """Of two providers that are asked the same, an agent that asks one of them twice was pointed elsewhere."""
    other = "https://gateway.example/v1/chat/completions"
    found = miss(request(BASE), request(BASE), recorded=[request(BASE), request(BASE, other)])
    assert (found.kind, found.part) == (MismatchKind.STALE, MismatchPart.ENDPOINT)
    assert found.cause == "host: https://gateway.example → https://api.openai.com"
    assert found.other_reading is not None


def test_the_endpoint_decides_which_recorded_call_is_nearest() -> None:
    """An edited call is compared with a recorded one of its own endpoint, though another comes before it."""
    recorded = [said(MESSAGES, USER), said(URI, USER)]
    assert miss(said(URI, USER, temperature=1), recorded=recorded).cause == "settings: `temperature` was added"
