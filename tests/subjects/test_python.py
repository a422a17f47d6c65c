"""A Python callable under test: how it is called, and what counts as its answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import BaseModel, Field

from harness.errors import CassetteMissError, HarnessError, RegistryError, ToolError
from harness.registry import Subject
from harness.seams import RecordedClock, Seams
from harness.settings import Project
from harness.subjects.conversation import answer_turn, begin, make_world
from harness.subjects.task import Task, World

PROJECT = Project(*[Path("/p")] * 4)
ROUTE: ContextVar[str] = ContextVar("route", default="none")


def cancel(world: World, order_id: str) -> str:
    """Cancel an order."""
    if order_id not in world.state["orders"]:
        raise ToolError(f"no order {order_id}")
    world.state["orders"][order_id]["cancelled"] = True
    return "cancelled"


def make_task(subject: Subject, state: dict[str, Any] | None = None) -> Task:
    """The first turn of a trial."""
    seams = Seams("run", RecordedClock(), Random(1))
    return Task("Hi", {}, make_world(subject, state or {}), Path("/p/s"), Path("/p/s"), seams)


def ask(function: Callable[..., Any], state: dict[str, Any] | None = None) -> Any:
    """Put one turn to a callable."""
    subject = Subject("desk", function, (cancel,))
    return asyncio.run(answer_turn(begin(subject, PROJECT), "desk", make_task(subject, state)))


async def greet(task: Task) -> str:
    """A coroutine function."""
    return f"{task.input} {threading.current_thread() is threading.main_thread()}"


class Greeter:
    """An object whose call is a coroutine function."""

    async def __call__(self, task: Task) -> str:
        """Greet."""
        return await greet(task)


@pytest.mark.parametrize("function", [greet, partial(greet), Greeter(), lambda task: greet(task)])
def test_an_async_callable_is_awaited_on_the_loop(function: Callable[..., Any]) -> None:
    """Coroutine functions are awaited where the loop runs, however they are wrapped."""
    assert ask(function) == "Hi True"


def test_a_sync_callable_runs_in_a_thread_with_the_context() -> None:
    """A blocking callable leaves the loop free and sees the trial's context variables, by which traffic is routed."""
    free = threading.Event()

    def block(task: Task) -> str:
        assert free.wait(5), "the loop did not run while the callable blocked"
        return ROUTE.get()

    async def run() -> Any:
        subject = Subject("desk", block, ())
        ROUTE.set("trial 1")
        asyncio.get_running_loop().call_later(0.01, free.set)
        return await answer_turn(begin(subject, PROJECT), "desk", make_task(subject))

    assert asyncio.run(run()) == "trial 1"


@pytest.mark.parametrize("raised", [CassetteMissError("not recorded"), ValueError("theirs")])
def test_what_the_subject_raises_is_passed_on(raised: BaseException) -> None:
    """A miss that is no Exception leaves the thread as well as any error of the subject's own."""

    def crash(task: Task) -> str:
        raise raised

    with pytest.raises(type(raised), match=str(raised)):
        ask(crash)


class Reply(BaseModel):
    """A structured answer."""

    text: str = Field(alias="Text")


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("", ""),
        (Reply(Text="hi"), {"Text": "hi"}),
        ({"a": [1, 2.5, True, None, {"b": "c"}]}, {"a": [1, 2.5, True, None, {"b": "c"}]}),
        (False, False),
    ],
)
def test_text_models_and_json_data_are_answers(answer: Any, kept: Any) -> None:
    """Each is kept as data that compares by value, a model in the form its own validation takes."""
    assert ask(lambda task: answer) == kept


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "subject 'desk' returned None; return the answer: text, a model or JSON data"),
        (b"hi", "subject 'desk' returned no text, model or JSON data: the answer is of type bytes"),
        ({"a": [{"b": (1,)}]}, "the answer.a.0.b is of type tuple"),
        ({1: 2}, "the answer has the key 1; make it text"),
        ([float("nan")], "the answer.0 is nan, which JSON has no word for"),
        ({"a": "half \ud83d"}, r"the answer\.a holds half a character: 'half \\ud83d'"),
    ],
)
def test_anything_else_is_no_answer(answer: Any, message: str) -> None:
    """The error names the subject, the place and the type."""
    with pytest.raises(HarnessError, match=message):
        ask(lambda task: answer)


def test_an_exhausted_iterator_in_a_sync_subject() -> None:
    """`next()` without a default ends in an error with its place, not in waiting for ever."""
    with pytest.raises(RuntimeError, match="the agent raised StopIteration") as caught:
        ask(lambda task: next(iter(())))
    assert any(entry.name == "<lambda>" for entry in caught.traceback)


def test_the_world_must_stay_json() -> None:
    """A tool or subject that leaves an object in the world is told where."""

    def spoil(task: Task) -> str:
        task.world.state["orders"]["1"]["at"] = Path("/x")
        return "done"

    with pytest.raises(HarnessError, match=r"plain JSON data in the world: state\.orders\.1\.at is of type PosixPath"):
        ask(spoil, {"orders": {"1": {}}})


def test_tools_change_their_own_world_only() -> None:
    """Two trials share the functions and nothing else; the scenario's own data stays as it was."""
    start = {"orders": {"1": {"cancelled": False}}}
    subject = Subject("desk", greet, (cancel,))
    first, second = (make_world(subject, start) for _ in range(2))
    outcome = first.tools[0].call_sync('{"order_id":"1"}')
    assert (outcome.content, first.state["orders"]["1"]["cancelled"]) == ("cancelled", True)
    assert second.state == start == {"orders": {"1": {"cancelled": False}}}


def test_the_world_is_hidden_from_the_model() -> None:
    """The parameter that receives the world is in no schema, and can't be given by a model."""
    (tool,) = make_world(Subject("desk", greet, (cancel,)), {"orders": {}}).tools
    assert list(tool.parameters["properties"]) == ["order_id"]  # type: ignore[arg-type]
    assert "`world`: is unknown" in tool.call_sync('{"order_id":"1","world":{}}').content


def test_a_sync_subject_can_call_tools() -> None:
    """From its worker thread, a synchronous agent calls tools by name or as plain functions."""

    def agent(task: Task) -> str:
        (tool,) = task.world.tools
        refusal = tool.call_sync('{"order_id":"2"}')
        return f"{refusal.content}; {tool.function(order_id='1')}"

    assert ask(agent, {"orders": {"1": {}}}) == "no order 2; cancelled"


def test_a_function_that_is_no_tool_is_named() -> None:
    """A subject's function without types is refused before the trial begins."""
    with pytest.raises(RegistryError, match="tool '<lambda>': parameter 'x' has no type"):
        make_world(Subject("desk", greet, (lambda x: x,)), {})
