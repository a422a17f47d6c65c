"""A miss says what differs, where, and whose doing it is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.cassettes import ReplaySession, describe_unplayed
from harness.errors import CassetteMissError
from harness.records.exchange import Cassette, Exchange, HttpRequest, HttpResponse
from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.seams import RecordedClock

URI = "https://api.openai.com/v1/chat/completions"
SYSTEM = "You are a support agent.\nBe polite.\nLook the order up first.\nRefunds within 30 days.\nSign with Ada."


def tool(name: str, **parameters: str) -> dict[str, Any]:
    """A tool in chat form; every parameter is required."""
    schema = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in parameters.items()},
        "required": list(parameters),
    }
    return {"type": "function", "function": {"name": name, "description": f"{name} it", "parameters": schema}}


def asks(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    """The model calls a tool."""
    function = {"name": name, "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call_id, "type": "function", "function": function}],
    }


def result(call_id: str, content: str) -> dict[str, Any]:
    """The tool's answer."""
    return {"role": "tool", "tool_call_id": call_id, "content": content}


USER = {"role": "user", "content": "I want my money back for order 1042."}
FOUND = [asks("call_1", "find_order", '{"order_id": "1042"}'), result("call_1", '{"delivered": "2026-01-04"}')]
REFUSED = [asks("call_2", "refund", '{"order_id": "1042"}'), result("call_2", "error: 56 days old")]
BASE: dict[str, Any] = {
    "model": "gpt-5-mini",
    "messages": [{"role": "system", "content": SYSTEM}, USER],
    "tools": [tool("find_order", order_id="string"), tool("refund", order_id="string", reason="string")],
    "temperature": 0,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object", "properties": {"text": {"type": "string"}}}},
    },
}
TURNS = [BASE | {"messages": [*BASE["messages"], *extra]} for extra in ([], FOUND, [*FOUND, *REFUSED])]


def request(body: dict[str, Any], uri: str = URI, method: str = "POST") -> HttpRequest:
    """A request with this body."""
    return HttpRequest(method=method, uri=uri, body=json.dumps(body).encode())


def session_of(*requests: HttpRequest) -> ReplaySession:
    """A session over a recording of these requests."""
    exchanges = tuple(Exchange(request=each, response=HttpResponse(status=200)) for each in requests)
    return ReplaySession(Cassette(exchanges=exchanges), clock=RecordedClock())


def miss(*sent: HttpRequest, recorded: list[HttpRequest] | None = None) -> Mismatch:
    """The mismatch of the last request, after the others have been played."""
    session = session_of(*(recorded if recorded is not None else map(request, TURNS)))
    for each in sent[:-1]:
        session.meet(each)
    with pytest.raises(CassetteMissError) as caught:
        session.meet(sent[-1])
    assert session.mismatch is not None
    assert session.mismatch.cause in str(caught.value)
    assert session.mismatch.turn == len(sent)
    return session.mismatch


def edited(turn: int, edit: Callable[[dict[str, Any]], object]) -> HttpRequest:
    """The request of a turn, from 1, after an edit of its body."""
    body = copy.deepcopy(TURNS[turn - 1])
    edit(body)
    return request(body)


