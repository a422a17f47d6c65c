"""The agent's loop, over a scripted model."""

from __future__ import annotations

import asyncio
import logging
from random import Random
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from harness.agent import Agent, AgentState, Tool, make_tool
from harness.errors import CassetteMissError, LogicError, ModelError, RegistryError, ToolError, TransientError
from harness.records.message import AssistantMessage, ModelReply, StopReason, ToolResult, Usage, UserMessage
from harness.seams import RecordedClock, Seams
from tests.agent.scripted import ScriptedClient, asks, says


def find_order(order_id: str) -> dict[str, str]:
    """Look up an order."""
    if order_id != "1042":
        raise ToolError(f"no order {order_id}")
    return {"id": order_id, "total": "59.00"}


def break_down() -> str:
    """Fail."""
    raise KeyError("orders")


class City(BaseModel):
    """An answer with a form."""

    name: str
    people: int


def make_agent(*script: Any, tools: tuple[Any, ...] = (), **fields: Any) -> tuple[Agent, ScriptedClient]:
    """An agent over a script, and the client that saw its requests."""
    client = ScriptedClient(list(script))
    seams = Seams(run_id="run-7", clock=RecordedClock(), random=Random(7))
    made = tuple(tool if isinstance(tool, Tool) else make_tool(tool) for tool in tools)
    return Agent(client=client, model="m", system="Be brief.", seams=seams, tools=made, **fields), client


def results(state: AgentState) -> list[tuple[str, str, bool]]:
    """What the tools gave back: id, content, whether it was an error."""
    return [(m.call_id, m.content, m.is_error) for m in state.messages if isinstance(m, ToolResult)]


async def test_text_is_the_answer() -> None:
    """A reply without tool calls ends the turn, and the state holds the whole conversation."""
    agent, client = make_agent(says("Hello."), settings={"temperature": 0}, stream=True)
    state = await agent.run(AgentState(), "Hi")
    assert state.answer == "Hello."
    assert state.messages == (UserMessage(text="Hi"), AssistantMessage(text="Hello."))
    assert (state.calls, state.usage) == (1, Usage(input_tokens=10, output_tokens=3))
    (request,) = client.requests
    assert (request.model, request.system, request.settings, request.stream) == (
        "m",
        "Be brief.",
        {"temperature": 0},
        True,
    )


async def test_tool_results_go_back_to_the_model() -> None:
    """A called tool's result is in the next request, which offers the tools again."""
    agent, client = make_agent(asks(("a", "find_order", '{"order_id": "1042"}')), says("59.00"), tools=(find_order,))
    state = await agent.run(AgentState(), "How much?")
    assert state.answer == "59.00"
    assert client.requests[1].messages[-1] == ToolResult(
        call_id="a", name="find_order", content='{"id":"1042","total":"59.00"}'
    )
    assert [tool.name for tool in client.requests[1].tools] == ["find_order"]


async def test_a_conversation_goes_on_from_its_state() -> None:
    """The second turn sends the first one too; calls count anew, usage adds up."""
    agent, client = make_agent(says("One."), says("Two."))
    first = await agent.run(AgentState(), "1?")
    second = await agent.run(first, "2?")
    assert [m.text for m in client.requests[1].messages if not isinstance(m, ToolResult)] == ["1?", "One.", "2?"]
    assert (second.answer, second.calls, second.usage.input_tokens) == ("Two.", 1, 20)
    assert first.answer == "One."


async def test_unknown_usage_adds_nothing() -> None:
    """A reply whose usage the provider did not tell leaves the sum as it was."""
    reply = says("Hello.").model_copy(update={"usage": None})
    agent, _ = make_agent(reply)
    assert (await agent.run(AgentState(), "Hi")).usage == Usage()


async def test_parallel_calls_run_together() -> None:
    """Calls of one reply overlap: each of these two can end only once the other has begun."""
    begun = {"left": asyncio.Event(), "right": asyncio.Event()}

    async def meet(mine: str, other: str) -> str:
        begun[mine].set()
        await begun[other].wait()
        return mine

    calls = asks(("a", "meet", '{"mine":"left","other":"right"}'), ("b", "meet", '{"mine":"right","other":"left"}'))
    agent, _ = make_agent(calls, says("met"), tools=(meet,))
    state = await asyncio.wait_for(agent.run(AgentState(), "go"), 5)
    assert results(state) == [("a", "left", False), ("b", "right", False)]


