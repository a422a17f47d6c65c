"""The base of every record, and the version of their written form."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

__all__ = [
    "NAME_PATTERN",
    "SCHEMA_VERSION",
    "Count",
    "JsonObject",
    "Name",
    "Nanoseconds",
    "Record",
    "SchemaVersion",
    "Text",
    "Usd",
]

SchemaVersion = Literal[1]
SCHEMA_VERSION: SchemaVersion = 1

JsonObject = dict[str, JsonValue]
Text = Annotated[str, StringConstraints(min_length=1)]
Count = Annotated[int, Field(strict=True, ge=1)]
"""A whole number from 1; neither text nor a boolean stands for it."""
Nanoseconds = int
"""Durations and instants are whole nanoseconds, so that sums are exact and runs compare to the bit."""

Usd = Decimal
"""Money is exact and written as text."""

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,80}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""One part of a scenario's name, a tag, a rubric: safe as a file name on every system."""


class Record(BaseModel):
    """A frozen fact. Unknown fields are errors; equality is by value.

    A class is built when it is first used, since no command uses all of them; from Pydantic 2.14 on that is safe in
    threads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants", defer_build=True)
