"""Mocks in the place of tools: which one answers, what the caller gets, and what does not fit a tool."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError, validate_call

from harness.errors import ToolError
from harness.records.likeness import contains
from harness.records.mock import Mocks
from harness.records.trace import ToolCalled
from harness.subjects.mocking import find_mock_faults, mark_mocked
from harness.subjects.task import World

MOCKS: TypeAdapter[dict[str, Mocks]] = TypeAdapter(dict[str, Mocks])


class Line(BaseModel):
    """One line of a refund."""

    title: str
    count: int = 1


class Receipt(BaseModel):
    """What a refund gives."""

    paid: Decimal
    on: date


async def refund(
    world: World, order_id: str, amount: Decimal, lines: list[Line] | None = None, urgent: bool = False
) -> Receipt:
    """Pay money back."""
    world.state["paid"] = str(amount)
    return Receipt(paid=amount, on=date(2026, 3, 1))


def find_order(order_id: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Look up one order."""
    return {"order_id": order_id, "really": True}


def make_world(mocks: Mapping[str, Any], **options: Any) -> World:
    """A world with both tools, and these mocks."""
    return World({}, [refund, find_order], mocks=MOCKS.validate_python(mocks), **options)


def refusal(written: Any) -> str:
    """Why a tool's mocks are refused; empty where they are not."""
    try:
        MOCKS.validate_python({"f": written})
    except ValidationError as error:
        return str(error)
    return ""


def find(world: World, **arguments: Any) -> Any:
    """What the plain function gives."""
    return world.functions["find_order"](**arguments)


def test_a_mock_answers_for_the_tool() -> None:
    """The result is the author's, the tool does not run, and what is not mocked is as it was."""
    world = make_world({"find_order": {"returns": {"status": "shipped"}}})
    assert find(world, order_id="1") == {"status": "shipped"}
    (tool,) = [tool for tool in world.tools if tool.name == "find_order"]
    assert tool.call_sync('{"order_id": "1"}').content == '{"status":"shipped"}'
    asyncio.run(world.functions["refund"]("1", Decimal(5)))
    assert world.state == {"paid": "5"}


def test_a_mocked_function_passes_for_the_real_one() -> None:
    """Its name, text, parameters and kind are those of the tool, so the model is offered the same."""
    plain, mocked = make_world({}), make_world({"refund": {"raises": "down"}, "find_order": {"returns": {}}})
    for name, function in plain.functions.items():
        other = mocked.functions[name]
        assert inspect.signature(other, eval_str=True) == inspect.signature(function, eval_str=True)
        assert (other.__name__, other.__doc__) == (function.__name__, function.__doc__)
        assert inspect.iscoroutinefunction(other) == inspect.iscoroutinefunction(function)
    assert [tool.definition for tool in mocked.tools] == [tool.definition for tool in plain.tools]


def test_a_result_has_the_tools_own_type() -> None:
    """Code that reads a model's fields can go on doing so; each call gets a value of its own."""
    world = make_world({"refund": {"returns": {"paid": "59.00", "on": "2026-03-01"}}, "find_order": {"returns": {}}})
    receipt = asyncio.run(world.functions["refund"]("1", Decimal(5)))
    assert receipt == Receipt(paid=Decimal("59.00"), on=date(2026, 3, 1))
    find(world, order_id="1")["changed"] = True
    assert find(world, order_id="1") == {}


def test_raising_is_the_tools_own_refusal() -> None:
    """The model reads the text as it would that of a ToolError; through a plain function it is raised."""
    world = make_world({"refund": {"raises": "the payment service is down"}})
    outcome = world.tools[0].call_sync('{"order_id": "1", "amount": "5"}')
    assert (outcome.content, outcome.is_error, outcome.broke) == ("the payment service is down", True, None)
    with pytest.raises(ToolError, match=r"^the payment service is down$"):
        asyncio.run(world.functions["refund"]("1", Decimal(5)))
    assert world.state == {}


def test_raising_takes_the_frameworks_error() -> None:
    """A subject says by which exception its framework tells the model that a tool failed."""
    world = make_world({"find_order": {"raises": "down"}}, tool_error=ConnectionError)
    with pytest.raises(ConnectionError, match=r"^down$"):
        find(world, order_id="1")