async def test_results_keep_the_order_of_the_calls() -> None:
    """The first call's result comes first, even where its tool ends last."""
    ended: list[int] = []

    async def count_down(rounds: int) -> int:
        for _ in range(rounds):
            await asyncio.sleep(0)
        ended.append(rounds)
        return rounds

    calls = [(str(rounds), "count_down", f'{{"rounds":{rounds}}}') for rounds in (5, 1, 3)]
    agent, _ = make_agent(asks(*calls), says("done"), tools=(count_down,))
    state = await agent.run(AgentState(), "go")
    assert ended == [1, 3, 5]
    assert [call_id for call_id, _, _ in results(state)] == ["5", "1", "3"]


async def test_tool_errors_are_the_models_to_mend() -> None:
    """A refusal, a broken tool, wrong arguments and an unknown name each come back as an error result."""
    calls = asks(
        ("a", "find_order", '{"order_id": "7"}'),
        ("b", "break_down", "{}"),
        ("c", "find_order", '{"order": "7"}'),
        ("d", "find_ordre", "{}"),
    )
    agent, _ = make_agent(calls, says("Sorry."), tools=(find_order, break_down))
    found = results(await agent.run(AgentState(), "go"))
    assert [(call_id, is_error) for call_id, _, is_error in found] == [(call_id, True) for call_id in "abcd"]
    assert found[0][1] == "no order 7"
    assert found[1][1] == "break_down failed: KeyError: 'orders'"
    assert "- `order_id`: is required\n- `order`: is unknown" in found[2][1]
    assert found[3][1] == "There is no tool named 'find_ordre'. The tools are: find_order, break_down."


@pytest.mark.parametrize("raised", [CassetteMissError("not recorded"), RegistryError("no such validator")])
async def test_what_is_not_the_tools_own_ends_the_run(raised: BaseException) -> None:
    """A recording's miss and a fault of the project pass through the loop as themselves, not in a group."""

    def ask_elsewhere() -> str:
        raise raised

    agent, client = make_agent(asks(("a", "ask_elsewhere", "{}"), ("b", "ask_elsewhere", "{}")), tools=(ask_elsewhere,))
    with pytest.raises(type(raised), match=str(raised)):
        await agent.run(AgentState(), "go")
    assert len(client.requests) == 1


async def test_structured_answer_is_validated() -> None:
    """With an output model, the answer is data of its form and the request carries its schema."""
    agent, client = make_agent(says('{"name":"Bern","people":134000}'), output=City)
    assert (await agent.run(AgentState(), "Capital?")).answer == {"name": "Bern", "people": 134000}
    output = client.requests[0].output
    assert output is not None
    assert (output.name, output.schema_["required"]) == ("City", ["name", "people"])


async def test_one_correction_is_allowed() -> None:
    """A misformed answer is sent back with its faults; a mended one is taken."""
    agent, client = make_agent(says('{"name":"Bern"}'), says('{"name":"Bern","people":134000}'), output=City)
    state = await agent.run(AgentState(), "Capital?")
    assert state.answer == {"name": "Bern", "people": 134000}
    assert state.corrected
    wish = client.requests[1].messages[-1]
    assert isinstance(wish, UserMessage)
    assert "- `people`: is required" in wish.text


async def test_a_second_misformed_answer_is_an_error() -> None:
    """The correction is bounded: two requests, then a ModelError that says what is wrong."""
    agent, client = make_agent(says("Bern"), says('{"name":"Bern","people":"many"}'), output=City)
    with pytest.raises(ModelError, match=r"does not fit City, even after one correction:\n- `people`: .*'many'"):
        await agent.run(AgentState(), "Capital?")
    assert len(client.requests) == 2


