"""What an official SDK delivers to a client is in the trace, or the trace says what it could not read.

Replies are made at random, sent whole or cut at any byte, plain or streamed, and read twice: by the SDK, event by
event, and by us from the recorded bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.records.exchange import Ending
from harness.records.message import Api
from harness.records.scenario import NotCalled
from harness.records.score import ScoreStatus
from harness.records.trace import Trace
from harness.scorers.checks import check_not_called
from tests.wire.replies import answered, traced

TOOLS = ("find", "refund")
USAGE = 31, 7


@dataclass(slots=True)
class Delivered:
    """What a client got."""

    text: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    """The names of calls that did not become whole."""
    usage: tuple[int, int] | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A reply on the wire."""

    body: bytes
    stream: bool
    cut: bool


words = st.text(st.sampled_from('aé🐙 {}"\\\n\u2028'), max_size=6)
arguments = st.dictionaries(st.sampled_from(["id", "why"]), st.integers(0, 99) | words, max_size=2)
pieces = st.tuples(st.sampled_from(TOOLS), arguments)


def split(draw: st.DrawFn, text: str) -> list[str]:
    """A text in up to three pieces."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=2)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def frames(events: list[dict[str, Any]], *, named: bool, done: bool) -> bytes:
    """A stream's bytes, as each provider writes them."""
    lines = [f"event: {each['type']}\n" if named else "" for each in events]
    made = [f"{line}data: {json.dumps(each)}\n\n" for line, each in zip(lines, events, strict=True)]
    return "".join([*made, "data: [DONE]\n\n" if done else ""]).encode()


def finished(draw: st.DrawFn, body: Any, events: list[dict[str, Any]], *, named: bool, done: bool) -> Made:
    """The reply plain or streamed, whole or cut."""
    stream = draw(st.booleans())
    raw = frames(events, named=named, done=done) if stream else json.dumps(body).encode()
    end = draw(st.none() | st.integers(0, len(raw)))
    return Made(raw[:end], stream, end is not None and end < len(raw))


