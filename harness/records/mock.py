"""What an author writes in the place of a tool."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, JsonValue, model_validator
from pydantic_core import CoreSchema

from harness.records.base import Count, JsonObject, Record, Text
from harness.records.likeness import contains

__all__ = ["Mock", "Mocks"]


class Mock(Record):
    """What a call of a tool gives in place of what the tool would do: `returns` or `raises`."""

    model_config = Record.model_config | {
        "json_schema_extra": {"oneOf": [{"required": ["returns"]}, {"required": ["raises"]}]}
    }

    when: JsonObject = {}
    """A subset of the arguments: these keys with these values, nested objects likewise. Without it, every call fits."""
    returns: JsonValue = None
    """The tool's result."""
    raises: Text | None = None
    """The tool fails with this text."""
    times: Count | None = None
    """For so many calls that fit; those after them go to the next mock. Without it, for all."""

    @model_validator(mode="after")
    def _gives_one_thing(self) -> Mock:
        if ("returns" in self.model_fields_set) == (self.raises is not None):
            raise ValueError("a mock gives one thing; write `returns` or `raises`")
        return self


class _OneOrMore:
    """One mock may stand for a list of one."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        several = handler(schema)
        return {"anyOf": [several["items"], several]}


def _read_one(value: Any) -> Any:
    return (value,) if isinstance(value, dict | Mock) else value


def _all_reached(mocks: tuple[Mock, ...]) -> tuple[Mock, ...]:
    for number, mock in enumerate(mocks):
        for above, earlier in enumerate(mocks[:number]):
            if earlier.times is None and contains(mock.when, earlier.when):
                raise ValueError(
                    f"the {_ordinal(number)} mock is never reached, because the {_ordinal(above)} takes every call "
                    "that fits it; put the more particular first, or give the other `times`"
                )
    return mocks


def _ordinal(number: int) -> str:
    return ("first", "second", "third")[number] if number < 3 else f"{number + 1}th"


Mocks = Annotated[
    tuple[Mock, ...], Field(min_length=1), BeforeValidator(_read_one), AfterValidator(_all_reached), _OneOrMore()
]
"""A mock, or a list of which the first that fits a call answers it."""