def of_tool(number: int, edit: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    """An edit of one tool's function."""
    return lambda body: edit(body["tools"][number]["function"])


def of_system(edit: Callable[[list[str]], object]) -> Callable[[dict[str, Any]], object]:
    """An edit of the system prompt's lines."""

    def change(body: dict[str, Any]) -> None:
        lines = SYSTEM.splitlines()
        edit(lines)
        body["messages"][0]["content"] = "\n".join(lines)

    return change


DEFINITIONS: dict[str, tuple[Callable[[dict[str, Any]], object], MismatchPart, str]] = {
    "model": (lambda b: b.update(model="gpt-5"), MismatchPart.MODEL, "model: gpt-5-mini → gpt-5"),
    "prompt line": (
        of_system(lambda lines: lines.__setitem__(3, "Refunds within 14 days.")),
        MismatchPart.SYSTEM_PROMPT,
        "system prompt, line 4",
    ),
    "prompt line added": (
        of_system(lambda lines: lines.insert(2, "Never guess.")),
        MismatchPart.SYSTEM_PROMPT,
        "system prompt, line 3 was added",
    ),
    "prompt line removed": (
        of_system(lambda lines: lines.pop(1)),
        MismatchPart.SYSTEM_PROMPT,
        "system prompt, line 2 was removed",
    ),
    "prompt in two places": (
        of_system(lambda lines: (lines.pop(), lines.__setitem__(0, "You help."))),
        MismatchPart.SYSTEM_PROMPT,
        "system prompt, line 1 (and 1 more place)",
    ),
    "prompt removed": (lambda b: b["messages"].pop(0), MismatchPart.SYSTEM_PROMPT, "system prompt: was removed"),
    "tool renamed": (
        of_tool(0, lambda t: t.update(name="lookup_order")),
        MismatchPart.TOOLS,
        "tool `find_order` was renamed to `lookup_order`",
    ),
    "tool removed": (lambda b: b["tools"].pop(), MismatchPart.TOOLS, "tool `refund` was removed"),
    "tool added": (
        lambda b: b["tools"].append(tool("escalate", why="string")),
        MismatchPart.TOOLS,
        "tool `escalate` was added",
    ),
    "tool description": (
        of_tool(1, lambda t: t.update(description="Pay back")),
        MismatchPart.TOOLS,
        "tool `refund`: description changed",
    ),
    "parameter required": (
        of_tool(1, lambda t: t["parameters"].update(required=["order_id"])),
        MismatchPart.TOOLS,
        "tool `refund`: parameter `reason` became optional",
    ),
    "parameter added": (
        of_tool(1, lambda t: t["parameters"]["properties"].update(amount={"type": "string"})),
        MismatchPart.TOOLS,
        "tool `refund`: parameter `amount` was added",
    ),
    "parameter removed": (
        of_tool(1, lambda t: t["parameters"]["properties"].pop("reason")),
        MismatchPart.TOOLS,
        "tool `refund`: parameter `reason` was removed",
    ),
    "parameter type": (
        of_tool(1, lambda t: t["parameters"]["properties"]["reason"].update(type="integer")),
        MismatchPart.TOOLS,
        'tool `refund`: parameter `reason`: type "string" → "integer"',
    ),
    "output schema": (
        lambda b: b["response_format"]["json_schema"]["schema"]["properties"].update(cites={"type": "array"}),
        MismatchPart.OUTPUT_SCHEMA,
        "output schema: `json_schema.schema.properties.cites` was added",
    ),
    "setting": (lambda b: b.update(temperature=1), MismatchPart.SETTINGS, "settings: temperature 0 → 1"),
    "setting added": (lambda b: b.update(seed=7), MismatchPart.SETTINGS, "settings: `seed` was added"),
    "unknown setting": (lambda b: b.pop("temperature"), MismatchPart.SETTINGS, "settings: `temperature` was removed"),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_what_the_author_changed_is_stale_and_named(name: str) -> None:
    """Each part of a definition, to the line or the field."""
    edit, part, cause = DEFINITIONS[name]
    found = miss(edited(1, edit))
    assert (found.kind, found.part, found.cause) == (MismatchKind.STALE, part, cause)
    assert found.recorded != found.current
    assert found.other_reading is None


def test_the_parts_that_differ_as_well_are_listed() -> None:
    """The first part leads, the others follow by name."""
    found = miss(edited(1, lambda b: b.update(model="gpt-5", temperature=1)))
    assert found.cause == "model: gpt-5-mini → gpt-5; also settings"


def test_another_endpoint_is_stale() -> None:
    """Nothing else is compared across endpoints."""
    found = miss(request({"model": "gpt-5-mini", "input": "Hi"}, "https://api.openai.com/v1/responses"))
    assert (found.kind, found.part) == (MismatchKind.STALE, MismatchPart.ENDPOINT)
    assert found.cause == "endpoint: /v1/chat/completions → /v1/responses"


def test_a_definition_that_changes_during_the_run_has_two_readings() -> None:
    """After a call that matched, the agent itself may have changed it: both readings are given."""
    found = miss(request(TURNS[0]), edited(2, lambda b: b.update(temperature=1)))
    assert (found.kind, found.part) == (MismatchKind.STALE, MismatchPart.SETTINGS)
    assert found.other_reading is not None
    assert found.other_reading.startswith("changed behaviour")


def test_the_prompt_diff_shows_both_lines() -> None:
    """The two sides hold the lines that differ."""
    found = miss(edited(1, DEFINITIONS["prompt line"][0]))
    assert (found.recorded, found.current) == ("Refunds within 30 days.", "Refunds within 14 days.")


def test_another_opening_is_stale() -> None:
    """Before the model has spoken, the conversation is the author's text."""
    found = miss(edited(1, lambda b: b["messages"][1].update(content="Where is my order?")))
    assert (found.kind, found.part) == (MismatchKind.STALE, MismatchPart.OPENING)
    assert found.cause == "opening, message 1 (user) differs"
    assert "money back" in found.recorded
    assert "Where is" in found.current
    assert found.other_reading is None


def test_an_opening_after_other_calls_has_two_readings() -> None:
    """A second agent's first message may be the author's or the first agent's work."""
    other = BASE | {"messages": [{"role": "system", "content": "You check."}, {"role": "user", "content": "Check A."}]}
    changed = other | {"messages": [other["messages"][0], {"role": "user", "content": "Check B."}]}
    found = miss(request(BASE), request(changed), recorded=[request(BASE), request(other)])
    assert (found.kind, found.part) == (MismatchKind.STALE, MismatchPart.OPENING)
    assert found.other_reading is not None


def test_another_tool_result_is_changed_behaviour() -> None:
    """The tool is named, and its two results stand side by side."""
    found = miss(request(TURNS[0]), edited(2, lambda b: b["messages"][3].update(content='{"delivered": null}')))
    assert (found.kind, found.part) == (MismatchKind.CHANGED, MismatchPart.CONVERSATION)
    assert found.cause == "result of tool `find_order` differs"
    assert "2026-01-04" in found.recorded
    assert "null" in found.current


def test_a_tool_error_kept_from_the_model_is_changed_behaviour() -> None:
    """A result that is left out is missing by name."""
    found = miss(request(TURNS[0]), request(TURNS[1]), edited(3, lambda b: b["messages"].pop()))
    assert (found.kind, found.part) == (MismatchKind.CHANGED, MismatchPart.CONVERSATION)
    assert found.cause == "result of tool `refund` is missing"


def test_a_further_call_is_changed_behaviour() -> None:
    """The agent goes on where the recording had ended."""
    more = TURNS[2] | {"messages": [*TURNS[2]["messages"], {"role": "user", "content": "Try harder."}]}
    found = miss(*map(request, TURNS), request(more))
    assert (found.kind, found.part) == (MismatchKind.CHANGED, MismatchPart.LENGTH)
    assert found.cause == (
        "the agent made a further call that the recording does not have: it goes on with message 6 (user)"
    )


def test_the_same_call_once_more_is_changed_behaviour() -> None:
    """A request whose recorded answers are used up."""
    found = miss(request(TURNS[0]), request(TURNS[0]))
    assert (found.kind, found.part) == (MismatchKind.CHANGED, MismatchPart.LENGTH)
    assert "further call that the recording does not have" in found.cause


@pytest.mark.parametrize(
    ("use", "answer"),
    [
        (
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "find_order", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "found"}]},
        ),
    ],
)
def test_anthropic_results_are_named(use: dict[str, Any], answer: dict[str, Any]) -> None:
    """In Anthropic's form a result stands in a user message."""
    uri = "https://api.anthropic.com/v1/messages"
    first = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    second = first | {"messages": [*first["messages"], use, answer]}  # type: ignore[misc]
    changed = copy.deepcopy(second)
    changed["messages"][2]["content"][0]["content"] = "lost"  # type: ignore[index]
    found = miss(request(first, uri), request(changed, uri), recorded=[request(first, uri), request(second, uri)])
    assert (found.kind, found.cause) == (MismatchKind.CHANGED, "result of tool `find_order` differs")


