"""Requests that look alike and are not the same never share a key; what is the same by design does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cassettes.canonical import canonical_key
from harness.records.exchange import HttpRequest

CHAT = "https://api.openai.com/v1/chat/completions"
RESPONSES = "https://api.openai.com/v1/responses"
MESSAGES = "https://api.anthropic.com/v1/messages"
OWN = "http://search.example/query"


def request(body: bytes | str | dict[str, Any], uri: str = CHAT, content_type: str = "") -> HttpRequest:
    """A request with this body."""
    text = json.dumps(body) if isinstance(body, dict) else body
    headers = (("content-type", content_type),) if content_type else ()
    return HttpRequest(method="POST", uri=uri, headers=headers, body=text if isinstance(text, bytes) else text.encode())


def same(one: HttpRequest, other: HttpRequest, *volatile: str) -> bool:
    """Whether two requests have one key."""
    return canonical_key(one, volatile) == canonical_key(other, volatile)


PAIRS = {
    "whole and broken number": ('{"a": 1}', '{"a": 1.0}'),
    "number and text": ('{"a": 1}', '{"a": "1"}'),
    "true and one": ('{"a": true}', '{"a": 1}'),
    "null and absent": ('{"a": null}', "{}"),
    "null and false": ('{"a": null}', '{"a": false}'),
    "signed zero": ('{"a": 0.0}', '{"a": -0.0}'),
    "a key twice": ('{"a": 1, "a": 2}', '{"a": 2}'),
    "a key twice below": ('{"b": [{"a": 1, "a": 2}]}', '{"b": [{"a": 2}]}'),
    "order of a key that stands twice": ('{"a": 1, "a": 2}', '{"a": 2, "a": 1}'),
    "composed and decomposed": ('{"a": "\u00e9"}', '{"a": "e\u0301"}'),
    "compatible forms": ('{"a": "\ufb01"}', '{"a": "fi"}'),
    "huge whole numbers": ('{"a": 123456789012345678901}', '{"a": 123456789012345678902}'),
    "larger than a float": ('{"a": 1e400}', '{"a": 1e500}'),
    "larger than any number": ('{"a": 1e99999999999999999999}', '{"a": 1e99999999999999999998}'),
    "finer than a float": ('{"a": 0.1}', '{"a": 0.10000000000000000001}'),
    "smaller than a float": ('{"a": 1e-400}', '{"a": 0.0}'),
    "not a number": ('{"a": NaN}', '{"a": Infinity}'),
    "not a number and its text": ('{"a": NaN}', '{"a": "NaN"}'),
    "a marked number and its text": ('{"a": 1e400}', '{"a": [null, "1e400"]}'),
    "a lone half and its escape": ('{"a": "\\ud83d"}', '{"a": "\\\\ud83d"}'),
    "two lone halves": ('{"a": "\\ud83d"}', '{"a": "\\ude00"}'),
    "a whole character and its halves in bytes": (
        '{"a": "\\ud83d\\ude00"}',
        b'{"a": "\xed\xa0\xbd\xed\xb8\x80"}',
    ),
    "bytes that are no text": (b'{"a": "\xff"}', b'{"a": "\xfe"}'),
    "order of a list": ('{"a": [1, 2]}', '{"a": [2, 1]}'),
    "depth": ('{"a": [[1]]}', '{"a": [1]}'),
    "great depth": (b'{"a":' + b"[" * 900 + b"1" + b"]" * 900 + b"}", b'{"a":' + b"[" * 901 + b"1" + b"]" * 901 + b"}"),
    "absurd depth": (b'{"a":' + b"[" * 90_000, b'{"a":' + b"[" * 90_001),
    "empty and absent": ("{}", ""),
    "a list of tools and one with a tool twice": (
        '{"tools": [{"name": "a"}]}',
        '{"tools": [{"name": "a"}, {"name": "a"}]}',
    ),
    "equal tools and others": (
        '{"tools": [{"name": "a"}, {"name": "a"}, {"name": "b"}]}',
        '{"tools": [{"name": "a"}, {"name": "b"}, {"name": "b"}]}',
    ),
    "an id and a number": (
        '{"messages": [{"role": "assistant", "id": "x"}]}',
        '{"messages": [{"role": "assistant", "id": 1}]}',
    ),
    "an id and what we put in its place": (
        '{"messages": [{"role": "assistant", "id": "x"}]}',
        '{"messages": [{"role": "assistant", "id": [NaN, 1]}]}',
    ),
    "an id of the user's own": (
        '{"messages": [{"role": "user", "id": "x"}]}',
        '{"messages": [{"role": "user", "id": "y"}]}',
    ),
    "a volatile place and the one beside it": (
        '{"metadata": {"run": 1, "user": "a"}}',
        '{"metadata": {"run": 2, "user": "b"}}',
    ),
    "a volatile item and another": (
        '{"items": [{"at": 1, "b": 1}, {"at": 2}]}',
        '{"items": [{"at": 1}, {"at": 2, "b": 1}]}',
    ),
}


@pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("uri", [CHAT, OWN])
def test_what_differs_has_another_key(one: str | bytes, other: str | bytes, uri: str) -> None:
    """A difference outside of what is declared volatile, or minted in each run, makes another request."""
    assert not same(request(one, uri), request(other, uri), "metadata.run", "items.*.at")


SAME = {
    "key order and spacing": ('{"a": 1, "b": [1.5, "x"]}', '{"b":[1.5,"x"],"a":1}'),
    "escapes": ('{"a": "\u00e9\U0001f600/"}', '{"a": "\\u00e9\\ud83d\\ude00\\/"}'),
    "a number's notation": ('{"a": 0.70, "b": 1e-07}', '{"a": 0.7, "b": 1e-7}'),
    "volatile through lists": ('{"items": [{"at": 1, "b": 1}, {"at": 2}]}', '{"items": [{"at": 3, "b": 1}, {}]}'),
    "volatile at a number": ('{"first": [{"at": 1}, {"at": 2}]}', '{"first": [{"at": 9}, {"at": 2}]}'),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_what_says_the_same_has_one_key(one: str, other: str) -> None:
    """Notation plays no part, nor does a volatile place, inside of lists as well."""
    assert same(request(one), request(other), "items.*.at", "first.0.at")


def test_only_a_model_api_takes_tools_in_any_order() -> None:
    """The list `tools` of a service of the user's own is a list."""
    one, other = '{"tools": ["cut", "glue"]}', '{"tools": ["glue", "cut"]}'
    assert same(request(one), request(other))
    assert not same(request(one, OWN), request(other, OWN))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("?a=1&a=2", "?a=2&a=1"),
        ("?q=%FF", "?q=%FE"),
        ("?q=%FF", "?q=%EF%BF%BD"),
        ("?q=", ""),
        ("?beta=1", "?beta=2"),
        ("/a%2Fb", "/a/b"),
    ],
)
def test_an_address_that_differs_has_another_key(one: str, other: str) -> None:
    """Order of a key that stands twice, bytes that are no text, empty values: all of it counts."""
    assert not same(request("{}", f"{OWN}{one}"), request("{}", f"{OWN}{other}"))
    assert same(request("{}", f"{OWN}?a=1&b=2"), request("{}", f"{OWN}?b=2&a=1"))