async def test_each_turn_has_its_correction() -> None:
    """A correction used in one turn is not missing in the next."""
    good = says('{"name":"Bern","people":1}')
    agent, _ = make_agent(says("?"), good, says("?"), good, output=City)
    state = await agent.run(await agent.run(AgentState(), "Capital?"), "Again?")
    assert state.answer == {"name": "Bern", "people": 1}


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (says("I can't help.", StopReason.REFUSAL), ModelError, "the model refused: I can't help."),
        (says("", StopReason.REFUSAL), ModelError, "the model refused: it gave no reason"),
        (says("And then", StopReason.LENGTH), ModelError, "cut at its length limit"),
        (says("", StopReason.CONTENT_FILTER), ModelError, "content filter"),
        (says(" \n"), ModelError, "without saying anything"),
        (says("Hm", StopReason.OTHER), LogicError, "a reason that this agent can't act on"),
    ],
)
async def test_a_stop_that_is_no_answer(reply: ModelReply, error: type[Exception], message: str) -> None:
    """A reply that was refused, cut or empty is an error with a clean text, after one request."""
    agent, client = make_agent(reply)
    with pytest.raises(error, match=message):
        await agent.run(AgentState(), "go")
    assert len(client.requests) == 1


async def test_tool_calls_of_a_cut_reply_do_not_run() -> None:
    """A reply cut at its length may hold half of its calls: none of them runs."""
    effects: list[str] = []

    def pay(amount: int) -> str:
        effects.append("paid")
        return "paid"

    cut = asks(("a", "pay", '{"amount":1}')).model_copy(update={"stop": StopReason.LENGTH})
    agent, _ = make_agent(cut, tools=(pay,))
    with pytest.raises(ModelError, match="length limit"):
        await agent.run(AgentState(), "go")
    assert effects == []


async def test_stop_sequence_ends_the_turn() -> None:
    """Text up to a stop sequence that the settings asked for is the answer."""
    agent, _ = make_agent(says("Up to here", StopReason.STOP_SEQUENCE))
    assert (await agent.run(AgentState(), "go")).answer == "Up to here"


async def test_the_call_limit_names_itself() -> None:
    """A loop without end stops at the limit, and the error shows what it was about."""
    forever = [asks(("a", "find_order", '{"order_id":"1042"}'))] * 9
    agent, client = make_agent(*forever, tools=(find_order,), max_calls=3)
    with pytest.raises(
        LogicError, match=r'no answer after 3 model calls \(max_calls\).*find_order\({"order_id":"1042"}\)'
    ):
        await agent.run(AgentState(), "go")
    assert len(client.requests) == 3


async def test_an_answer_at_the_limit_counts() -> None:
    """The last allowed call may still bring the answer."""
    agent, _ = make_agent(asks(("a", "find_order", "{}")), says("Done."), tools=(find_order,), max_calls=2)
    assert (await agent.run(AgentState(), "go")).answer == "Done."


def test_two_tools_of_one_name_are_refused() -> None:
    """Names tell tools apart, so a doubled one is refused before any request."""
    with pytest.raises(RegistryError, match="two tools named 'find_order'; rename one"):
        make_agent(tools=(find_order, find_order))


def test_state_is_immutable() -> None:
    """Nobody changes a state that others hold."""
    with pytest.raises(ValidationError, match="frozen"):
        AgentState().answer = "other"  # type: ignore[misc]


def lines_without_run(records: list[logging.LogRecord], run_id: str) -> list[str]:
    """The log lines that do not name the run, in the text or as an attribute."""
    return [
        record.getMessage()
        for record in records
        if run_id not in record.getMessage() or getattr(record, "run_id", None) != run_id
    ]


async def test_every_log_line_names_its_run(caplog: pytest.LogCaptureFixture) -> None:
    """Each record of model calls, tools and a retry carries the run id, a broken tool's also its traceback."""
    caplog.set_level(logging.DEBUG)
    calls = asks(("a", "find_order", '{"order_id":"1042"}'), ("b", "break_down", "{}"), ("c", "nobody", "{}"))
    agent, _ = make_agent(TransientError("busy"), calls, says("ok"), tools=(find_order, break_down))
    await agent.run(AgentState(), "go")
    ours = [record for record in caplog.records if record.name.startswith("harness")]
    assert len(ours) == 6
    assert lines_without_run(ours, "run-7") == []
    assert [record.exc_info[0] for record in ours if record.exc_info] == [KeyError]


def test_a_log_line_without_its_run_is_found(caplog: pytest.LogCaptureFixture) -> None:
    """The rule above can fail: a plain logger's line breaks it."""
    logging.getLogger("harness.agent").warning("tool %s broke", "x")
    assert lines_without_run(caplog.records, "run-7") == ["tool x broke"]
