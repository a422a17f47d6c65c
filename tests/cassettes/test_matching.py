"""A request finds the answer to itself, and never that of another."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cassettes.canonical import canonical_key, raw_key
from harness.cassettes.matching import Index
from harness.records.exchange import Exchange, HttpRequest, HttpResponse
from harness.records.renames import Renames

CHAT = "https://api.openai.com/v1/chat/completions"


def call(call_id: str, **arguments: Any) -> list[dict[str, Any]]:
    """An assistant's tool call and its result, in chat form."""
    function = {"name": "find_order", "arguments": json.dumps(arguments)}
    return [
        {"role": "assistant", "tool_calls": [{"id": call_id, "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": call_id, "content": "found"},
    ]


BODY: dict[str, Any] = {
    "model": "gpt-5-mini",
    "messages": [{"role": "user", "content": "Hi"}, *call("call_1", id="1042"), *call("call_2", id="1043")],
    "tools": [{"type": "function", "function": {"name": name}} for name in ("find_order", "refund")],
    "metadata": {"run": "a"},
}


def request(body: Any, uri: str = CHAT, method: str = "POST") -> HttpRequest:
    """A request with this body."""
    return HttpRequest(method=method, uri=uri, body=body if isinstance(body, bytes) else json.dumps(body).encode())


def key(body: Any, uri: str = CHAT, volatile: tuple[str, ...] = (), *, anywhere: bool = False) -> bytes:
    """Its canonical key."""
    return canonical_key(request(body, uri), volatile, anywhere=anywhere)


def edited(*path: Any, value: Any) -> dict[str, Any]:
    """The body with one place changed."""
    body = copy.deepcopy(BODY)
    place: Any = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return body


def test_what_says_the_same_has_one_key() -> None:
    """Key order, spacing, the order of tools, minted ids and listed volatile places play no part."""
    same = copy.deepcopy(BODY)
    same["tools"].reverse()
    same["messages"][1:] = [*call("call_x", id="1042"), *call("call_y", id="1043")]
    same["metadata"]["run"] = "b"
    reordered = json.dumps(dict(reversed(same.items())), indent=1).encode()
    assert key(reordered, volatile=("metadata.run",)) == key(BODY, volatile=("metadata.run",))
    assert raw_key(request(reordered)) != raw_key(request(BODY))


@pytest.mark.parametrize(
    "other",
    [
        edited("model", value="gpt-5"),
        edited("messages", 0, "content", value="hi"),
        edited("messages", 1, "tool_calls", 0, "function", "arguments", value='{"id": "1043"}'),
        edited("messages", 2, "tool_call_id", value="call_2"),
        edited("messages", 2, "content", value="lost"),
        edited("metadata", "run", value="b"),
        edited("tools", 0, "function", "name", value="lookup_order"),
        BODY | {"temperature": 0},
    ],
)
def test_what_says_something_else_has_another_key(other: dict[str, Any]) -> None:
    """One changed word, argument, link or setting is another request."""
    assert key(other) != key(BODY)


def test_arguments_named_id_are_no_minted_ids() -> None:
    """In Anthropic's form the order number in a call's input counts, and the call's id does not."""
    uri = "https://api.anthropic.com/v1/messages"

    def body(call_id: str, order: str) -> dict[str, Any]:
        use = {"type": "tool_use", "id": call_id, "name": "find_order", "input": {"id": order}}
        result = {"type": "tool_result", "tool_use_id": call_id, "content": [{"type": "text", "text": "found"}]}
        return {"messages": [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]}

    assert key(body("toolu_1", "1042"), uri) == key(body("toolu_2", "1042"), uri)
    assert key(body("toolu_1", "1042"), uri) != key(body("toolu_1", "1043"), uri)


def test_a_reference_to_something_stored_counts() -> None:
    """In the Responses form an item reference is no minted id, unless the item stands in the conversation."""
    uri = "https://api.openai.com/v1/responses"

    def body(*items: dict[str, Any]) -> dict[str, Any]:
        return {"input": list(items)}

    one, other = ({"type": "item_reference", "id": name} for name in ("msg_1", "msg_2"))
    assert key(body(one), uri) != key(body(other), uri)
    items = [{"type": "reasoning", "id": name, "summary": []} for name in ("msg_1", "msg_2")]
    assert key(body(items[0], one), uri) == key(body(items[1], other), uri)


def exchanges_of(*requests: HttpRequest) -> list[Exchange]:
    """A recording of these requests."""
    return [Exchange(request=each, response=HttpResponse(status=200)) for each in requests]


def test_a_known_api_matches_on_any_host() -> None:
    """Recorded at the provider, replayed on a loopback port; the path and the query still count."""
    local = "http://127.0.0.1:8099/v1/chat/completions"
    other = "https://x.example/openai/deployments/other/chat/completions"
    spaced = json.dumps(BODY, indent=1).encode()
    for body in (BODY, spaced):
        for uri in (local, f"{local}?beta=true"):
            assert Index(exchanges_of(request(BODY)), ()).take(request(body, uri)) == 0
        for uri in (f"{local}?api-version=2", other):
            assert Index(exchanges_of(request(BODY)), ()).take(request(body, uri)) is None


def test_hosts_of_the_recording_are_told_apart() -> None:
    """An agent that asks two providers the same gets each one's own answer, whatever the order."""
    uris = ("https://a.example/v1/chat/completions", "https://b.example/v1/chat/completions")
    index = Index(exchanges_of(*(request(BODY, uri) for uri in uris)), ())
    assert [index.take(request(BODY, uri)) for uri in (uris[1], uris[1], uris[0])] == [1, None, 0]


def test_any_other_host_counts() -> None:
    """Two services that are no model API are told apart, even where their paths look like one."""
    for path in ("search", "api/messages"):
        recorded = request({"text": "Hi"}, f"http://a.example/{path}")
        assert Index(exchanges_of(recorded), ()).take(request({"text": "Hi"}, f"http://b.example/{path}")) is None
    assert canonical_key(request({}, method="PUT"), ()) != key({})


def test_what_a_recorded_gateway_leads_to_is_found_at_the_provider() -> None:
    """A redirect or a job's address without a host is asked for where the model was; of other hosts nothing is."""
    gateway, provider, stranger = "http://127.0.0.1:8099", "https://api.openai.com", "https://x.example"
    job = HttpRequest(method="GET", uri=f"{gateway}/jobs/1")
    index = Index(exchanges_of(request(BODY, f"{gateway}/v1/chat/completions"), job), ())
    moved = {host: job.model_copy(update={"uri": f"{host}/jobs/1"}) for host in (provider, stranger)}
    assert index.take(moved[provider]) is None
    assert index.take(request(BODY)) == 0
    assert [index.take(moved[host]) for host in (stranger, provider, provider)] == [None, 1, None]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "model"]), json_values), min_size=1, max_size=6))
