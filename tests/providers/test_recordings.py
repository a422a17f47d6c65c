"""Real traffic of all three providers, recorded by others, through our clients over a real socket."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from harness.errors import FatalError, LogicError, ModelError, ProviderError
from harness.providers import connect
from harness.records.exchange import HttpResponse
from harness.records.message import Api, ModelReply, StopReason
from harness.wire.codecs import codec_for
from harness.wire.responses import read_response
from harness.wire.split import api_of, split

RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings" / "cassettes"
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the shared recordings are not beside this checkout")


class Recorded:
    """One interaction, read from the file by nothing but a YAML parser."""

    def __init__(self, interaction: dict[str, Any]) -> None:
        request, response = interaction["request"], interaction["response"]
        self.path = urlsplit(request["uri"]).path
        self.api = api_of(self.path)
        self.request = _body(request.get("body"), request)
        self.status = response["status"]["code"] if "status" in response else response["status_code"]
        self.headers = {name.lower(): value for name, value in response["headers"].items()}
        self.content_type = _first(self.headers.get("content-type", ""))
        self.body = _body(response.get("content") or (response.get("body") or {}).get("string"), response)

    @property
    def streamed(self) -> bool:
        """Whether the response is an event stream."""
        return self.content_type.startswith("text/event-stream")

    @property
    def response(self) -> HttpResponse:
        """The response as a cassette holds it."""
        return HttpResponse(status=self.status, headers=(("content-type", self.content_type),), body=self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The stream's JSON."""
        lines = self.body.decode().replace("\r\n", "\n").split("\n")
        data = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
        return [json.loads(text) for text in data if text != "[DONE]"]


def _first(value: Any) -> str:
    return value[0] if isinstance(value, list) else value


def _body(body: Any, holder: dict[str, Any]) -> bytes:
    if body is None:
        body = json.dumps(holder["parsed_body"]) if "parsed_body" in holder else ""
    data: bytes = body.encode() if isinstance(body, str) else body
    return zlib.decompressobj(31).decompress(data) if data.startswith(b"\x1f\x8b") else data


def _interactions() -> Iterator[Any]:
    for file in sorted(RECORDINGS.glob("*.yaml")):
        interactions = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)["interactions"]
        for number, interaction in enumerate(interactions, 1):
            recorded = Recorded(interaction)
            if recorded.api is not None:
                yield pytest.param(recorded, id=f"{file.stem}-{number}")


ALL = list(_interactions())
ANSWERED = [param for param in ALL if param.values[0].status == 200 and "34-mid" not in str(param.id)]
FAILED = [param for param in ALL if param not in ANSWERED]

Facts = tuple[str, list[tuple[str, str, Any]], str, tuple[int, int, int] | None]
"""Text, tool calls with their parsed arguments, the provider's own stop word, tokens (prompt, output, cached)."""


def _chat_facts(recorded: Recorded) -> Facts:
    pieces = recorded.events if recorded.streamed else [json.loads(recorded.body)]
    text, stop, usage = "", "", None
    calls: dict[int, list[str]] = {}
    for piece in pieces:
        usage = piece.get("usage") or usage
        for choice in piece["choices"][:1]:
            said = choice["delta"] if recorded.streamed else choice["message"]
            text += said.get("content") or ""
            stop = choice["finish_reason"] or stop
            for position, call in enumerate(said.get("tool_calls") or []):
                known = calls.setdefault(call.get("index", position), ["", "", ""])
                function = call["function"]
                for place, part in enumerate((call.get("id"), function.get("name"), function.get("arguments"))):
                    known[place] += part or ""
    tokens = None
    if usage:
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
        tokens = (usage["prompt_tokens"], usage["completion_tokens"], cached)
    return text, [(id_, name, json.loads(arguments)) for id_, name, arguments in calls.values()], stop, tokens