def test_responses_results_are_named() -> None:
    """In the Responses form a result is an item of its own."""
    uri = "https://api.openai.com/v1/responses"
    first: dict[str, Any] = {"model": "gpt-5-mini", "input": [{"role": "user", "content": "Hi"}]}
    use = {"type": "function_call", "call_id": "c1", "name": "find_order", "arguments": "{}"}
    answer = {"type": "function_call_output", "call_id": "c1", "output": "found"}
    second = first | {"input": [*first["input"], use, answer]}
    changed = first | {"input": [*first["input"], use, answer | {"output": "lost"}]}
    found = miss(request(first, uri), request(changed, uri), recorded=[request(first, uri), request(second, uri)])
    assert (found.kind, found.cause) == (MismatchKind.CHANGED, "result of tool `find_order` differs")


def test_another_query_is_a_matter_of_the_endpoint() -> None:
    """The same call at another API version."""
    found = miss(request(BASE, f"{URI}?api-version=2"))
    assert (found.kind, found.part, found.cause) == (
        MismatchKind.STALE,
        MismatchPart.ENDPOINT,
        "query: none → api-version=2",
    )


def test_a_tools_own_http_call_is_changed_behaviour_by_its_body() -> None:
    """A request that is no model call is compared by its fields, with the nearest that was not played."""
    uri = "http://shop.example/orders"
    recorded = [request({"id": 1, "at": 5}, uri), request({"id": 2, "at": 6}, uri)]
    found = miss(recorded[0], request({"id": 3, "at": 6}, uri), recorded=recorded)
    assert (found.kind, found.part) == (MismatchKind.CHANGED, MismatchPart.CONVERSATION)
    assert found.cause == "`POST /orders`: its body differs: id 2 → 3"
    assert found.differences[0].diff == ("- id: 2", "+ id: 3")
    assert (found.recorded, found.current) == ('{\n  "id": 2,\n  "at": 6\n}', '{\n  "id": 3,\n  "at": 6\n}')
    again = miss(*recorded, recorded[0], recorded=recorded)
    assert (again.part, again.cause.partition(":")[0]) == (
        MismatchPart.LENGTH,
        "the agent made a further call that the recording does not have",
    )


