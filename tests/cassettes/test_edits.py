"""What people edit, made through the official SDKs in each of the three protocols, is named alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from harness.cassettes import RecordSession, ReplaySession, describe_unplayed, intercepted, routed
from harness.errors import CassetteMissError
from harness.providers.simulated import running_provider
from harness.records.exchange import Cassette
from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.seams import RecordedClock, SystemClock

SCRIPT = """\
match: {user: Where is order 1042}
rules:
  - when: {turn: 1}
    call: [{tool: find_order, arguments: {order_id: "1042"}}]
  - when: {tool: find_order}
    say: It is on its way.
"""
SCHEMA = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}
ANSWER = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Desk:
    """An agent as its author wrote it."""

    model: str = "gpt-5-mini"
    system: str = "You answer customers.\nBe polite.\nLook orders up first."
    question: str = "Where is order 1042?"
    tools: dict[str, Any] = field(default_factory=lambda: {"find_order": ("Look up one order.", SCHEMA)})
    result: str = '{"status": "shipped"}'
    answer: Any = None
    temperature: float = 0.5
    calls: int = 2


def by_chat(base: str, desk: Desk) -> None:
    """The conversation in OpenAI's chat form."""
    client = openai.OpenAI(api_key="sk-test", base_url=f"{base}/v1", max_retries=0)
    messages: list[Any] = [{"role": "system", "content": desk.system}, {"role": "user", "content": desk.question}]
    tools: list[Any] = [
        {"type": "function", "function": {"name": name, "description": text, "parameters": schema}}
        for name, (text, schema) in desk.tools.items()
    ]
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": desk.answer}}
    more: dict[str, Any] = {"response_format": form} if desk.answer else {}
    with client:
        for _ in range(desk.calls):
            reply = client.chat.completions.create(
                model=desk.model, messages=messages, tools=tools, temperature=desk.temperature, **more
            )
            message = reply.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            messages += [
                {"role": "tool", "tool_call_id": call.id, "content": desk.result} for call in message.tool_calls or ()
            ]


def by_responses(base: str, desk: Desk) -> None:
    """The conversation in OpenAI's Responses form, kept by the client."""
    client = openai.OpenAI(api_key="sk-test", base_url=f"{base}/v1", max_retries=0)
    items: list[Any] = [{"role": "user", "content": desk.question}]
    tools: list[Any] = [
        {"type": "function", "name": name, "description": text, "parameters": schema, "strict": False}
        for name, (text, schema) in desk.tools.items()
    ]
    form = {"format": {"type": "json_schema", "name": "answer", "schema": desk.answer}}
    more: dict[str, Any] = {"text": form} if desk.answer else {}
    with client:
        for _ in range(desk.calls):
            reply = client.responses.create(
                model=desk.model,
                instructions=desk.system,
                input=items,
                tools=tools,
                temperature=desk.temperature,
                store=False,
                **more,
            )
            items += [item.model_dump(exclude_none=True) for item in reply.output]
            for item in reply.output:
                if item.type == "function_call":
                    items.append({"type": "function_call_output", "call_id": item.call_id, "output": desk.result})


def by_messages(base: str, desk: Desk) -> None:
    """The conversation in Anthropic's form."""
    client = anthropic.Anthropic(api_key="sk-test", base_url=base, max_retries=0)
    messages: list[Any] = [{"role": "user", "content": desk.question}]
    tools: list[Any] = [
        {"name": name, "description": text, "input_schema": schema} for name, (text, schema) in desk.tools.items()
    ]
    form = {"format": {"type": "json_schema", "schema": desk.answer}}
    more: dict[str, Any] = {"output_config": form} if desk.answer else {}
    with client:
        for _ in range(desk.calls):
            reply = client.messages.create(
                model=desk.model,
                max_tokens=200,
                system=desk.system,
                messages=messages,
                tools=tools,
                extra_body={"temperature": desk.temperature, **more},
            )
            messages.append(
                {"role": "assistant", "content": [part.model_dump(exclude_none=True) for part in reply.content]}
            )
            results = [
                {"type": "tool_result", "tool_use_id": part.id, "content": desk.result}
                for part in reply.content
                if part.type == "tool_use"
            ]
            if results:
                messages.append({"role": "user", "content": results})


PROTOCOLS = {"chat": by_chat, "responses": by_responses, "anthropic": by_messages}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cassette]:
    """The same conversation, recorded in each protocol."""
    script = tmp_path_factory.mktemp("edits") / "order.script.yaml"
    script.write_text(SCRIPT, encoding="utf-8")
    recorded = {}
    with running_provider([Path(script)]) as url:
        for name, converse in PROTOCOLS.items():
            session = RecordSession(clock=SystemClock(), journal=None)
            with intercepted(), routed(session):
                converse(url, Desk())
            recorded[name] = Cassette(exchanges=tuple(each.exchange for each in session.played))
    return recorded