def _responses_facts(recorded: Recorded) -> Facts:
    body = recorded.events[-1]["response"] if recorded.streamed else json.loads(recorded.body)
    text, calls = "", []
    for item in body["output"]:
        if item["type"] == "message":
            text += "".join(part["text"] for part in item["content"])
        elif item["type"] == "function_call":
            calls.append((item["call_id"], item["name"], json.loads(item["arguments"])))
        elif item["type"] == "custom_tool_call":
            calls.append((item["call_id"], item["name"], item["input"]))
    if recorded.streamed:
        deltas = "".join(e["delta"] for e in recorded.events if e["type"] == "response.output_text.delta")
        assert deltas == text
    stop = (body.get("incomplete_details") or {}).get("reason") or body["status"]
    usage = body["usage"]
    return (
        text,
        calls,
        stop,
        (usage["input_tokens"], usage["output_tokens"], usage["input_tokens_details"]["cached_tokens"]),
    )


def _anthropic_facts(recorded: Recorded) -> Facts:
    if not recorded.streamed:
        body = json.loads(recorded.body)
        text = "".join(block["text"] for block in body["content"] if block["type"] == "text")
        calls = [(b["id"], b["name"], b["input"]) for b in body["content"] if b["type"] == "tool_use"]
        return text, calls, body["stop_reason"], _anthropic_tokens(body["usage"])
    text, stop, usage, arguments = "", "", {}, {}
    for event in recorded.events:
        if event["type"] == "message_start":
            usage = event["message"]["usage"]
        elif event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use":
            arguments[event["index"]] = [event["content_block"]["id"], event["content_block"]["name"], ""]
        elif event["type"] == "content_block_delta" and event["delta"]["type"] == "text_delta":
            text += event["delta"]["text"]
        elif event["type"] == "content_block_delta" and event["index"] in arguments:
            arguments[event["index"]][2] += event["delta"]["partial_json"]
        elif event["type"] == "message_delta":
            stop = event["delta"]["stop_reason"]
            usage = {**usage, **event["usage"]}
    return text, [(i, n, json.loads(a or "{}")) for i, n, a in arguments.values()], stop, _anthropic_tokens(usage)


def _anthropic_tokens(usage: dict[str, Any]) -> tuple[int, int, int]:
    read, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    return usage["input_tokens"] + read + written, usage["output_tokens"], read


FACTS = {
    Api.OPENAI_CHAT: _chat_facts,
    Api.OPENAI_RESPONSES: _responses_facts,
    Api.ANTHROPIC_MESSAGES: _anthropic_facts,
}
STOPS = {
    "stop": StopReason.END,
    "completed": StopReason.END,
    "end_turn": StopReason.END,
    "tool_calls": StopReason.TOOL_CALLS,
    "tool_use": StopReason.TOOL_CALLS,
    "length": StopReason.LENGTH,
    "max_tokens": StopReason.LENGTH,
    "max_output_tokens": StopReason.LENGTH,
    "stop_sequence": StopReason.STOP_SEQUENCE,
}


def _compare(reply: ModelReply, facts: Facts) -> None:
    text, calls, stop, tokens = facts
    assert reply.message.text == text
    assert [(call.id, call.name, _parsed(call.arguments)) for call in reply.message.tool_calls] == calls
    assert reply.stop is (StopReason.TOOL_CALLS if stop == "completed" and calls else STOPS[stop])
    usage = reply.usage
    assert (usage and (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens)) == tokens


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments  # a custom tool takes text


@pytest.mark.parametrize("recorded", ANSWERED)
async def test_a_recorded_answer_comes_through_the_client(recorded: Recorded, loopback: Any) -> None:
    """Text, tool calls, usage and stop reason are those of the recording, plain and streamed."""
    loopback.answer(recorded.body, content_type=recorded.content_type)
    request = codec_for(recorded.api).read_request(json.loads(recorded.request))
    pieces: list[str] = []
    reply = await connect(recorded.api).complete(request, pieces.append)
    _compare(reply, FACTS[recorded.api](recorded))
    assert "".join(pieces) == (reply.message.text if recorded.streamed else "")
    assert api_of(loopback.paths[0]) is recorded.api