@pytest.mark.parametrize(("one", "other"), [(b"a\nb", b"a\nc"), (b'{"a": 1, "a": 2}', b'{"a": 2}')])
def test_a_body_that_is_no_plain_json_is_compared_by_its_lines(one: bytes, other: bytes) -> None:
    """Form data, or JSON with a key twice."""
    before, after = (HttpRequest(method="POST", uri="http://shop.example/orders", body=body) for body in (one, other))
    found = miss(after, recorded=[before])
    assert found.cause == "`POST /orders`: its body differs"
    assert found.differences[0].diff[-1].startswith("+")


def test_what_is_volatile_is_no_cause() -> None:
    """A place that takes no part in matching is not blamed either, wherever it lies."""
    volatile = ("tools.*.function.description", "response_format", "messages.*.name")

    def change(body: dict[str, Any]) -> None:
        body["tools"][0]["function"]["description"] = "Another."
        body["response_format"] = {"type": "json_object"}
        body["messages"][1]["name"] = "Ada"

    exchanges = tuple(Exchange(request=request(turn), response=HttpResponse(status=200)) for turn in TURNS)
    session = ReplaySession(Cassette(exchanges=exchanges), clock=RecordedClock(), volatile=volatile)
    session.meet(edited(1, change))
    with pytest.raises(CassetteMissError):
        session.meet(edited(2, lambda body: (change(body), body.update(temperature=1))))
    assert session.mismatch is not None
    assert session.mismatch.cause == "settings: temperature 0 → 1"


