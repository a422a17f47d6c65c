"""Our bytes beside the real providers': each recorded request is put to us, and the shapes are compared.

The script says what the recorded model said, so the two responses should have the same events in the same order, the
same keys and the same types. What may differ is listed here, each with its reason.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx2
import pytest
import yaml

CASSETTES = Path(__file__).parents[2] / ".." / "shared" / "recordings" / "cassettes"
pytestmark = pytest.mark.skipif(not CASSETTES.is_dir(), reason="the real recordings are not beside this checkout")

PLAIN = [
    ("08-chat-structured-output", 0),
    ("13-chat-multi-turn-text-5", 2),
    ("13-chat-multi-turn-text-5", 3),
    ("13-chat-multi-turn-text-5", 4),
    ("03-chat-parallel-tools-chained", 0),
    ("03-chat-parallel-tools-chained", 3),
    ("04-chat-long-chain-4", 0),
    ("15-resp-function-call-chained", 0),
    ("20-resp-structured", 0),
    ("20-resp-structured", 4),
    ("23-anth-plain", 0),
    ("26-anth-long-chain-3", 2),
    ("32-anth-error-4xx", 0),
]
STREAMED = [
    ("05-chat-stream-plain", 0),
    ("06-chat-stream-tool-call", 0),
    ("06-chat-stream-tool-call", 1),
    ("07-chat-stream-parallel-tools", 0),
    ("13-chat-multi-turn-text-5", 0),
    ("13-chat-multi-turn-text-5", 1),
    ("17-resp-stream-plain", 0),
    ("20-resp-structured", 2),
    ("28-anth-stream-plain", 0),
    ("29-anth-stream-tool-use", 0),
    ("40-many-interactions-12", 25),
]

MAY_DIFFER = {
    "obfuscation": "padding against eavesdroppers, which a client may switch off",
    "service_tier": "older chat recordings lack it",
    "billing": "there for some accounts only",
    "inference_geo": "newer than some recordings",
    "stop_details": "newer than some recordings",
    "caller": "newer than some recordings",
    "annotations": "newer than some recordings",
    "moderation": "there for some models only",
}
OLDER = {"07-chat-stream-parallel-tools": {"only ours: [].choices[].delta.refusal"}}
"""A recording of 2024, before chunks said that nothing was refused."""


@dataclass(frozen=True)
class Recorded:
    """One exchange of a recording."""

    path: str
    body: dict
    headers: frozenset[str]
    text: str


@cache
def recorded(name: str, number: int) -> Recorded:
    """The exchange, with its body decompressed."""
    data = yaml.load((CASSETTES / f"{name}.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    exchange = data["interactions"][number]
    body = exchange["response"]["body"]["string"]
    if isinstance(body, bytes):
        body = gzip.decompress(body).decode()
    path = "/v1/" + exchange["request"]["uri"].partition("/v1/")[2].partition("?")[0]
    headers = frozenset(header.lower() for header in exchange["response"]["headers"])
    return Recorded(path, json.loads(exchange["request"]["body"]), headers, body)


def events(text: str) -> list[tuple[str, dict | str]]:
    """Names and data of server-sent events."""
    found = []
    for block in text.replace("\r\n", "\n").strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in fields:
            data = fields["data"]
            found.append((fields.get("event", ""), data if data == "[DONE]" else json.loads(data)))
    return found


def shape(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every path of a JSON value with its type."""
    if isinstance(value, dict):
        yield path, "object"
        for key, item in value.items():
            free = path.endswith(("input", "tools[].parameters", "format.schema"))
            if not free:
                yield from shape(item, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        yield path, "list"
        for item in value:
            yield from shape(item, f"{path}[]")
    elif isinstance(value, bool) or value is None:
        yield path, type(value).__name__
    else:
        yield path, "number" if isinstance(value, int | float) else "str"


def differences(real: object, ours: object) -> set[str]:
    """Paths that only one side has, and paths whose types can't be told to be the same field."""
    real_types, our_types = ({}, {})
    for types, value in ((real_types, real), (our_types, ours)):
        for path, kind in shape(value):
            types.setdefault(path, set()).add(kind)
    found = {f"only real: {path}" for path in real_types.keys() - our_types.keys()}
    found |= {f"only ours: {path}" for path in our_types.keys() - real_types.keys()}
    for path in real_types.keys() & our_types.keys():
        one, other = real_types[path] - {"NoneType"}, our_types[path] - {"NoneType"}
        if one and other and one != other:
            found.add(f"types: {path}: {sorted(one)} and {sorted(other)}")
    return {text for text in found if not MAY_DIFFER.keys() & set(re.split(r"[^a-z_]+", text))}


def spoken(path: str, body: dict) -> tuple[str, list[tuple[str, str]]]:
    """Text and calls of a plain reply of any protocol."""
    if path.endswith("chat/completions"):
        message = body["choices"][0]["message"]
        calls = [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls") or ()]
        return message["content"] or "", calls
    blocks = body["output"] if path.endswith("responses") else body["content"]
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    for block in blocks:
        texts += [part["text"] for part in block.get("content", ()) if block["type"] == "message"]
    calls = [(block["name"], block["arguments"]) for block in blocks if block["type"] == "function_call"]
    calls += [(block["name"], json.dumps(block["input"])) for block in blocks if block["type"] == "tool_use"]
    return "".join(texts), calls


def streamed_speech(path: str, found: list[tuple[str, dict | str]]) -> tuple[str, list[tuple[str, str]]]:
    """Text and calls of a streamed reply of any protocol."""
    data = [item for _, item in found if isinstance(item, dict)]
    if path.endswith("responses"):
        return spoken(path, data[-1]["response"])
    text, calls = "", []
    for item in data:
        if path.endswith("messages"):
            block, delta = item.get("content_block", {}), item.get("delta", {})
            text += delta.get("text", "")
            if block.get("type") == "tool_use":
                calls.append([block["name"], ""])
            if "partial_json" in delta:
                calls[-1][1] += delta["partial_json"]
            continue
        for choice in item["choices"]:
            text += choice["delta"].get("content") or ""
            for call in choice["delta"].get("tool_calls") or ():
                if "id" in call:
                    calls.append([call["function"]["name"], ""])
                calls[call["index"]][1] += call["function"]["arguments"]
    return text, [(name, arguments) for name, arguments in calls]


def ask_ours(start, exchange: Recorded, text: str, calls: list[tuple[str, str]], stop: str | None) -> httpx2.Response:
    """The recorded request, put to a provider that says the same."""
    rule: dict = {"say": text} if text else {}
    if calls:
        rule["call"] = [{"tool": name, "arguments": json.loads(arguments or "{}")} for name, arguments in calls]
    if stop == "length":
        rule["stop"] = stop
        rule.setdefault("say", "x")
    script = {"match": {"model": exchange.body["model"]}, "rules": [rule]}
    url = start(json.dumps(script, ensure_ascii=False))
    headers = {"authorization": "Bearer simulated", "x-api-key": "simulated", "anthropic-version": "2023-06-01"}
    with httpx2.Client() as client:
        response = client.post(url + exchange.path, headers=headers, json=exchange.body)
    assert response.status_code == 200, response.text
    return response


@pytest.mark.parametrize(("name", "number"), PLAIN)
def test_plain_replies_have_the_real_shape(start, name, number):
    """Keys and types of the body are those of the recording, and so are finish reason and model."""
    exchange = recorded(name, number)
    real = json.loads(exchange.text)
    text, calls = spoken(exchange.path, real)
    stop = "length" if '"length"' in exchange.text else None
    ours = ask_ours(start, exchange, text, calls, stop).json()
    assert differences(real, ours) == set()
    assert spoken(exchange.path, ours)[0] == text
    assert ours["model"] == real["model"]
    for field in ("stop_reason", "status", "object", "type", "role"):
        assert ours.get(field) == real.get(field)
    if "choices" in real:
        assert ours["choices"][0]["finish_reason"] == real["choices"][0]["finish_reason"]


@pytest.mark.parametrize(("name", "number"), STREAMED)
def test_streams_have_the_real_events(start, name, number):
    """Events come in the recorded order, runs of deltas counted once, with the recorded keys and types in each."""
    exchange = recorded(name, number)
    real = events(exchange.text)
    text, calls = streamed_speech(exchange.path, real)
    stop = "length" if '"finish_reason":"length"' in exchange.text else None
    response = ask_ours(start, exchange, text, calls, stop)
    ours = events(response.text)
    if stop is None:
        assert streamed_speech(exchange.path, ours)[0] == text
    for one, other in itertools.zip_longest(runs(real), runs(ours, drop_content=stop is not None)):
        assert one is not None, f"only ours: {other[0]}"
        assert other is not None, f"only real: {one[0]}"
        assert one[0] == other[0]
        assert differences(one[1], other[1]) - OLDER.get(name, set()) == set()
    assert response.text.endswith(exchange.text[-2:])


def runs(found: list[tuple[str, dict | str]], *, drop_content: bool = False) -> list[tuple[str, list]]:
    """Neighbours of one kind together."""
    kinds = [(kind(name, data), data) for name, data in found]
    if drop_content:  # the recorded model spent its whole length on thinking and said nothing
        kinds = [(name, data) for name, data in kinds if name != "content"]
    return [(name, [data for _, data in group]) for name, group in itertools.groupby(kinds, key=lambda pair: pair[0])]


def kind(name: str, data: dict | str) -> str:
    """The event's name; for a chat chunk what its delta holds."""
    if name or isinstance(data, str):
        return name or data
    if "choices" not in data:
        return f"unnamed {data.get('type')}"
    if not data["choices"]:
        return "usage"
    choice = data["choices"][0]
    if choice["finish_reason"]:
        return f"finish {choice['finish_reason']}"
    delta = choice["delta"]
    opened = [f"call {call['index']}" for call in delta.get("tool_calls") or () if "id" in call]
    return " ".join([*(["role"] if "role" in delta else ()), *opened]) or next(iter(delta))


def test_our_headers_are_real_ones(start):
    """Every header of ours but the honest one occurs in a real recording of the same provider."""
    known: dict[bool, set[str]] = {False: set(), True: set()}
    for name, number in [*PLAIN, *STREAMED]:
        exchange = recorded(name, number)
        known[exchange.path == "/v1/messages"] |= exchange.headers
    for name, number in (("08-chat-structured-output", 0), ("17-resp-stream-plain", 0), ("23-anth-plain", 0)):
        exchange = recorded(name, number)
        response = ask_ours(start, exchange, "x", [], None)
        extra = set(response.headers) - known[exchange.path == "/v1/messages"]
        assert extra - {"content-length"} == {"x-simulated-provider"}


def test_error_bodies_have_the_real_shape(start):
    """The recorded errors and ours have the same keys and types."""
    openai_error = json.loads(recorded("22-resp-error-4xx", 0).text)
    anthropic_error = json.loads(recorded("32-anth-error-4xx", 1).text)
    url = start("match: {user: Hello}\nrules: [{fail: {status: 404}}]\n")
    said = [{"role": "user", "content": "Hello"}]
    with httpx2.Client(headers={"authorization": "Bearer k", "anthropic-version": "2023-06-01"}) as client:
        ours = client.post(f"{url}/v1/responses", json={"model": "m", "input": "Hello"}).json()
        assert differences(openai_error, ours) == set()
        ours = client.post(f"{url}/v1/messages", json={"model": "m", "max_tokens": 1, "messages": said}).json()
        assert differences(anthropic_error, ours) == set()
        assert ours["error"]["type"] == anthropic_error["error"]["type"]


def test_a_missing_key_would_be_seen():
    """The comparison itself notices a lost key, an extra one and another type."""
    real = {"id": "x", "usage": {"total": 1}}
    assert differences(real, {"id": "x", "usage": {}}) == {"only real: usage.total"}
    assert differences(real, {"id": "x", "more": 1, "usage": {"total": 1}}) == {"only ours: more"}
    assert differences(real, {"id": 1, "usage": {"total": 1}}) == {"types: id: ['str'] and ['number']"}