@pytest.mark.parametrize("recorded", ANSWERED)
def test_a_trace_reads_the_same_as_a_client(recorded: Recorded) -> None:
    """Read straight from the recorded bytes, a reply holds the same facts."""
    read = read_response(recorded.api, recorded.response)
    assert read.reply is not None
    assert read.error is None
    assert read.reply.unread == ()
    _compare(read.reply, FACTS[recorded.api](recorded))


@pytest.mark.parametrize("recorded", FAILED)
async def test_a_recorded_failure_is_classified(recorded: Recorded, loopback: Any) -> None:
    """A client and a trace raise the same class of error, and it tells the provider's own words."""
    wanted = {400: LogicError, 401: FatalError, 404: FatalError, 200: ModelError}[recorded.status]
    if b"model_not_found" in recorded.body:
        wanted = FatalError
    loopback.answer(recorded.body, status=recorded.status, content_type=recorded.content_type)
    request = codec_for(recorded.api).read_request(json.loads(recorded.request))
    with pytest.raises(ProviderError, match="the provider answered") as live:
        await connect(recorded.api).complete(request)
    read = read_response(recorded.api, recorded.response).error
    assert read is not None
    assert type(live.value) is type(read) is wanted
    assert (live.value.code, str(live.value)) == (read.code, str(read))


def test_the_recordings_cover_what_they_should() -> None:
    """Every protocol is replayed plain and streamed, and each kind of error that was recorded."""
    kinds = {(param.values[0].api, param.values[0].streamed) for param in ANSWERED}
    assert kinds == {(api, streamed) for api in Api for streamed in (False, True)}
    assert {param.values[0].status for param in FAILED} == {200, 400, 401, 404}


INEXPRESSIBLE = {
    "10-chat-image-input": "an image",
    "11-chat-400": "an image",
    "18-resp-stream-tool-call": "tool search",
    "19-resp-reasoning-tools": "a custom tool",
    "21-resp-built-in-tool": "a built-in tool",
    "31-anth-server-tool": "a server tool",
    "41-two-providers-in-one-file": "developer messages inside the conversation",
}
EXPRESSIBLE = [param for param in ALL if str(param.id).rsplit("-", 1)[0] not in INEXPRESSIBLE]


@pytest.mark.parametrize("recorded", EXPRESSIBLE)
def test_a_recorded_request_survives_reading_and_writing(recorded: Recorded) -> None:
    """Reading a request and writing it again gives the same request on the wire, but for our declared defaults."""
    original = json.loads(recorded.request)
    codec = codec_for(recorded.api)
    again = codec.encode(codec.read_request(original))
    assert _canonical(recorded, again) == _canonical(recorded, original)


def _canonical(recorded: Recorded, body: dict[str, Any]) -> Any:
    """A request in one spelling of the several that a provider takes for the same."""
    body = json.loads(json.dumps(body))
    for default in ("store", "include", "stream_options"):
        body.pop(default, None)
    for tool in body.get("tools", []):
        tool.pop("strict", None)
        tool.setdefault("type", "custom")
        tool.get("function", tool).pop("strict", None)
        tool.get("function", tool).setdefault("description", "")
    if body.get("stream") is False:
        del body["stream"]
    found = split("POST", recorded.path, json.dumps(body).encode())
    assert found
    settings = {key: value for key, value in found.definition.settings.items() if key != "system"}
    asked = found.definition
    return asked.model, asked.system, asked.tools, asked.output_schema, settings, _canonical_items(found.conversation)


def _canonical_items(items: Any) -> Any:
    """Each piece of the conversation on its own, without the keys that say nothing."""
    flat = []
    for item in items:
        content = item.get("content")
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
        for block in blocks:
            if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
                block = {**block, "content": "\n".join(part["text"] for part in block["content"])}
            if block.get("type") == "input_text":
                block = {**block, "type": "text"}
            kept = {k: v for k, v in block.items() if v not in (None, "", False, []) and k not in ("cache_control",)}
            if kept.keys() - {"type"}:
                flat.append((item.get("role"), kept))
        rest = {k: v for k, v in item.items() if k not in ("content", "role", "type") and v not in (None, [])}
        if rest:
            flat.append((item.get("role"), rest))
    return flat