def test_an_unknown_request_names_itself() -> None:
    """A request to a place that the recording does not know."""
    found = miss(HttpRequest(method="GET", uri="http://new.example/x"))
    assert found.part is MismatchPart.ENDPOINT
    assert found.cause == "`GET http://new.example/x` is not in the recording"
    assert miss(request(BASE), recorded=[]).recorded == "the recording holds no exchange"


def test_the_first_miss_counts() -> None:
    """A second miss does not hide the first."""
    session = session_of(request(BASE))
    for model in ("gpt-5", "gpt-4"):
        with pytest.raises(CassetteMissError):
            session.meet(request(BASE | {"model": model}))
    assert session.mismatch is not None
    assert session.mismatch.cause == "model: gpt-5-mini → gpt-5"


def test_unplayed_exchanges_are_described() -> None:
    """Where the agent stopped early: the first call it did not make, and how many."""
    session = session_of(*map(request, TURNS))
    session.meet(request(TURNS[0]))
    found = describe_unplayed(session)
    assert (found.kind, found.part, found.turn) == (MismatchKind.CHANGED, MismatchPart.UNPLAYED, 2)
    assert found.cause == (
        "the agent stopped before call 2 of the recording: 2 of 3 recorded exchanges were not asked for"
    )
    assert "find_order" in found.recorded or "delivered" in found.recorded


def test_volatile_places_take_no_part() -> None:
    """What the project lists as volatile neither misses nor is blamed."""
    recorded = request(BASE | {"metadata": {"run": "a"}})
    exchanges = (Exchange(request=recorded, response=HttpResponse(status=200)),)
    session = ReplaySession(Cassette(exchanges=exchanges), clock=RecordedClock(), volatile=("metadata.run",))
    session.meet(request(BASE | {"metadata": {"run": "b"}}))
    with pytest.raises(CassetteMissError, match="call 2: the agent made a further call"):
        session.meet(request(BASE | {"metadata": {"run": "c"}}))


@pytest.mark.parametrize(
    ("now", "recorded_line", "current_line"),
    [
        ('{"delivered": "2026-02-01"}', '"delivered": "2026-01-04"', '"delivered": "2026-02-01"'),
        ('{"delivered":"2026-01-04"}', '{\\"delivered\\": \\"2026-01-04\\"}', '{\\"delivered\\":\\"2026-01-04\\"}'),
        ("not JSON {", '"delivered": "2026-01-04"', "not JSON {"),
    ],
    ids=["value", "white space", "text"],
)
def test_json_inside_a_message_is_laid_open(now: str, recorded_line: str, current_line: str) -> None:
    """A reader sees the differing key, and the raw text where only its white space differs."""
    sent = BASE | {"messages": [*BASE["messages"], FOUND[0], result("call_1", now)]}
    found = miss(request(TURNS[0]), request(sent))
    assert recorded_line in found.recorded
    assert current_line in found.current


def test_another_role_of_the_prompt_is_the_prompts() -> None:
    """A system message sent as another role is named as what it is, not as a setting."""
    found = miss(edited(1, lambda b: b["messages"][0].update(role="developer")))
    assert (found.kind, found.part) == (MismatchKind.STALE, MismatchPart.SYSTEM_PROMPT)
    assert found.cause == "system prompt: its role, or what else is said beside its text, changed"


def test_every_differing_place_is_shown() -> None:
    """Each part of the definition that differs comes with all its places: lines by number, fields by path."""

    def change(body: dict[str, Any]) -> None:
        lines = [*SYSTEM.splitlines(), "Be brief."]
        lines[1] = "Be kind."
        body["messages"][0]["content"] = "\n".join(lines)
        body["tools"][1]["function"]["parameters"]["required"] = ["order_id"]
        body["tools"][0]["function"]["description"] = "Find it.\nThen say so."
        body.update(temperature=1, seed=7)

    found = miss(edited(1, change))
    assert {each.part.value: each.diff for each in found.differences} == {
        "tools": (
            "  find_order.function.description",
            "-   1  find_order it",
            "+   1  Find it.",
            "+   2  Then say so.",
            '- refund.function.parameters.required: ["order_id", "reason"]',
            '+ refund.function.parameters.required: ["order_id"]',
        ),
        "system prompt": (
            "    1  You are a support agent.",
            "-   2  Be polite.",
            "+   2  Be kind.",
            "    3  Look the order up first.",
            "…",
            "    5  Sign with Ada.",
            "+   6  Be brief.",
        ),
        "settings": ("- temperature: 0", "+ temperature: 1", "+ seed: 7"),
    }


