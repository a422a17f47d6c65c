"""Traces of real traffic that other projects published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cassettes import load_cassette
from harness.records.trace import Conversation, Event, HttpCall, ModelCall, Role, ToolCalled
from harness.wire.trace import read_events

SHARED = Path(__file__).parents[3] / "shared" / "recordings"
INDEX = json.loads((SHARED / "index.json").read_text(encoding="utf-8")) if SHARED.is_dir() else []

pytestmark = pytest.mark.skipif(not INDEX, reason="the shared recordings are not here")
READ = [entry for entry in INDEX if entry["api"] not in ("generateContent", "converse", "invoke-stream")]


def each(entries: list[dict[str, Any]]) -> pytest.MarkDecorator:
    """A test for each of these files."""
    return pytest.mark.parametrize("entry", [pytest.param(entry, id=entry["file"][10:]) for entry in entries])


def read(name: str) -> tuple[Event, ...]:
    """The events of a recording whose name begins so."""
    (file,) = (SHARED / "cassettes").glob(f"{name}*")
    return read_events([(exchange, 0) for exchange in load_cassette(file).exchanges], (), {})


@each(INDEX)
def test_every_exchange_appears_exactly_once(entry: dict[str, Any]) -> None:
    """As a model call, a failed attempt, or a call of an API that is named as not read."""
    numbers = []
    for event in read(Path(entry["file"]).name):
        if isinstance(event, ModelCall):
            numbers += [event.turn, *(attempt.turn for attempt in event.attempts)]
        elif isinstance(event, HttpCall):
            assert event.model_api
            numbers.append(event.turn)
    assert sorted(numbers) == list(range(1, entry["interactions"] + 1))


@each(READ)
def test_tool_calls_of_the_agent_are_those_of_the_index(entry: dict[str, Any]) -> None:
    """The index counts what the models asked for, in the protocols that we read."""
    asked = [
        event for event in read(Path(entry["file"]).name) if isinstance(event, ToolCalled) and not event.at_provider
    ]
    assert len(asked) == entry["tool_calls"]


@pytest.mark.parametrize(
    ("name", "tool", "result"),
    [
        ("18-", "tool_search", '["get_exchange_rate"]'),
        ("21-", "web_search", None),
        ("31-", "tool_search_tool_regex", '"tool_name": "get_weather"'),
    ],
)
def test_tools_that_ran_at_the_provider(name: str, tool: str, result: str | None) -> None:
    """They go by the name under which they were offered, with what the reply shows of them."""
    called = next(event for event in read(name) if isinstance(event, ToolCalled) and event.at_provider)
    offered = {name for event in read(name) if isinstance(event, ModelCall) for name in event.tools}
    assert called.name == tool
    assert called.name in offered
    assert called.result is None if result is None else result in (called.result or "")


def test_an_agent_that_goes_on_from_a_stored_response() -> None:
    """`previous_response_id` links the second call of an agent framework's recording to the first."""
    events = read("15-")
    _, second = (event for event in events if isinstance(event, ModelCall))
    assert (second.conversation, second.unsure) == (1, "")
    assert "the provider stores" in second.linked
    assert all(event.result for event in events if isinstance(event, ToolCalled))


def test_arguments_that_an_sdk_wrote_anew_are_the_same_arguments() -> None:
    """Spaces that an SDK puts into a call's JSON do not make the model's words the agent's."""
    sent = [message.role for event in read("16-") if isinstance(event, ModelCall) for message in event.sent]
    assert sent == ["user"]


def test_two_agents_in_one_recording_are_told_apart() -> None:
    """A planner and a researcher of one crew have conversations of their own."""
    names = [event.name for event in read("26-") if isinstance(event, Conversation)]
    assert [name.split(" ")[:3] for name in names] == [["You", "are", "a"], ["You", "are", "Research"]]
    assert all(event.role is Role.UNKNOWN for event in read("26-") if isinstance(event, Conversation))


def test_custom_tools_take_text() -> None:
    """Arguments that are no JSON stay as the model wrote them, and are marked."""
    (called,) = (event for event in read("19-") if isinstance(event, ToolCalled))
    assert (called.arguments, called.not_json) == ("4 + 4", True)