def test_no_request_is_given_the_answer_of_another(bodies: list[dict[str, Any]]) -> None:
    """Played in reverse order and written with other spacing, each request takes the answer to an equal one."""
    exchanges = [
        Exchange(request=request(body), response=HttpResponse(status=200, body=json.dumps(body).encode()))
        for body in bodies
    ]
    index = Index(exchanges, ())
    for body in reversed(bodies):
        spaced = json.dumps(body, indent=3).encode()
        position = index.take(request(spaced))
        assert position is not None
        assert json.dumps(json.loads(exchanges[position].response.body), sort_keys=True) == json.dumps(
            body, sort_keys=True
        )
    assert index.left == ()
    assert index.take(request(bodies[0])) is None


SPACED = json.dumps(BODY, indent=1).encode()


@pytest.mark.parametrize("sent", [SPACED, json.dumps(BODY).encode(), json.dumps(BODY, separators=(",", ":")).encode()])
def test_recorded_order_decides(sent: bytes) -> None:
    """Of recordings that say the same the first answers, though a later one has the very bytes."""
    index = Index(exchanges_of(request(BODY), request(SPACED)), ())
    assert [index.take(request(sent)) for _ in range(3)] == [0, 1, None]


def test_recorded_order_decides_among_what_came_in_another() -> None:
    """The same behind requests that are left, to another host, with minted ids and with volatile places."""
    other = copy.deepcopy(BODY)
    other["messages"][1:] = [*call("call_x", id="1042"), *call("call_y", id="1043")]
    other["metadata"]["run"] = "b"
    recorded = exchanges_of(request(edited("model", value="gpt-5")), request(other), request(BODY))
    for uri in (CHAT, "http://127.0.0.1:8099/v1/chat/completions"):
        index = Index(recorded, ("metadata.run",))
        assert [index.take(request(BODY, uri)) for _ in range(3)] == [1, 2, None]


@pytest.mark.parametrize(
    ("renames", "old"),
    [
        (Renames(models={"gpt-5-mini-2026-01": "gpt-5-mini"}), edited("model", value="gpt-5-mini-2026-01")),
        (Renames(endpoints={"https://gateway.example/v1": "https://api.openai.com/v1"}), BODY),
        (Renames(endpoints={"https://gateway.example/v1": "https://api.openai.com/v1"}, tools={"x": "y"}), BODY),
    ],
    ids=["model", "endpoint", "endpoint beside a tool"],
)
def test_recorded_order_decides_under_a_rename(renames: Renames, old: dict[str, Any]) -> None:
    """The first answers whichever is written as the request is, and whichever name the request uses."""
    uri = "https://gateway.example/v1/chat/completions" if renames.endpoints else CHAT
    recorded = exchanges_of(request(old, uri), request(json.dumps(old, indent=1).encode(), uri))
    for asked in (request(SPACED), request(json.dumps(old, indent=1).encode(), uri)):
        index = Index(recorded, (), renames)
        assert [index.take(asked) for _ in range(3)] == [0, 1, None]


def test_deep_json_is_matched_by_its_bytes() -> None:
    """A body that no parser takes is no error."""
    deep = b"[" * 200_000
    assert canonical_key(request(deep), ()) == raw_key(request(deep))


def test_the_key_of_the_prompts_cache_plays_no_part() -> None:
    """No answer depends on it, and frameworks mint one per run; elsewhere a field of that name is like any other."""
    one, other = ({**BODY, "prompt_cache_key": key} for key in ("run:1", "run:2"))
    for asked in (BODY, other):
        assert Index(exchanges_of(request(one)), ()).take(request(asked)) == 0
    elsewhere = "https://shop.example/search"
    assert Index(exchanges_of(request(one, elsewhere)), ()).take(request(other, elsewhere)) is None