def test_a_difference_in_the_conversation_is_shown() -> None:
    """A changed result of a tool comes with its differing lines."""
    later = copy.deepcopy(TURNS[1])
    later["messages"][-1]["content"] = '{"delivered": "2026-01-05"}'
    (difference,) = miss(request(TURNS[0]), request(later)).differences
    assert [line.split()[0] for line in difference.diff] == ["4", "-", "+", "6"]
    assert '"delivered": "2026-01-05"' in difference.diff[2]


def test_long_differences_are_cut() -> None:
    """A prompt that was replaced whole does not fill the results; what was left out is counted."""
    body = copy.deepcopy(TURNS[0])
    body["messages"][0]["content"] = "\n".join(f"Rule {number}. {'x' * 900}" for number in range(3_000))
    (difference,) = miss(request(body)).differences
    assert difference.diff[-1] == "… 2805 more lines"
    assert max(map(len, difference.diff)) == 400


@pytest.mark.parametrize("depth", [100, 300, 900, 5_000, 100_000])
def test_json_of_any_depth_is_a_miss(depth: int) -> None:
    """A request that can't be compared for its depth is refused like any other, with no error of our own."""
    deep = b'{"model": "m", "messages": [], "x": ' + b"[" * depth + b"]" * depth + b"}"
    exchanges = (Exchange(request=request(TURNS[0]), response=HttpResponse(status=200)),)
    session = ReplaySession(Cassette(exchanges=exchanges), clock=RecordedClock(), volatile=("messages.*.id",))
    with pytest.raises(CassetteMissError):
        session.meet(HttpRequest(method="POST", uri=URI, body=deep))
    assert session.mismatch is not None


MESSAGES = "https://api.anthropic.com/v1/messages"
RESPONSES = "https://api.openai.com/v1/responses"
TALK = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": "Who did it?"},
    {"role": "assistant", "content": "The butler."},
    {"role": "user", "content": "Why?"},
]


def said(uri: str, *messages: dict[str, Any], **more: Any) -> HttpRequest:
    """A model call with this conversation."""
    if uri == RESPONSES:
        return request({"model": "gpt-5-mini", "input": list(messages), **more}, uri)
    return request({"model": "m", "messages": list(messages), **more}, uri)


FORGOTTEN = {
    "a new agent each turn": (
        3,
        TALK[4:],
        "the agent left out 4 of the 5 messages so far, the first is message 1 (user)",
    ),
    "a history that is trimmed": (
        3,
        TALK[2:],
        "the agent left out 2 of the 5 messages so far, the first is message 1 (user)",
    ),
    "its middle left out": (
        3,
        [TALK[0], *TALK[3:]],
        "the agent left out 2 of the 5 messages so far, the first is message 2 (assistant)",
    ),
    "the model's own words left out": (
        2,
        [TALK[0], TALK[2]],
        "the agent left out 1 of the 3 messages so far, the first is message 2 (assistant)",
    ),
    "a summary in its place": (
        2,
        [{"role": "user", "content": "Greetings were exchanged."}, TALK[2]],
        "message 1 (user) differs",
    ),
}


@pytest.mark.parametrize(("turn", "sent", "cause"), FORGOTTEN.values(), ids=FORGOTTEN)
@pytest.mark.parametrize("uri", [URI, MESSAGES, RESPONSES])
def test_a_conversation_that_was_under_way_is_not_the_authors(
    uri: str, turn: int, sent: list[dict[str, Any]], cause: str
) -> None:
    """Once the model has spoken, what is missing before its words is behaviour, in each protocol."""
    recorded = [said(uri, *TALK[:count]) for count in (1, 3, 5)]
    found = miss(*recorded[: turn - 1], said(uri, *sent), recorded=recorded)
    assert (found.kind, found.part, found.cause) == (MismatchKind.CHANGED, MismatchPart.CONVERSATION, cause)
    assert found.recorded != found.current