def test_arguments_are_held_against_the_tool_first() -> None:
    """A call that the tool would refuse is refused, mock or not, and counts as no call of it."""
    world = make_world({"find_order": {"returns": {}, "times": 1}})
    (tool,) = [tool for tool in world.tools if tool.name == "find_order"]
    assert "do not fit its parameters" in tool.call_sync('{"order": "1"}').content
    with pytest.raises(ValidationError):
        validate_call(world.functions["find_order"])(order_id=1)
    with pytest.raises(TypeError, match="order_id"):
        find(world)
    assert world.mocked == []
    assert find(world, order_id="1") == {}


def test_the_first_that_fits_answers_and_else_the_tool() -> None:
    """Mocks are asked in their order; the tool itself answers what none of them fits."""
    world = make_world(
        {
            "find_order": [
                {"when": {"order_id": "1", "options": {"deep": True}}, "returns": {"mock": 1}},
                {"when": {"order_id": "1"}, "returns": {"mock": 2}},
            ]
        }
    )
    assert find(world, order_id="1", options={"deep": True, "more": 0}) == {"mock": 1}
    assert find(world, order_id="1", options={"deep": 1}) == {"mock": 2}
    assert find(world, order_id="2") == {"order_id": "2", "really": True}
    assert [name for name, _ in world.mocked] == ["find_order", "find_order"]


def test_a_flaky_tool_is_a_sequence() -> None:
    """`times` spends a mock, and the next that fits takes over; in the end the tool itself."""
    world = make_world(
        {
            "find_order": [
                {"raises": "timeout", "times": 2},
                {"when": {"order_id": "1"}, "returns": {"try": 3}, "times": 1},
            ]
        }
    )
    for _ in range(2):
        with pytest.raises(ToolError, match="timeout"):
            find(world, order_id="1")
    assert find(world, order_id="1") == {"try": 3}
    assert find(world, order_id="1")["really"]
    other = make_world({"find_order": {"returns": {}, "times": 1}})
    assert (find(other, order_id="1"), find(other, order_id="1")["really"]) == ({}, True)


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ({"amount": 59}, True),
        ({"amount": "59.00"}, True),
        ({"amount": "59.000"}, True),
        ({"amount": "60"}, False),
        ({"urgent": False}, True),
        ({"urgent": 0}, False),
        ({"lines": [{"title": "Lamp"}]}, True),
        ({"lines": [{"title": "Lamp", "count": 1}]}, True),
        ({"lines": [{"title": "Lamp", "count": 2}]}, False),
        ({"lines": None}, False),
        ({"order_id": "1042", "amount": "59", "urgent": False}, True),
        ({"order_id": "1043", "amount": "59"}, False),
    ],
)
def test_arguments_fit_as_json_or_as_values_of_their_type(when: dict[str, Any], fits: bool) -> None:
    """However an amount is written it is the same amount; parameters that were left out have their default."""
    world = make_world({"refund": {"when": when, "raises": "mocked"}})
    outcome = world.tools[0].call_sync('{"order_id": "1042", "amount": "59.00", "lines": [{"title": "Lamp"}]}')
    assert (outcome.content == "mocked") == fits


VALUES = st.sampled_from([None, True, False, 0, 1, 1.0, "", "1", [], [1], {}, {"a": 1}, {"a": 1, "b": [True]}])
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def accept(options: dict[str, Any], extra: str = "x") -> Any:
    """A tool with an argument of any form."""
    return "the tool"


@given(st.lists(st.tuples(OBJECTS, st.integers(1, 2) | st.none()), min_size=1, max_size=4), st.lists(OBJECTS))
def test_calls_are_answered_as_the_rule_says(rules: list[tuple[dict[str, Any], int | None]], calls: list[Any]) -> None:
    """For any mocks and calls: the first that the arguments contain and that is not spent, else the tool."""
    written = [
        {"when": {"options": when}, "returns": number, **({"times": times} if times else {})}
        for number, (when, times) in enumerate(rules)
    ]
    assume(not refusal(written))
    mocks = MOCKS.validate_python({"accept": written})
    left = [times for _, times in rules]
    world = World({}, [accept], mocks=mocks)
    for options in calls:
        fitting = (n for n, (when, _) in enumerate(rules) if left[n] != 0 and contains(options, when))
        number = next(fitting, None)
        if number is not None and (count := left[number]) is not None:
            left[number] = count - 1
        assert world.functions["accept"](options) == ("the tool" if number is None else number)