def items(names: dict[str, str]) -> list[dict[str, Any]]:
    """A conversation in the Responses form with every id that a run mints."""
    return [
        {"role": "user", "content": "Hi"},
        {"type": "reasoning", "id": names["rs"], "summary": []},
        {"type": "function_call", "id": names["fc"], "call_id": names["call"], "name": "find", "arguments": "{}"},
        {"type": "function_call_output", "call_id": names["call"], "output": "found"},
        {"type": "mcp_list_tools", "id": names["mcpl"], "server_label": "s", "tools": []},
        {"type": "mcp_approval_request", "id": names["mcpr"], "name": "pay", "arguments": "{}", "server_label": "s"},
        {"type": "mcp_approval_response", "approval_request_id": names["mcpr"], "approve": True},
        {
            "type": "computer_call",
            "id": names["cu"],
            "call_id": names["cc"],
            "pending_safety_checks": [{"id": names["check"], "code": "malicious"}],
        },
        {
            "type": "computer_call_output",
            "call_id": names["cc"],
            "acknowledged_safety_checks": [{"id": names["check"]}],
            "output": {"type": "computer_screenshot", "file_id": "file_1"},
        },
        {"type": "compaction", "id": names["cmp"], "encrypted_content": "x"},
        {
            "type": "message",
            "role": "assistant",
            "id": names["msg"],
            "content": [{"type": "output_text", "text": "Hi"}],
        },
        {"type": "item_reference", "id": names["msg"]},
    ]


NAMES = ("rs", "fc", "call", "mcpl", "mcpr", "cu", "cc", "check", "cmp", "msg")


def test_every_minted_id_of_responses_is_numbered() -> None:
    """Another run's ids make the same request; ids that are swapped make another."""
    first, second = ({name: f"{name}_{run}" for name in NAMES} for run in "12")
    assert same(request({"input": items(first)}, RESPONSES), request({"input": items(second)}, RESPONSES))
    for name in ("call", "mcpr", "cc", "check", "msg"):
        links = items(first)
        text = json.dumps({"input": links})
        last = text.rindex(f'"{name}_1"')
        swapped = text[:last] + '"another"' + text[last + len(f'"{name}_1"') :]
        assert not same(request(text, RESPONSES), request(swapped, RESPONSES)), name