@st.composite
def chats(draw: st.DrawFn) -> Made:
    """Chat completions: text, then calls with indices of their own, one for all, null, or none."""
    text, calls = draw(words), draw(st.lists(pieces, max_size=3))
    index: Callable[[int], dict[str, Any]] = draw(
        st.sampled_from([lambda at: {"index": at}, lambda _: {"index": 0}, lambda _: {"index": None}, lambda _: {}])
    )
    made: list[dict[str, Any]] = []
    deltas: list[dict[str, Any]] = [{"content": part} for part in split(draw, text)]
    for at, (name, values) in enumerate(calls):
        whole = {"id": f"c{at}", "type": "function", "function": {"name": name, "arguments": json.dumps(values)}}
        first, *rest = split(draw, json.dumps(values))
        made.append(whole)
        deltas.append({"tool_calls": [{**index(at), **whole, "function": {"name": name, "arguments": first}}]})
        deltas += [{"tool_calls": [{**index(at), "function": {"arguments": part}}]} for part in rest]
    message = {"role": "assistant", "content": text, **({"tool_calls": made} if made else {})}
    usage = {"prompt_tokens": USAGE[0], "completion_tokens": USAGE[1], "total_tokens": sum(USAGE)}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-mini"}
    finish = "tool_calls" if made else "stop"
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    events = [*({**head, "choices": [choice]} for choice in choices), {**head, "choices": [], "usage": usage}]
    body = {**head, "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage}
    return finished(draw, body, events, named=False, done=True)


@st.composite
def responses(draw: st.DrawFn) -> Made:
    """Responses: messages, reasoning and calls in any order; the last frame may have lost the output."""
    items: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    head = {"id": "r", "object": "response", "created_at": 1, "model": "gpt-5-mini", "tools": [], "error": None}
    for at, each in enumerate(draw(st.lists(words | pieces | st.none(), min_size=1, max_size=4))):
        place = {"output_index": at, "item_id": f"i{at}"}
        if each is None:
            item: dict[str, Any] = {"type": "reasoning", "id": f"i{at}", "summary": []}
            begun, bits = item, []
        elif isinstance(each, str):
            part = {"type": "output_text", "text": each, "annotations": []}
            item = {"type": "message", "id": f"i{at}", "role": "assistant", "status": "completed", "content": [part]}
            begun = {**item, "content": []}
            bits = [{"type": "response.output_text.delta", "content_index": 0, "delta": x} for x in split(draw, each)]
        else:
            text = json.dumps(each[1])
            item = {"type": "function_call", "id": f"i{at}", "call_id": f"c{at}", "name": each[0], "arguments": text}
            begun = {**item, "arguments": ""}
            bits = [{"type": "response.function_call_arguments.delta", "delta": x} for x in split(draw, text)]
        items.append(item)
        events.append({"type": "response.output_item.added", "output_index": at, "item": begun})
        events += [{**bit, **place} for bit in bits]
        events.append({"type": "response.output_item.done", "output_index": at, "item": item})
    usage = {"input_tokens": USAGE[0], "output_tokens": USAGE[1], "total_tokens": sum(USAGE)}
    whole = {**head, "status": "completed", "output": items, "usage": usage}
    last = {**whole, "output": draw(st.sampled_from([items, []]))}
    begun_response = {**head, "status": "in_progress", "output": []}
    events = [
        {"type": "response.created", "response": begun_response},
        *events,
        {"type": "response.completed", "response": last},
    ]
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
    return finished(draw, whole, numbered, named=True, done=False)


@st.composite
def messages(draw: st.DrawFn) -> Made:
    """Anthropic messages: text, thinking and calls in any order."""
    blocks: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for at, each in enumerate(draw(st.lists(words | pieces | st.none(), max_size=4))):
        if each is None:
            block: dict[str, Any] = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
            begun = {**block, "thinking": "", "signature": ""}
            bits = [{"type": "thinking_delta", "thinking": "Hm."}, {"type": "signature_delta", "signature": "s"}]
        elif isinstance(each, str):
            block, begun = {"type": "text", "text": each}, {"type": "text", "text": ""}
            bits = [{"type": "text_delta", "text": part} for part in split(draw, each)]
        else:
            block = {"type": "tool_use", "id": f"c{at}", "name": each[0], "input": each[1]}
            begun, text = {**block, "input": {}}, json.dumps(each[1]) if each[1] else ""
            bits = [{"type": "input_json_delta", "partial_json": part} for part in split(draw, text)]
        blocks.append(block)
        events.append({"type": "content_block_start", "index": at, "content_block": begun})
        events += [{"type": "content_block_delta", "index": at, "delta": bit} for bit in bits]
        events.append({"type": "content_block_stop", "index": at})
    head = {"id": "m", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_sequence": None}
    usage = {"input_tokens": USAGE[0], "output_tokens": USAGE[1]}
    begin = {**head, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    events = [
        {"type": "message_start", "message": begin},
        *events,
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": USAGE[1]}},
        {"type": "message_stop"},
    ]
    whole = {**head, "content": blocks, "stop_reason": "end_turn", "usage": usage}
    return finished(draw, whole, events, named=True, done=False)


class _Wire(httpx2.BaseTransport):
    """Answers every request with the reply at hand."""

    made = Made(b"", stream=False, cut=False)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        kind = "text/event-stream" if self.made.stream else "application/json"
        return httpx2.Response(200, headers={"content-type": kind}, content=self.made.body)


WIRE = _Wire()
OPENAI = openai.OpenAI(api_key="k", max_retries=0, http_client=httpx2.Client(transport=WIRE))
ANTHROPIC = anthropic.Anthropic(api_key="k", max_retries=0, http_client=httpx2.Client(transport=WIRE))


def events_of(ask: Callable[[], Any]) -> Iterator[Any]:
    """The reply, or the events of its stream as far as the SDK hands them on."""
    try:
        given = ask()
        yield from given if WIRE.made.stream else [given]
    except (json.JSONDecodeError, openai.OpenAIError, anthropic.AnthropicError):
        return


def take(got: Delivered, name: str, text: str) -> None:
    """Note a call, whole or begun."""
    try:
        got.calls.append((name, json.loads(text)))
    except ValueError:
        got.begun.append(name)


def from_chat() -> Delivered:
    """What the openai SDK delivers of a chat completion."""
    got, calls = Delivered(), []
    asked: dict[str, Any] = {"model": "gpt-5-mini", "messages": [], "stream": WIRE.made.stream}
    for each in events_of(lambda: OPENAI.chat.completions.create(**asked)):
        if each.usage:
            got.usage = each.usage.prompt_tokens, each.usage.completion_tokens
        for choice in each.choices or ():
            said = choice.delta if WIRE.made.stream else choice.message
            got.text += said.content or ""
            got.whole = got.whole or choice.finish_reason is not None
            for piece in said.tool_calls or ():
                if piece.id:
                    calls.append([piece.function.name, ""])
                calls[-1][1] += piece.function.arguments or ""
    for name, text in calls:
        take(got, name, text)
    return got


def from_responses() -> Delivered:
    """What the openai SDK delivers of a response, event by event."""
    got, begun = Delivered(), {}
    asked: dict[str, Any] = {"model": "gpt-5-mini", "input": "x", "stream": WIRE.made.stream}
    for each in events_of(lambda: OPENAI.responses.create(**asked)):
        items: list[Any] = []
        if not WIRE.made.stream:
            items, got.whole, got.usage = each.output, True, (each.usage.input_tokens, each.usage.output_tokens)
            got.text = each.output_text
        elif each.type == "response.output_text.delta":
            got.text += each.delta
        elif each.type == "response.output_item.added" and each.item.type == "function_call":
            begun[each.output_index] = [each.item.name, ""]
        elif each.type == "response.function_call_arguments.delta":
            begun[each.output_index][1] += each.delta
        elif each.type == "response.output_item.done":
            items = [each.item] if each.item.type == "function_call" else []
            begun.pop(each.output_index, None)
        elif each.type == "response.completed":
            got.whole, got.usage = True, (each.response.usage.input_tokens, each.response.usage.output_tokens)
        got.calls += [(item.name, json.loads(item.arguments)) for item in items if item.type == "function_call"]
    for name, text in begun.values():
        take(got, name, text)
    return got


def from_messages() -> Delivered:
    """What the anthropic SDK delivers of a message."""
    got, begun = Delivered(), {}
    asked: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [], "stream": WIRE.made.stream}
    for each in events_of(lambda: ANTHROPIC.messages.create(**asked)):
        if not WIRE.made.stream:
            got.text = "".join(block.text for block in each.content if block.type == "text")
            got.calls = [(block.name, block.input) for block in each.content if block.type == "tool_use"]
            got.whole, got.usage = True, (each.usage.input_tokens, each.usage.output_tokens)
        elif each.type == "content_block_start" and each.content_block.type == "tool_use":
            begun[each.index] = [each.content_block.name, ""]
        elif each.type == "content_block_delta" and each.delta.type == "text_delta":
            got.text += each.delta.text
        elif each.type == "content_block_delta" and each.delta.type == "input_json_delta":
            begun[each.index][1] += each.delta.partial_json
        elif each.type == "content_block_stop" and each.index in begun:
            name, text = begun.pop(each.index)
            take(got, name, text or "{}")
        elif each.type == "message_delta":
            got.usage = USAGE[0], each.usage.output_tokens
        got.whole = got.whole or each.type == "message_stop"
    for name, text in begun.values():
        take(got, name, text)
    return got


def assert_told(trace: Trace, got: Delivered) -> None:
    """The trace holds what was delivered; what it does not hold makes no check pass."""
    shown = [(call.name, call.arguments) for call in trace.tool_calls]
    assert sorted(shown, key=repr) == sorted(got.calls, key=repr)
    (call,) = trace.model_calls
    assert (call.reply.text if call.reply else "") == got.text
    assert (call.error is None) == got.whole
    if call.reply is not None:
        usage = call.usage and (call.usage.input_tokens, call.usage.output_tokens)
        assert usage in (got.usage, None)
        assert usage is not None or not (got.whole and got.usage)
    for tool in TOOLS:
        status = check_not_called(NotCalled(not_called=tool), trace).status
        if tool in {name for name, _ in got.calls}:
            assert status is ScoreStatus.FAILED
        elif got.begun:
            assert status is ScoreStatus.ERRORED
        else:
            assert status is ScoreStatus.PASSED


DOORS = {
    Api.OPENAI_CHAT: (chats(), from_chat, [{"type": "function", "function": {"name": name}} for name in TOOLS]),
    Api.OPENAI_RESPONSES: (responses(), from_responses, [{"type": "function", "name": name} for name in TOOLS]),
    Api.ANTHROPIC_MESSAGES: (messages(), from_messages, [{"name": name} for name in TOOLS]),
}


@pytest.mark.parametrize("api", DOORS)
def test_the_trace_holds_what_the_sdk_delivered(api: Api) -> None:
    """Calls, texts and usage, of whole and of cut replies."""
    replies, read, tools = DOORS[api]

    @settings(deadline=None, max_examples=300)
    @given(replies)
    def holds(made: Made) -> None:
        WIRE.made = made
        ending = Ending.CUT if made.cut else Ending.COMPLETE
        kind = "text/event-stream" if made.stream else "application/json"
        exchange = answered(api, made.body, ending=ending, content_type=kind, tools=tools, stream=made.stream)
        assert_told(traced(exchange), read())

    holds()