def replayed(converse: Callable[[str, Desk], None], cassette: Cassette, desk: Desk) -> Mismatch | None:
    """How the edited agent leaves the recording; None where it does not."""
    session = ReplaySession(cassette, clock=RecordedClock())
    with intercepted(), routed(session):
        try:
            converse("http://127.0.0.1:1", desk)
        except CassetteMissError:
            return session.mismatch
    return describe_unplayed(session) if session.unplayed else None


FOUND = "Look up one order."
WITH_REASON = {**SCHEMA, "properties": {**SCHEMA["properties"], "reason": {"type": "string"}}}  # type: ignore[dict-item]
EDITS: dict[str, tuple[dict[str, Any], MismatchPart, str]] = {
    "model": ({"model": "gpt-5"}, MismatchPart.MODEL, "model: gpt-5-mini → gpt-5"),
    "prompt": (
        {"system": "You answer customers.\nBe kind.\nLook orders up first."},
        MismatchPart.SYSTEM_PROMPT,
        "system prompt, line 2",
    ),
    "prompt, a line more": (
        {"system": "You answer customers.\nBe polite.\nBe brief.\nLook orders up first."},
        MismatchPart.SYSTEM_PROMPT,
        "system prompt, line 3 was added",
    ),
    "prompt, white space": (
        {"system": "You answer customers.\nBe polite. \nLook orders up first."},
        MismatchPart.SYSTEM_PROMPT,
        "system prompt, line 2",
    ),
    "tool's text": (
        {"tools": {"find_order": ("Find one order.", SCHEMA)}},
        MismatchPart.TOOLS,
        "tool `find_order`: description changed",
    ),
    "parameter": (
        {"tools": {"find_order": (FOUND, WITH_REASON)}},
        MismatchPart.TOOLS,
        "tool `find_order`: parameter `reason` was added",
    ),
    "optional": (
        {"tools": {"find_order": (FOUND, {**SCHEMA, "required": []})}},
        MismatchPart.TOOLS,
        "tool `find_order`: parameter `order_id` became optional",
    ),
    "tool added": (
        {"tools": {"find_order": (FOUND, SCHEMA), "refund": ("Pay back.", SCHEMA)}},
        MismatchPart.TOOLS,
        "tool `refund` was added",
    ),
    "tool renamed": (
        {"tools": {"lookup": (FOUND, SCHEMA)}},
        MismatchPart.TOOLS,
        "tool `find_order` was renamed to `lookup`",
    ),
    "schema": ({"answer": ANSWER}, MismatchPart.OUTPUT_SCHEMA, "output schema: "),
    "setting": ({"temperature": 1.0}, MismatchPart.SETTINGS, "settings: temperature 0.5 → 1.0"),
    "question": ({"question": "Where is order 1042 now?"}, MismatchPart.OPENING, "opening, message 1"),
}


@pytest.mark.parametrize(("edit", "part", "cause"), EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_the_author_edits_is_stale(
    recordings: dict[str, Cassette], protocol: str, edit: dict[str, Any], part: MismatchPart, cause: str
) -> None:
    """The first request says it, in the same words whatever the protocol, and with a diff."""
    found = replayed(PROTOCOLS[protocol], recordings[protocol], replace(Desk(), **edit))
    assert found is not None
    assert (found.kind, found.part, found.turn) == (MismatchKind.STALE, part, 1)
    assert found.cause.startswith(cause)
    (difference,) = found.differences
    assert {line[:1] for line in difference.diff} >= {"+"}


BEHAVIOURS: dict[str, tuple[dict[str, Any], MismatchPart, int, str]] = {
    "result": ({"result": '{"status": "lost"}'}, MismatchPart.CONVERSATION, 2, "result of tool `find_order` differs"),
    "stops": ({"calls": 1}, MismatchPart.UNPLAYED, 2, "the agent stopped before call 2"),
    "goes on": ({"calls": 3}, MismatchPart.LENGTH, 3, "the agent made a further call"),
}


@pytest.mark.parametrize(("edit", "part", "turn", "cause"), BEHAVIOURS.values(), ids=BEHAVIOURS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_the_agent_does_otherwise_is_changed(
    recordings: dict[str, Cassette], protocol: str, edit: dict[str, Any], part: MismatchPart, turn: int, cause: str
) -> None:
    """Once the model has spoken, a difference is behaviour: at the turn where it shows."""
    found = replayed(PROTOCOLS[protocol], recordings[protocol], replace(Desk(), **edit))
    assert found is not None
    assert (found.kind, found.part, found.turn) == (MismatchKind.CHANGED, part, turn)
    assert found.cause.startswith(cause)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_not_edited_replays(recordings: dict[str, Cassette], protocol: str) -> None:
    """The same agent meets its recording whole."""
    assert replayed(PROTOCOLS[protocol], recordings[protocol], Desk()) is None
