"""Tools of typed functions: what the model reads, and what a call gives."""

from __future__ import annotations

import asyncio
import enum
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from harness.agent import make_tool
from harness.agent.docstrings import read_docstring
from harness.errors import BadInputError, CassetteMissError, Fault, RegistryError, ToolError


class Reason(enum.StrEnum):
    """Why money goes back."""

    DAMAGED = "damaged"
    LATE = "late"


class Line(BaseModel):
    """One line of an order."""

    title: str = Field(title="The article")
    count: Annotated[int, Field(ge=1)] = 1


class Till:
    """Something that a test injects."""

    def __init__(self) -> None:
        self.paid = Decimal(0)


async def refund(
    till: Till,
    order_id: str,
    amount: Annotated[Decimal, Field(gt=0, description="In US dollars.")],
    reason: Reason = Reason.LATE,
    lines: list[Line] | None = None,
    schema: Literal["a", "b"] = "a",
) -> dict[str, Any]:
    """Pay money back.

    Only within 30 days.

    Args:
        order_id: The order's number,
            as printed on the bill.
        amount: Not read, as the annotation says it.
        till: Hidden.
    """
    till.paid += amount
    return {"paid": till.paid, "reason": reason, "on": date(2026, 3, 1), "lines": lines, "schema": schema}


TILL = Till()
REFUND = make_tool(refund, inject={Till: TILL})


def test_the_definition_is_what_a_model_needs() -> None:
    """Name, description and parameters come from the function; what is injected and what repeats a name is absent."""
    assert (REFUND.name, REFUND.description) == ("refund", "Pay money back.\n\nOnly within 30 days.")
    properties = REFUND.parameters["properties"]
    assert isinstance(properties, dict)
    assert list(properties) == ["order_id", "amount", "reason", "lines", "schema"]
    assert properties["order_id"] == {
        "type": "string",
        "description": "The order's number, as printed on the bill.",
    }
    assert properties["schema"] == {"type": "string", "enum": ["a", "b"], "default": "a"}
    assert json.dumps(properties["amount"]).count("In US dollars.") == 1
    assert REFUND.parameters["required"] == ["order_id", "amount"]
    assert REFUND.parameters["additionalProperties"] is False


def test_a_field_named_title_stays() -> None:
    """Titles made of names are left out, a property that is called so is not."""
    definitions = REFUND.parameters["$defs"]
    assert isinstance(definitions, dict)
    line = definitions["Line"]
    assert isinstance(line, dict)
    assert line["properties"] == {"title": {"type": "string"}, "count": {"type": "integer", "minimum": 1, "default": 1}}
    assert "title" not in line


def test_the_plain_function_shows_the_models_parameters() -> None:
    """Another framework can inspect and call the bound function as if the world were no parameter."""
    assert list(inspect.signature(REFUND.function).parameters) == ["order_id", "amount", "reason", "lines", "schema"]
    assert REFUND.function.__name__ == "refund"
    assert inspect.iscoroutinefunction(REFUND.function)
    again = make_tool(REFUND.function)
    assert again.definition == REFUND.definition