def anthropic(server: str, call: str, order: str = "1042") -> dict[str, Any]:
    """A tool call that code on the provider's side made, and its result, in Anthropic's form."""
    caller = {"type": "code_execution_20250825", "tool_id": server}
    return {
        "messages": [
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "server_tool_use", "id": server, "name": "code_execution", "input": {"id": order}},
                    {"type": "tool_use", "id": call, "name": "find", "input": {"id": order}, "caller": caller},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": call, "content": [{"type": "text", "text": "x"}]}],
            },
        ]
    }


def test_every_minted_id_of_anthropic_is_numbered() -> None:
    """The ids of calls and of who made them play no part; those inside arguments do."""
    one = request(anthropic("srvtoolu_1", "toolu_1"), MESSAGES)
    assert same(one, request(anthropic("srvtoolu_2", "toolu_2"), MESSAGES))
    assert not same(one, request(anthropic("srvtoolu_1", "toolu_1", order="1043"), MESSAGES))
    mixed = anthropic("srvtoolu_1", "toolu_1")
    mixed["messages"][1]["content"][1]["caller"]["tool_id"] = "srvtoolu_9"
    assert not same(one, request(mixed, MESSAGES))


@pytest.mark.parametrize(
    "place",
    [
        {"previous_response_id": "{}"},
        {"conversation": "{}"},
        {"container": "{}"},
        {"input": [{"type": "item_reference", "id": "{}"}]},
        {"input": [{"type": "function_call_output", "call_id": "{}", "output": "ok"}]},
        {"input": [{"type": "mcp_approval_response", "approval_request_id": "{}", "approve": True}]},
        {"input": [{"type": "code_interpreter_call", "id": "ci_1", "container_id": "{}"}]},
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "{}"}]}]},
    ],
    ids=str,
)
def test_what_is_stored_at_the_provider_counts(place: dict[str, Any]) -> None:
    """An id of something that does not stand in the conversation says what is meant: two of them are two requests."""
    one, other = (json.dumps({"input": [], **place}).replace("{}", name) for name in ("x_1", "x_2"))
    assert not same(request(one, RESPONSES), request(other, RESPONSES))


def test_the_boundary_of_an_upload_plays_no_part() -> None:
    """Each run draws another boundary; what stands between counts, byte for byte."""

    def upload(boundary: str, *parts: str) -> HttpRequest:
        body = "".join(f"--{boundary}\r\n\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n"
        return request(body, "https://api.openai.com/v1/files", f"multipart/form-data; boundary={boundary}")

    assert same(upload("abc", "one", "two"), upload("xyz", "one", "two"))
    assert not same(upload("abc", "one", "two"), upload("xyz", "one", "2"))
    assert not same(upload("abc", "one", "two"), upload("xyz", "onetwo"))
    assert not same(upload("abc", "one--xyz"), upload("xyz", "one--abc"))


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=()), max_size=4)
    | st.sampled_from(["1", "true", "null", "", "\x001", "e\u0301", "\u00e9", "call_1"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "id", "type"]), inner),
    max_leaves=6,
)


def exact(value: Any) -> Any:
    """A value in which Python's own equality tells apart what JSON does: `1`, `1.0` and `true`."""
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    return (type(value), repr(value))


@given(values, values, st.sampled_from([None, 1]), st.booleans())
def test_keys_are_equal_for_equal_values_only(one: Any, other: Any, indent: int | None, ascii_only: bool) -> None:
    """Of any two values, however they are written, the keys are equal where the values are, and nowhere else."""
    first = request({"model": "m", "messages": [], "x": one})
    text = json.dumps({"x": other, "messages": [], "model": "m"}, indent=indent, ensure_ascii=ascii_only)
    try:
        second = request(text)
    except UnicodeEncodeError:  # half a character is in no encoding; escaped it can be sent
        second = request(json.dumps({"x": other, "messages": [], "model": "m"}))
    assert same(first, second) == (exact(one) == exact(other))


@given(values, values)
def test_results_of_tools_are_told_apart(one: Any, other: Any) -> None:
    """What stands in a conversation, in arguments and in results, is never taken for a minted id."""

    def body(value: Any) -> dict[str, Any]:
        call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"id": value}}
        result = {
            "type": "tool_result",
            "tool_use_id": "toolu_1",
            "content": [{"type": "text", "text": json.dumps(value, sort_keys=True)}],
        }
        return {"messages": [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]}

    assert same(request(body(one), MESSAGES), request(body(other), MESSAGES)) == (exact(one) == exact(other))
