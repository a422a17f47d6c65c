"""A scenario as its author writes it, and the cases it stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    JsonValue,
    PlainSerializer,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)

from harness.records.base import Count, JsonObject, Name, Record, Text, Usd
from harness.records.mock import Mocks
from harness.records.pattern import check_pattern

__all__ = [
    "EXPECTATIONS",
    "Called",
    "Case",
    "Expectation",
    "Judged",
    "Limits",
    "Marks",
    "NotCalled",
    "Order",
    "Output",
    "OutputRule",
    "Scenario",
    "ScenarioFile",
    "State",
    "Validated",
    "Verdict",
]


def _read_parts(value: Any) -> Any:
    if not isinstance(value, str | list | tuple):
        raise ValueError(f"{value!r} is neither text nor a list of it; quote it to mean text")
    return (value,) if isinstance(value, str) else value


_PARTS_SCHEMA = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
    ]
}
Parts = Annotated[tuple[Text, ...], Field(min_length=1), BeforeValidator(_read_parts), WithJsonSchema(_PARTS_SCHEMA)]
"""Text, or a list of it."""


def _check_path(path: str) -> str:
    if not all(path.split(".")):
        raise ValueError(f"{path!r} has an empty part; write keys joined by single dots: `orders.1042.status`")
    return path


StatePath = Annotated[str, AfterValidator(_check_path)]
_PATH_SCHEMA = {"propertyNames": {"pattern": r"^[^.]+(\.[^.]+)*$"}}


class OutputRule(Record):
    """What the final answer must be. Several keys must all hold."""

    model_config = Record.model_config | {"json_schema_extra": {"minProperties": 1}}

    equals: JsonValue = None
    """The whole answer: text, or structured data compared by value."""
    contains: Parts | None = None
    """Text, or several, that must occur, case included. A structured answer is searched as its JSON text."""
    matches: Annotated[Text, AfterValidator(check_pattern)] | None = None
    """A regular expression that must be found in the answer. It runs under a time limit."""

    @model_validator(mode="after")
    def _has_a_rule(self) -> OutputRule:
        if not self.model_fields_set:
            raise ValueError("says nothing; give `equals`, `contains` or `matches`")
        return self


class Output(Record):
    """The final answer."""

    output: OutputRule


class Validated(Record):
    """The final answer must satisfy a Pydantic model that conftest.py registers."""

    validator: Name


class Called(Record):
    """A tool must be called. One call has to fit the arguments."""

    called: Text
    arguments: JsonObject | None = None
    """A subset of the arguments: these keys with these values, nested objects likewise."""
    exactly: JsonObject | None = None
    """All the arguments."""
    times: Count | None = None
    """How many calls fit; without it, at least one."""

    @field_validator("exactly")
    @classmethod
    def _arguments_once(cls, value: JsonObject | None, info: ValidationInfo) -> JsonObject | None:
        if value is not None and info.data.get("arguments") is not None:
            raise ValueError("`exactly` (the whole) and `arguments` (a subset) exclude each other; keep one")
        return value


class NotCalled(Record):
    """A tool must not be called, though the model was offered it."""

    not_called: Text


class Order(Record):
    """Tools must be called in this order; other calls may stand between."""

    order: Annotated[tuple[Text, ...], Field(min_length=2)]


class State(Record):
    """The world after the trial: dotted path to value, exact at each path."""

    state: Annotated[dict[StatePath, JsonValue], Field(min_length=1, json_schema_extra=_PATH_SCHEMA)]


class Marks(Record):
    """So many out of so many, written ``4 of 5``."""

    mark: Count
    scale: Count

    def __str__(self) -> str:
        return f"{self.mark} of {self.scale}"

    @model_serializer
    def _as_written(self) -> str:
        return str(self)

    @model_validator(mode="after")
    def _within(self) -> Marks:
        if self.mark > self.scale:
            raise ValueError(f"{self} can never be reached; write at most {self.scale} of {self.scale}")
        return self


def _read_marks(value: Any) -> Any:
    if isinstance(value, Marks):
        return value
    found = _MARKS.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"{value!r} is not of the form `4 of 5`; write it so")
    mark, scale = int(found[1]), int(found[2])
    if not 1 <= mark <= scale:
        raise ValueError(f"{value!r} says nothing; write at least `1 of {scale}` and at most `{scale} of {scale}`")
    return {"mark": mark, "scale": scale}


_MARKS = re.compile(r"([0-9]{1,4}) of ([1-9][0-9]{0,3})")
_MARKS_SCHEMA = {"type": "string", "pattern": "^[0-9]{1,4} of [1-9][0-9]{0,3}$", "examples": ["4 of 5"]}


class Verdict(Record):
    """What a judge has to find."""

    rubric: Name
    """The file ``rubrics/NAME.md`` beside the scenario, or above it up to the scenarios folder."""
    at_least: Annotated[Marks, BeforeValidator(_read_marks), WithJsonSchema(_MARKS_SCHEMA)]
    """The mark that passes, on the scale that the judge is given: ``4 of 5``."""
    model: Text | None = None
    """The judging model; without it, ``judge_model`` of ``[tool.harness]``."""


class Judged(Record):
    """A model scores the conversation against a rubric."""

    judge: Verdict


EXPECTATIONS: Mapping[str, type[Record]] = {
    "output": Output,
    "validator": Validated,
    "called": Called,
    "not_called": NotCalled,
    "order": Order,
    "state": State,
    "judge": Judged,
}
"""The key that makes an expectation what it is, and the record that it becomes."""


def _expectation_key(value: Any) -> str | None:
    if isinstance(value, dict):
        return next((key for key in EXPECTATIONS if key in value), None)
    return next((key for key, kind in EXPECTATIONS.items() if isinstance(value, kind)), None)


Expectation = Annotated[
    Annotated[Output, Tag("output")]
    | Annotated[Validated, Tag("validator")]
    | Annotated[Called, Tag("called")]
    | Annotated[NotCalled, Tag("not_called")]
    | Annotated[Order, Tag("order")]
    | Annotated[State, Tag("state")]
    | Annotated[Judged, Tag("judge")],
    Discriminator(
        _expectation_key,
        custom_error_type="unknown_expectation",
        custom_error_message="this is no expectation; give it one of the keys " + ", ".join(EXPECTATIONS),
    ),
]


def _read_money(value: Any) -> Any:
    if isinstance(value, Decimal) or (isinstance(value, str) and _MONEY.fullmatch(value)):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f'money is text, so that it stays exact; write "{Decimal(str(value)):.2f}"')
    raise ValueError(f'{value!r} is no amount of money; write it as text with two decimals: "0.02"')


_MONEY = re.compile(r"[0-9]{1,6}\.[0-9]{2,6}")
_MONEY_SCHEMA = {"type": "string", "pattern": "^[0-9]{1,6}[.][0-9]{2,6}$", "examples": ["0.02"]}


def _read_seconds(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"{value!r} is no number of seconds; write a number without quotes: 20 or 1.5")
    return value


_SECONDS_SCHEMA = {"type": "number", "exclusiveMinimum": 0, "examples": [20, 1.5]}
Seconds = Annotated[
    Decimal,
    Field(gt=0),
    BeforeValidator(_read_seconds),
    PlainSerializer(float, when_used="json"),
    WithJsonSchema(_SECONDS_SCHEMA),
]


class Limits(Record):
    """What one trial may use. Each limit that is exceeded fails it."""

    model_calls: Count | None = None
    """Requests to a model, failed ones included."""
    tool_calls: Count | None = None
    """Calls of tools that the model asked for."""
    tokens: Count | None = None
    """Prompt and output tokens of all calls together."""
    cost_usd: Annotated[Usd, Field(gt=0), BeforeValidator(_read_money), WithJsonSchema(_MONEY_SCHEMA)] | None = None
    """US dollars, as text: ``"0.02"``."""
    seconds: Seconds | None = None
    """From the start to the end of the last recorded exchange, as it was recorded."""


def _read_pass(value: Any) -> Any:
    if isinstance(value, Marks) or value == "all":
        return value
    if not (isinstance(value, str) and _MARKS.fullmatch(value)):
        raise ValueError(f"{value!r} is no pass rule; write `all` or `2 of 3`")
    return _read_marks(value)


_PASS_SCHEMA = {"anyOf": [{"const": "all"}, _MARKS_SCHEMA | {"examples": ["2 of 3"]}]}


class ScenarioFile(Record):
    """One task for an agent, and what is expected of it."""

    description: Text
    """What this scenario shows, for people who never read code."""
    tags: tuple[Name, ...] = ()
    """Words to select by: ``harness run -m TAG``, ``pytest -m TAG``."""
    subject: Name
    """The agent under test, as conftest.py registers it."""
    settings: JsonObject = {}
    """Handed to the subject as they stand: model, prompt, and what else it understands."""
    input: Text | None = None
    """What the user says."""
    conversation: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """What the user says, turn by turn, in place of ``input``."""
    world: JsonObject = {}
    """The starting state of the world that the tools act on."""
    mocks: dict[Text, Mocks] = {}
    """What calls of tools give in place of what the tools would do: by the tool's name, a mock or a list of them."""
    trials: Annotated[Count, Field(le=1000)] = 1
    """How many times the case is recorded and replayed. Where it is left out, ``--trials`` says how often a case is
    recorded, and every recording is replayed."""
    pass_: Annotated[
        Literal["all"] | Marks, BeforeValidator(_read_pass), Field(alias="pass"), WithJsonSchema(_PASS_SCHEMA)
    ] = "all"
    """How many trials have to pass: ``all``, or ``2 of 3``."""
    expect: tuple[Expectation, ...] = ()
    """What must hold. Each is scored on its own."""
    limits: Limits = Limits()
    """What a trial may use. Counts as an expectation."""
    skip: Text | None = None
    """Don't run; the reason."""
    xfail: Text | None = None
    """Expected to fail; the reason. Passing is then a failure."""

    @field_validator("conversation")
    @classmethod
    def _one_task(cls, value: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if value is not None and info.data.get("input") is not None:
            raise ValueError("`conversation` and `input` exclude each other; keep one")
        return value

    @field_validator("pass_")
    @classmethod
    def _fits_trials(cls, value: str | Marks, info: ValidationInfo) -> str | Marks:
        trials = info.data.get("trials")
        if isinstance(value, Marks) and trials is not None and value.scale != trials:
            raise ValueError(f"`pass: {value}` does not fit `trials: {trials}`; make the numbers agree")
        return value

    @model_validator(mode="after")
    def _makes_sense(self) -> ScenarioFile:
        if self.input is None and self.conversation is None:
            raise ValueError("there is no task; add `input:` or `conversation:`")
        if not self.expect and not self.limits.model_fields_set:
            raise ValueError("nothing is expected, so it can't fail; add `expect:` or `limits:`")
        return self

    @property
    def turns(self) -> tuple[str, ...]:
        """The user turns: one for ``input``."""
        return self.conversation if self.conversation is not None else (self.input or "",)

    @property
    def required(self) -> int:
        """How many trials of a case have to pass."""
        return self.trials if self.pass_ == "all" else self.pass_.mark


class Scenario(ScenarioFile):
    """A scenario that was loaded: its file's content, its name and its place."""

    name: str
    """Its path under the scenarios folder without the suffix: ``support/refund-outside-window``."""
    source: str
    """The file, relative to the project, with forward slashes."""


class Case(Record):
    """One row of a scenario: the unit that is selected, run and reported. So far a scenario has one."""

    scenario: Scenario
    name: Name = "default"

    @property
    def id(self) -> str:
        """What a user selects by: the scenario's name, with the case where there are several."""
        return self.scenario.name if self.name == "default" else f"{self.scenario.name}[{self.name}]"