def test_a_call_runs_with_typed_arguments() -> None:
    """Arguments reach the function as its types, what is injected beside them; the result is compact JSON."""
    till = Till()
    tool = make_tool(refund, inject={Till: till})
    outcome = tool.call_sync('{"order_id":"1042","amount":"59.00","lines":[{"title":"Lamp"}]}')
    assert outcome.content == (
        '{"paid":"59.00","reason":"late","on":"2026-03-01","lines":[{"title":"Lamp","count":1}],"schema":"a"}'
    )
    assert (outcome.is_error, till.paid, TILL.paid) == (False, Decimal("59.00"), 0)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ("", "- `order_id`: is required\n- `amount`: is required"),
        ("{", "- Invalid JSON: EOF while parsing an object"),
        ("[]", "- they must be one JSON object, not '[]'"),
        ("null", "- they must be one JSON object, not 'null'"),
        ('{"order_id":"1","amount":-1}', "- `amount`: Input should be greater than 0, not -1"),
        ('{"order_id":1,"amount":"1"}', "- `order_id`: Input should be a valid string, not 1"),
        ('{"order_id":"1","amount":"1","till":{}}', "- `till`: is unknown; leave it out"),
        ('{"order_id":"1","amount":"1","lines":[{"title":"L","count":0}]}', "- `lines.0.count`: Input should be great"),
        (
            '{"order_id":"1","amount":"1","lines":[{"title":"L","count":"2"}]}',
            "- `lines.0.count`: Input should be a val",
        ),
        (
            '{"order_id":"1","amount":"1","reason":"whim"}',
            "- `reason`: Input should be 'damaged' or 'late', not 'whim'",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_explained(arguments: str, fault: str) -> None:
    """The model reads which argument is wrong, why, and what it wrote; the function does not run."""
    outcome = REFUND.call_sync(arguments)
    assert outcome.is_error
    assert outcome.broke is None
    assert outcome.content.startswith("The arguments of refund do not fit its parameters; call it again")
    assert fault in outcome.content
    assert TILL.paid == 0


@dataclass
class Point:
    """Data that is no model."""

    x: int


@pytest.mark.parametrize(
    ("result", "content"),
    [
        ("plain words", "plain words"),
        (None, "null"),
        (True, "true"),
        ({"a": [1, "é"]}, '{"a":[1,"é"]}'),
        (Line(title="L"), '{"title":"L","count":1}'),
        ([Point(1)], '[{"x":1}]'),
        ({"tags": {"b", "a", "c"}}, '{"tags":["a","b","c"]}'),
    ],
)
def test_results_are_written_for_the_model(result: Any, content: str) -> None:
    """Text stays as it is, data becomes compact JSON, the same in every process."""

    def give() -> Any:
        return result

    assert make_tool(give).call_sync("{}").content == content


def test_a_result_that_json_has_no_form_for_is_a_broken_tool() -> None:
    """The type that a tool should not have returned is named, not shown with its address."""

    def give() -> object:
        return object()

    outcome = make_tool(give).call_sync("{}")
    assert outcome.is_error
    assert (
        outcome.content == "give failed: PydanticSerializationError: Unable to serialize unknown type: <class 'object'>"
    )


def test_a_tools_refusal_is_its_text() -> None:
    """ToolError is how a tool says no: its text alone, and nothing broke."""

    def refuse() -> str:
        raise ToolError("The order is too old.")

    outcome = make_tool(refuse).call_sync("{}")
    assert (outcome.content, outcome.is_error, outcome.broke) == ("The order is too old.", True, None)


def test_a_broken_tool_tells_type_and_message() -> None:
    """Any other exception becomes an outcome, and is kept for the log."""

    def crash() -> str:
        raise ValueError("bad row")

    outcome = make_tool(crash).call_sync("{}")
    assert (outcome.content, outcome.is_error) == ("crash failed: ValueError: bad row", True)
    assert isinstance(outcome.broke, ValueError)


@pytest.mark.parametrize(
    "raised", [BadInputError([Fault("x.md", 1, 0, "missing")]), CassetteMissError("not recorded"), KeyboardInterrupt()]
)
def test_what_is_nobodys_to_mend_is_raised(raised: BaseException) -> None:
    """A fault of the project, a recording's miss and an interrupt never become a tool's result."""

    def crash() -> str:
        raise raised

    with pytest.raises(type(raised)):
        asyncio.run(make_tool(crash).call("{}"))


def make_bad_tools() -> list[tuple[Callable[..., Any], str]]:
    """Functions that can't be offered to a model, and why."""

    def untyped(x):  # type: ignore[no-untyped-def]
        return x

    def anything(**options: str) -> None: ...

    def positional(x: int, /) -> None: ...

    def unresolved(x: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    def no_json(x: Till) -> None: ...

    return [
        (untyped, "tool 'untyped': parameter 'x' has no type; annotate it"),
        (anything, "tool 'anything': parameter 'options' is variadic keyword; a model needs names"),
        (positional, "tool 'positional': parameter 'x' is positional-only; a model needs names"),
        (unresolved, "tool 'unresolved': its parameters can't be read: name 'Missing' is not defined"),
        (no_json, "tool 'no_json': a parameter's type can't be written as JSON: Unable to generate.*Till"),
    ]


@pytest.mark.parametrize(("function", "message"), make_bad_tools())
def test_a_function_that_is_no_tool_is_refused(function: Callable[..., Any], message: str) -> None:
    """The error names the function, the parameter and what to do, before any request is sent."""
    with pytest.raises(RegistryError, match=message):
        make_tool(function)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "a", "1", "late"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["title", "count"]), inner, max_size=2),
    max_leaves=4,
)
argument_objects = st.dictionaries(
    st.sampled_from(["order_id", "amount", "reason", "lines", "schema", "more"]), json_values, max_size=5
)


@given(argument_objects)
def test_what_a_tool_accepts_its_schema_allows(arguments: dict[str, Any]) -> None:
    """No call is accepted that the published schema forbids, so a model that reads the schema is not misled."""
    outcome = make_tool(refund, inject={Till: Till()}).call_sync(json.dumps(arguments))
    validator = jsonschema.Draft202012Validator(REFUND.parameters)
    if not outcome.is_error:
        assert validator.is_valid(arguments)
    if not validator.is_valid(arguments):
        assert "do not fit" in outcome.content


def test_schemas_are_valid() -> None:
    """The parameters are JSON Schema."""
    jsonschema.Draft202012Validator.check_schema(REFUND.parameters)


def test_sphinx_fields_are_read_too() -> None:
    """``:param:`` fields describe parameters, with or without a type; the other fields are no description."""

    def look_up(order_id: str, deep: bool) -> str:
        """Look up an order.

        It must exist.

        :param order_id: The order's number,
            as printed: on the bill.
        :param bool deep: Whether to open it.
        :returns: Its lines.
        """
        return order_id

    assert read_docstring(look_up) == (
        "Look up an order.\n\nIt must exist.",
        {"order_id": "The order's number, as printed: on the bill.", "deep": "Whether to open it."},
    )


def test_text_around_the_parameters_is_the_description() -> None:
    """What follows the parameter section still belongs to the description, and a colon in it starts nothing."""

    def search(query: str, limit: int) -> str:
        """Search the documents.

        Args:
            query (str): Words, such as: harbour fees.
                note: quotes are allowed
            limit: How many.

        Returns:
            Titles, best first.
        """
        return query

    assert read_docstring(search) == (
        "Search the documents.\n\nReturns:\n    Titles, best first.",
        {"query": "Words, such as: harbour fees. note: quotes are allowed", "limit": "How many."},
    )


def test_no_docstring_is_no_description() -> None:
    """A function without one is offered with an empty description."""
    assert read_docstring(lambda: None) == ("", {})
