"""What holds of every conversation, whatever the model says; and broken agents that must be caught by it."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.agent import Agent, AgentState, make_tool
from harness.agent.runlog import RunLog
from harness.errors import LogicError, ToolError
from harness.records.message import AssistantMessage, Message, ModelReply, ToolCall, ToolResult, UserMessage
from harness.seams import RecordedClock, Seams
from tests.agent.scripted import ScriptedClient, asks, says

MAX_CALLS = 4


async def wait_for(rounds: int) -> int:
    """Let others go first."""
    for _ in range(rounds):
        await asyncio.sleep(0)
    return rounds


def refuse() -> str:
    """Say no."""
    raise ToolError("no")


def crash() -> str:
    """Break."""
    raise ZeroDivisionError


TOOLS = tuple(make_tool(function) for function in (wait_for, refuse, crash))

call_bodies = st.tuples(
    st.sampled_from(["wait_for", "refuse", "crash", "unknown"]),
    st.sampled_from(["{}", "", "[", "null", '{"rounds":"x"}']) | st.builds('{{"rounds":{}}}'.format, st.integers(0, 3)),
)


@st.composite
def replies(draw: st.DrawFn) -> ModelReply:
    """A reply in words or with up to four calls, ids unique within it."""
    bodies = draw(st.lists(call_bodies, max_size=4))
    return asks(*((f"call-{n}", *body) for n, body in enumerate(bodies))) if bodies else says("Done.")


turns = st.lists(st.lists(replies(), max_size=MAX_CALLS + 1), min_size=1, max_size=3)


def broken_rules(messages: tuple[Message, ...]) -> list[str]:
    """Where a conversation breaks the rule: each call has its one result, at once and in the calls' order."""
    faults: list[str] = []
    due: list[str] = []
    for number, message in enumerate(messages):
        if isinstance(message, ToolResult):
            if not due or message.call_id != due.pop(0):
                faults.append(f"{number}: a result that is not due")
        elif due:
            faults.append(f"{number}: results are missing")
            due = []
        if isinstance(message, AssistantMessage):
            due = [call.id for call in message.tool_calls]
    return faults + (["end: results are missing"] if due else [])


async def converse(kind: type[Agent], scripts: list[list[ModelReply]]) -> ScriptedClient:
    """Put a turn to the agent for each script; the client saw the conversation."""
    client = ScriptedClient([])
    seams = Seams("run", RecordedClock(), Random(0))
    agent = kind(client=client, model="m", system="", seams=seams, tools=TOOLS, max_calls=MAX_CALLS)
    state = AgentState()
    for script in scripts:
        before, sent = state.model_dump_json(), len(client.requests)
        client.script[sent:] = [*script, *[says("At last.")] * MAX_CALLS]
        given_state = state
        try:
            state = await agent.run(state, "go")
        except LogicError:
            assert len(client.requests) - sent == MAX_CALLS
        assert given_state.model_dump_json() == before
        assert len(client.requests) - sent <= MAX_CALLS
    return client


@given(turns)
def test_every_call_has_its_result(scripts: list[list[ModelReply]]) -> None:
    """Each request that a model sees holds one result per call, in order, and never more calls than allowed."""
    client = asyncio.run(converse(Agent, scripts))
    for request in client.requests:
        assert broken_rules(request.messages) == []


@given(turns)
def test_the_conversation_only_grows(scripts: list[list[ModelReply]]) -> None:
    """Within a turn each request begins with the one before: nothing that was said is taken back."""
    client = asyncio.run(converse(Agent, scripts))
    for earlier, later in zip(client.requests, client.requests[1:], strict=False):
        if not isinstance(later.messages[-1], UserMessage):
            assert later.messages[: len(earlier.messages)] == earlier.messages


@given(turns)
def test_the_same_script_gives_the_same_conversation(scripts: list[list[ModelReply]]) -> None:
    """Nothing in the loop depends on anything but its parameters."""
    first, second = (asyncio.run(converse(Agent, scripts)).requests for _ in range(2))
    assert first == second


class SwapsResults(Agent):
    """Broken: hands the results over in the wrong order."""

    async def _call_tools(self, calls: tuple[ToolCall, ...], log: RunLog) -> tuple[ToolResult, ...]:
        return (await Agent._call_tools(self, calls, log))[::-1]


class DropsErrors(Agent):
    """Broken: the model is not told of a tool's failure."""

    async def _call_tools(self, calls: tuple[ToolCall, ...], log: RunLog) -> tuple[ToolResult, ...]:
        return tuple(result for result in await Agent._call_tools(self, calls, log) if not result.is_error)


class DoublesResults(Agent):
    """Broken: says everything twice."""

    async def _call_tools(self, calls: tuple[ToolCall, ...], log: RunLog) -> tuple[ToolResult, ...]:
        results = await Agent._call_tools(self, calls, log)
        return results + results


@pytest.mark.parametrize("kind", [SwapsResults, DropsErrors, DoublesResults])
def test_a_broken_agent_is_caught(kind: type[Agent]) -> None:
    """The rule can fail: each of these agents breaks it."""
    script = [asks(("a", "wait_for", '{"rounds":1}'), ("b", "refuse", "{}")), says("Done.")]
    assert broken_rules(asyncio.run(converse(kind, [script])).requests[-1].messages)
    assert broken_rules(asyncio.run(converse(Agent, [script])).requests[-1].messages) == []


def test_missing_results_are_found_at_the_end_and_between() -> None:
    """The rule sees results that never came, before another message and at the end."""
    unanswered = asks(("a", "refuse", "{}")).message
    assert broken_rules((unanswered, UserMessage(text="go on"))) == ["1: results are missing"]
    assert broken_rules((unanswered,)) == ["end: results are missing"]