@given(st.lists(OBJECTS, min_size=2, max_size=4), OBJECTS)
def test_a_mock_that_nothing_reaches_is_refused(rules: list[dict[str, Any]], call: dict[str, Any]) -> None:
    """Where the record takes the mocks, none is fully behind another; where it refuses, one is."""
    written = [{"when": when, "returns": None} for when in rules]
    hidden = any(contains(later, rules[i]) for n, later in enumerate(rules) for i in range(n))
    assert ("put the more particular first, or give the other `times`" in refusal(written)) == hidden
    assert bool(refusal(written)) == hidden


FAULTS = {
    "no such tool": ({"find_ordr": {"returns": 1}}, ("find_ordr",), "no tool 'find_ordr'; did you mean 'find_order'?"),
    "nothing near": ({"zzz": {"returns": 1}}, ("zzz",), "there is no tool 'zzz'; known: refund, find_order"),
    "no such argument": (
        {"refund": {"when": {"order": "1"}, "raises": "x"}},
        ("refund", 0, "when", "order"),
        "tool 'refund' has no argument 'order'; did you mean 'order_id'?",
    ),
    "the world is no argument": (
        {"refund": {"when": {"world": {}}, "raises": "x"}},
        ("refund", 0, "when", "world"),
        "tool 'refund' has no argument 'world'; known: order_id, amount, lines, urgent",
    ),
    "an argument of another type": (
        {"refund": [{"when": {"amount": 1}, "raises": "x"}, {"when": {"order_id": 1042}, "raises": "x"}]},
        ("refund", 1, "when", "order_id"),
        "tool 'refund' is never called with this order_id: Input should be a valid string, not 1042; write a value",
    ),
    "a result of another type": (
        {"refund": {"returns": {"paid": "1.00"}}},
        ("refund", 0, "returns"),
        "is no result of 'refund': `on`: is required; write one that its type allows",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_does_not_fit_a_tool_is_found(case: str) -> None:
    """A mock that can't answer, or would answer what the tool never would, is told with its path."""
    mocks, path, what = FAULTS[case]
    functions = World({}, [refund, find_order]).functions
    ((found, words),) = find_mock_faults(functions, MOCKS.validate_python(mocks))
    assert found == path
    assert what in words
    assert "; " in words


def test_what_fits_is_no_fault() -> None:
    """Parts of objects, results of unknown form and text of any kind are taken."""

    def anything(options: dict[str, int]):  # type: ignore[no-untyped-def]
        return options

    functions: dict[str, Callable[..., Any]] = {"anything": anything, "find_order": find_order}
    mocks = {"anything": [{"when": {"options": {"a": 1}}, "returns": ["x"]}, {"returns": None}]}
    assert list(find_mock_faults(functions, MOCKS.validate_python(mocks))) == []
    assert json.loads(MOCKS.dump_json(MOCKS.validate_python(mocks)))["anything"][1]["returns"] is None


def test_calls_that_a_mock_answered_are_marked() -> None:
    """By name and arguments, each once; a call that the tool answered, and one that was refused, is not."""

    def call(**arguments: Any) -> ToolCalled:
        return ToolCalled(turn=1, call_id="c", name="find_order", arguments=arguments, result="r")

    world = make_world({"find_order": {"when": {"order_id": "1"}, "returns": {}, "times": 1}})
    for order_id in ("2", "1", "1"):
        find(world, order_id=order_id)
    events = [call(order_id="2"), call(order="1"), call(order_id="1"), call(order_id="1")]
    assert [event.mocked for event in mark_mocked(events, world.mocked)] == [False, False, True, False]  # type: ignore[union-attr]
