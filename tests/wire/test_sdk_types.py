"""Every kind of content and event that the installed SDKs know is on our lists and in the table of docs/trace.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import anthropic.types as anthropic_types
import anthropic.types.beta as beta_types
import openai.types.responses as responses_types
import pytest
from openai.types.chat import ChatCompletionMessage, ChatCompletionMessageToolCallUnion
from openai.types.chat.chat_completion_chunk import ChoiceDelta
from pydantic import BaseModel

from harness.records.message import Api
from harness.wire import anthropic_messages, anthropic_stream, openai_responses, openai_responses_stream
from tests.wire.replies import answered, model_call, responds, traced

TABLE = (Path(__file__).parents[2] / "docs" / "trace.md").read_text().partition("## What each API can send")[2]


def members(union: Any) -> Iterator[type[BaseModel]]:
    """The classes of a union, however deep it is annotated."""
    for each in get_args(union):
        if isinstance(each, type) and issubclass(each, BaseModel):
            yield each
        elif get_origin(each) is not None:
            yield from members(each)


def types_of(union: Any) -> set[str]:
    """What stands under ``type`` in each class of a union."""
    found = set()
    for member in members(union):
        annotation = member.model_fields["type"].annotation
        assert get_origin(annotation) is Literal
        found |= set(get_args(annotation))
    assert found
    return found


CONTENT = {
    "output items": (types_of(responses_types.ResponseOutputItem), openai_responses.ITEMS),
    "content blocks": (types_of(anthropic_types.ContentBlock), anthropic_messages.BLOCKS),
    "beta content blocks": (types_of(beta_types.BetaContentBlock), anthropic_messages.BLOCKS),
}
EVENTS = {
    "response events": (types_of(responses_types.ResponseStreamEvent), openai_responses_stream.fold),
    "message events": (types_of(anthropic_types.RawMessageStreamEvent), anthropic_stream.fold),
    "beta message events": (types_of(beta_types.BetaRawMessageStreamEvent), anthropic_stream.fold),
}
DELTAS = types_of(anthropic_types.RawContentBlockDelta) | types_of(beta_types.BetaRawContentBlockDelta)


@pytest.mark.parametrize("kind", CONTENT)
def test_every_type_of_the_sdks_is_on_a_list(kind: str) -> None:
    """A new version of an SDK that brings another fails here, before it is met in a recording."""
    known_to_sdk, ours = CONTENT[kind]
    assert known_to_sdk <= ours


@pytest.mark.parametrize("kind", EVENTS)
def test_no_event_of_the_sdks_is_unknown(kind: str) -> None:
    """Folded alone, each is joined or knowingly passed over; one that no SDK has is noted as unread."""
    types, fold = EVENTS[kind]
    for each in sorted(types):
        assert not [note for note in fold([{"type": each}]).unread if note.startswith("an event of type")], each
    assert fold([{"type": "telepathy"}]).unread == ("an event of type `telepathy`",)


def test_no_delta_of_the_sdks_is_unknown() -> None:
    """The same of the pieces of a content block."""
    for each in sorted(DELTAS):
        assert anthropic_stream.fold([{"type": "content_block_delta", "delta": {"type": each}}]).unread == (), each
    made_up = anthropic_stream.fold([{"type": "content_block_delta", "delta": {"type": "telepathy"}}])
    assert made_up.unread == ("a piece of type `telepathy`",)


@pytest.mark.parametrize("kind", CONTENT)
def test_every_type_of_content_is_in_the_table(kind: str) -> None:
    """The page says how each is shown; the table names nothing else."""
    named = set(re.findall(r"`([a-z_]+)`", TABLE))
    assert CONTENT[kind][0] <= named
    assert CONTENT[kind][1] <= named


@pytest.mark.parametrize("model", [ChatCompletionMessage, ChoiceDelta])
def test_every_field_of_a_chat_message_is_in_the_table(model: type[BaseModel]) -> None:
    """So is each kind of tool call."""
    named = set(re.findall(r"`([a-z_]+)`", TABLE))
    assert set(model.model_fields) <= named
    assert types_of(ChatCompletionMessageToolCallUnion) <= named


@pytest.mark.parametrize("kind", sorted(each for each in openai_responses.ITEMS if each.endswith("_call")))
def test_every_item_that_is_a_call_is_a_tool_call(kind: str) -> None:
    """Run here or at the provider, it is in the trajectory."""
    item = {"type": kind, "id": "i", "call_id": "c", "name": "refund", "status": "completed"}
    trace = traced(answered(Api.OPENAI_RESPONSES, responds([item])))
    assert len(trace.tool_calls) == 1
    assert model_call(trace).unread == ()


@pytest.mark.parametrize("kind", sorted(each for each in anthropic_messages.BLOCKS if each.endswith("_use")))
def test_every_block_that_is_a_call_is_a_tool_call(kind: str) -> None:
    """Run here or at the provider, it is in the trajectory."""
    block = {"type": kind, "id": "i", "name": "refund", "input": {}}
    trace = traced(answered(Api.ANTHROPIC_MESSAGES, {"content": [block]}))
    assert [call.name for call in trace.tool_calls] == ["refund"]
