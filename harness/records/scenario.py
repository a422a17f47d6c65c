"""A scenario as its author writes it, and the cases it stands for."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    JsonValue,
    PositiveInt,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)

from harness.records.base import JsonObject, Name, Record, Usd

__all__ = [
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

Text = Annotated[str, StringConstraints(min_length=1)]


class OutputRule(Record):
    """What the final answer must be. Several keys must all hold."""

    equals: JsonValue = None
    """The whole answer: text, or structured data compared by value."""
    contains: Text | tuple[Text, ...] | None = None
    """Text, or several, that must occur, case included. A structured answer is searched as its JSON text."""
    matches: Text | None = None
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
    times: PositiveInt | None = None
    """How many calls fit; without it, at least one."""

    @model_validator(mode="after")
    def _arguments_once(self) -> Called:
        if self.arguments is not None and self.exactly is not None:
            raise ValueError("`arguments` (a subset) and `exactly` (the whole) exclude each other; keep one")
        return self


class NotCalled(Record):
    """A tool must not be called, though the model was offered it."""

    not_called: Text


class Order(Record):
    """Tools must be called in this order; other calls may stand between."""

    order: Annotated[tuple[Text, ...], Field(min_length=2)]


class State(Record):
    """The world after the trial: dotted path to value, exact at each path."""

    state: Annotated[JsonObject, Field(min_length=1)]


class Marks(Record):
    """So many out of so many, written ``4 of 5``."""

    mark: PositiveInt
    scale: PositiveInt

    def __str__(self) -> str:
        return f"{self.mark} of {self.scale}"

    @model_validator(mode="after")
    def _within(self) -> Marks:
        if self.mark > self.scale:
            raise ValueError(f"{self.mark} of {self.scale} can never be reached")
        return self


def _read_marks(value: Any) -> Any:
    if isinstance(value, str):
        found = re.fullmatch(r"(\d{1,4}) of (\d{1,4})", value)
        if not found:
            raise ValueError(f"{value!r} is not of the form `4 of 5`")
        return {"mark": int(found[1]), "scale": int(found[2])}
    return value


_MARKS_SCHEMA = {"type": "string", "pattern": r"^\d{1,4} of \d{1,4}$", "examples": ["4 of 5"]}


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


_EXPECTATION_KEYS = {
    "output": Output,
    "validator": Validated,
    "called": Called,
    "not_called": NotCalled,
    "order": Order,
    "state": State,
    "judge": Judged,
}


def _expectation_key(value: Any) -> str | None:
    if isinstance(value, dict):
        return next((key for key in _EXPECTATION_KEYS if key in value), None)
    return next((key for key, kind in _EXPECTATION_KEYS.items() if isinstance(value, kind)), None)


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
        custom_error_message="is no expectation; start it with one of " + ", ".join(_EXPECTATION_KEYS),
    ),
]


class Limits(Record):
    """What one trial may use. Each limit that is exceeded fails it."""

    model_calls: PositiveInt | None = None
    tool_calls: PositiveInt | None = None
    tokens: PositiveInt | None = None
    """Prompt and output tokens of all calls together."""
    cost_usd: Annotated[Usd, Field(gt=0)] | None = None
    """US dollars, as text: ``"0.02"``."""
    seconds: Annotated[Decimal, Field(gt=0)] | None = None
    """From the start to the end of the last recorded exchange, as it was recorded."""


def _read_pass(value: Any) -> Any:
    return value if value == "all" else _read_marks(value)


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
    conversation: tuple[Text, ...] | None = None
    """What the user says, turn by turn, in place of ``input``."""
    world: JsonObject = {}
    """The starting state of the world that the tools act on."""
    trials: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many times the case is recorded, and how many recordings are replayed."""
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

    @model_validator(mode="after")
    def _makes_sense(self) -> ScenarioFile:
        if (self.input is None) == (self.conversation is None):
            raise ValueError("needs a task: either `input` or `conversation`, and not both")
        if self.conversation is not None and not self.conversation:
            raise ValueError("`conversation` is empty; write at least one user turn")
        if not self.expect and not self.limits.model_fields_set:
            raise ValueError("has no expectation, so it can't fail; add `expect:` or `limits:`")
        if isinstance(self.pass_, Marks) and self.pass_.scale != self.trials:
            raise ValueError(f"`pass: {self.pass_}` does not fit `trials: {self.trials}`")
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