def test_another_agents_opening_is_still_the_authors() -> None:
    """A second agent begins anew: its text may have been edited, or be the first agent's doing."""
    check = {"role": "user", "content": "Check the butler."}
    recorded = [said(URI, TALK[0]), said(URI, check), said(URI, *TALK[:3])]
    found = miss(recorded[0], said(URI, check | {"content": "Check the duke."}), recorded=recorded)
    assert (found.kind, found.part) == (MismatchKind.STALE, MismatchPart.OPENING)
    assert found.other_reading is not None


def test_examples_before_the_first_call_are_the_authors() -> None:
    """A model's words in the first request were written by the author: nothing had been asked yet."""
    found = miss(said(URI, TALK[0], {"role": "assistant", "content": "Ho"}, TALK[2]), recorded=[said(URI, *TALK[:3])])
    assert (found.kind, found.part) == (MismatchKind.STALE, MismatchPart.OPENING)
    assert (found.cause, found.other_reading) == ("opening, message 2 (assistant) differs", None)


def test_a_text_of_the_user_after_the_model_has_two_readings() -> None:
    """The agent wrote it by a template, which the author may have edited; a tool's result has one reading."""
    found = miss(
        said(URI, TALK[0]),
        said(URI, *TALK[:2], {"role": "user", "content": "Q: Who did it?"}),
        recorded=[said(URI, *TALK[:count]) for count in (1, 3)],
    )
    assert (found.kind, found.cause) == (MismatchKind.CHANGED, "message 3 (user) differs")
    assert str(found.other_reading).startswith("stale: ")
    assert miss(request(TURNS[0]), edited(2, lambda b: b["messages"][3].update(content="lost"))).other_reading is None


STORED = [said(RESPONSES, TALK[0]), said(RESPONSES, TALK[2], previous_response_id="resp_1")]
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "found"}


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        (said(RESPONSES, TALK[2]), "the conversation that the provider stores: `previous_response_id` was removed"),
        (
            said(RESPONSES, TALK[2], previous_response_id="resp_0"),
            'the conversation that the provider stores: previous_response_id "resp_1" → "resp_0"',
        ),
        (said(RESPONSES, TALK[4], previous_response_id="resp_1"), "message 1 (user) differs"),
    ],
    ids=["forgotten", "an earlier state", "another text"],
)
def test_what_the_provider_stores_is_the_conversation(sent: HttpRequest, cause: str) -> None:
    """An agent that goes on from another reply, or from none, changed its conversation, not its settings."""
    found = miss(STORED[0], sent, recorded=STORED)
    assert (found.kind, found.part, found.cause) == (MismatchKind.CHANGED, MismatchPart.CONVERSATION, cause)
    assert found.other_reading is not None


def test_a_result_in_a_stored_conversation_is_behaviour() -> None:
    """The call that it answers stands at the provider: the model has spoken all the same."""
    recorded = [STORED[0], said(RESPONSES, RESULT, previous_response_id="resp_1")]
    sent = said(RESPONSES, RESULT | {"output": "lost"}, previous_response_id="resp_1")
    found = miss(STORED[0], sent, recorded=recorded)
    assert (found.kind, found.cause, found.other_reading) == (MismatchKind.CHANGED, "tool result differs", None)


def test_a_stored_conversation_in_the_first_call_is_a_setting() -> None:
    """Nothing was asked before it, so the author chose it."""
    found = miss(said(RESPONSES, TALK[0]), recorded=[said(RESPONSES, TALK[0], conversation="conv_1")])
    assert (found.kind, found.part) == (MismatchKind.STALE, MismatchPart.SETTINGS)
    assert found.cause == "settings: `conversation` was removed"
