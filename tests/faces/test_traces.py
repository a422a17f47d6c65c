"""Agents of every build, recorded and replayed through the command line, with their traces read off the wire."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.providers.simulated import running_provider
from harness.records.comparison import Results
from harness.records.trace import Conversation, Role, ToolCalled, Trace
from tests.project import MiniProject

TRIP = {
    "pyproject.toml": "[tool.harness]\n",
    "conftest.py": "import harness\nfrom trip import plan\n\nharness.subject('trip')(plan)\n",
    "trip.py": '''\
import asyncio
import json

import harness
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI


def offered(name, *keys):
    return {"type": "function", "name": name, "parameters": {"type": "object", "properties": {key: {} for key in keys}}}


async def guard(text):
    """A side call over a third protocol; the SDK retries by itself."""
    reply = await AsyncAnthropic().messages.create(
        model="claude-haiku-4-5",
        max_tokens=64,
        system="Say whether this is about travel.",
        messages=[{"role": "user", "content": text}],
    )
    return reply.content[0].text


async def research(about):
    """A sub-agent over Chat Completions, with a tool of its own; the SDK retries by itself."""
    tool = {key: value for key, value in offered("search", "query").items() if key != "type"}
    messages = [{"role": "system", "content": "You search."}, {"role": "user", "content": about}]
    while True:
        reply = await AsyncOpenAI().chat.completions.create(
            model="gpt-5-mini", messages=messages, tools=[{"type": "function", "function": tool}]
        )
        message = reply.choices[0].message
        if not message.tool_calls:
            return message.content
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            messages.append({"role": "tool", "tool_call_id": call.id, "content": f"found {about}"})


async def lead(text):
    """The main agent over Responses; its parallel tool calls run as sub-agents side by side."""
    given = [{"role": "user", "content": text}]
    while True:
        reply = await AsyncOpenAI().responses.create(
            model="gpt-5-mini", instructions="You plan trips.", input=given, tools=[offered("research", "about")]
        )
        calls = [item for item in reply.output if item.type == "function_call"]
        if not calls:
            return reply.output_text
        found = await asyncio.gather(*(research(json.loads(call.arguments)["about"]) for call in calls))
        given += [
            {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}
            for call in calls
        ]
        for call, result in zip(calls, found):
            given.append({"type": "function_call_output", "call_id": call.call_id, "output": result})


async def plan(task: harness.Task) -> str:
    verdict, answer = await asyncio.gather(guard(task.input), lead(task.input))
    return answer if verdict == "yes" else "I can't help."
''',
    "scenarios/trip.yaml": """\
description: A trip is planned by a lead with two researchers, beside a guard.
subject: trip
input: Plan my weekend.
expect:
  - called: research
    arguments: {about: trains to Lyon}
  - called: search
  - output: {equals: Take the TGV and stay at the Negresco.}
limits: {model_calls: 9, tool_calls: 4}
""",
    "lead.script.yaml": """\
match: {user: Plan my weekend, system: You plan trips.}
rules:
  - when: {turn: 1}
    call:
      - {tool: research, arguments: {about: trains to Lyon}}
      - {tool: research, arguments: {about: hotels in Nice}}
  - when: {turn: 2}
    say: Take the TGV and stay at the Negresco.
""",
    "guard.script.yaml": """\
match: {system: Say whether this is about travel.}
rules:
  - fail: {status: 529, times: 1}
  - say: "yes"
""",
    "trains.script.yaml": """\
match: {user: trains to Lyon, system: You search.}
rules:
  - when: {turn: 1}
    call: [{tool: search, arguments: {query: trains}}]
  - fail: {status: 429, retry_after: 0.2, times: 1}
  - say: The TGV leaves at nine.
""",
    "hotels.script.yaml": """\
match: {user: hotels in Nice, system: You search.}
rules:
  - when: {turn: 1}
    call: [{tool: search, arguments: '{"query": '}]
  - say: The Negresco has rooms.
""",
}


@pytest.fixture(scope="module")
def trip(tmp_path_factory: pytest.TempPathFactory) -> MiniProject:
    """The trip, recorded over a real socket and replayed."""
    project = MiniProject(tmp_path_factory.mktemp("trip")).write(TRIP)
    with running_provider(sorted(project.root.glob("*.script.yaml"))) as url:
        done = project.record(url)
    assert done.code == 0, done.text
    done = project.harness("run")
    assert done.code == 0, done.text
    return project


def traced(project: MiniProject) -> Trace:
    """The trace of the one trial of the last run."""
    (trial,) = Results.model_validate(project.results()).trials
    assert trial.trace is not None
    return trial.trace


def test_a_trip_with_everything(trip: MiniProject) -> None:
    """Three protocols, sub-agents side by side, a guard, two SDKs' retries, bad arguments: each told for what it is."""
    trace = traced(trip)
    known: dict[Any, Conversation] = {event.name: event for event in trace.events if isinstance(event, Conversation)}
    searchers = [event for event in trace.events if isinstance(event, Conversation) and event.name == "You search."]
    assert known["You plan trips."].role is Role.MAIN
    assert known["Say whether this is about travel."].role is Role.SIDE
    asked = {call.call_id: call for call in trace.tool_calls if call.name == "research"}
    assert [(one.role, one.parent, one.tool) for one in searchers] == [(Role.SUB_AGENT, 1, "research")] * 2
    assert {one.tool_call for one in searchers} == set(asked)
    for one in searchers:
        last = [call for call in trace.model_calls if call.conversation == one.number][-1]
        assert last.reply is not None
        assert last.reply.text == asked[one.tool_call].result
    retried = {call.conversation: [a.status for a in call.attempts] for call in trace.model_calls if call.attempts}
    assert sorted(retried.values()) == [[429], [529]]
    (limited,) = (a for call in trace.model_calls for a in call.attempts if a.status == 429)
    assert limited.retry_after == 200_000_000
    assert (len(trace.model_calls), trace.model_requests) == (7, 9)
    bad = [event for event in trace.events if isinstance(event, ToolCalled) and event.not_json]
    assert [(call.arguments, call.result) for call in bad] == [('{"query": ', "found hotels in Nice")]
    assert not any(call.unsure for call in trace.model_calls)


def test_a_limit_counts_failed_attempts(trip: MiniProject, tmp_path: Path) -> None:
    """Nine requests exceed a limit of eight, though they are seven calls."""
    stricter = MiniProject(Path(shutil.copytree(trip.root, tmp_path / "trip")))
    done = stricter.edit("scenarios/trip.yaml", "model_calls: 9", "model_calls: 8").harness("run")
    assert done.code == 1
    assert "limit model_calls: 9 model_calls, limit 8" in done.out


def test_replays_agree_to_the_byte(trip: MiniProject) -> None:
    """Sub-agents that run side by side give the same trace every time."""
    trip.harness("run", "-j", "8", "--out", "reports/again")
    one, two = ((trip.root / "reports" / name / "results.json").read_bytes() for name in ("latest", "again"))
    assert one == two


def test_show_reads_the_results(trip: MiniProject) -> None:
    """The terminal has the threads and the folded retries."""
    text = trip.harness("show", "reports/latest/results.json").out
    assert "after 1 failed attempt: 429, waited" in text
    assert "[sub-agent 3]" in text
    assert "7 model calls, 2 failed attempts, 4 tool calls, 4 conversations" in text
