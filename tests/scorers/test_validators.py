"""A validator passes, refuses, or breaks, and the three stay apart."""

from __future__ import annotations

from pydantic import BaseModel, ValidationInfo, field_validator, model_validator

from harness.records.score import ScoreStatus
from harness.scorers.validators import validate_output
from tests.traces import make_trace


class Answer(BaseModel):
    """An answer that must cite what the world holds."""

    text: str
    cites: str

    @field_validator("cites")
    @classmethod
    def _exists(cls, value: str, info: ValidationInfo) -> str:
        if value not in info.context["world"]["documents"]:
            raise ValueError(f"no document is called {value!r}")
        return value


STATE = {"documents": {"tides": "…"}}


def test_valid() -> None:
    """An answer that fits passes, as data and as JSON text."""
    for output in ({"text": "a", "cites": "tides"}, '{"text": "a", "cites": "tides"}'):
        assert validate_output("cited", Answer, make_trace(output=output, state=STATE)).status is ScoreStatus.PASSED


def test_refused() -> None:
    """An answer that does not fit fails with the place and the validator's own words."""
    score = validate_output("cited", Answer, make_trace(output={"text": "a", "cites": "winds"}, state=STATE))
    assert (score.status, score.value) == (ScoreStatus.FAILED, 0.0)
    assert score.reason == "cites: no document is called 'winds'"


def test_broken() -> None:
    """A validator that breaks is an error with its type, never a verdict on the answer."""
    score = validate_output("cited", Answer, make_trace(output={"text": "a", "cites": "tides"}, state=None))
    assert (score.status, score.value) == (ScoreStatus.ERRORED, None)
    assert "TypeError" in score.reason


def test_text() -> None:
    """A validator for text sees the text, not its JSON."""
    assert validate_output("text", str, make_trace(output="Done.")).status is ScoreStatus.PASSED
    assert validate_output("number", int, make_trace(output="Done.")).status is ScoreStatus.FAILED


class Greedy(BaseModel):
    """A validator that takes out what it reads."""

    @model_validator(mode="before")
    @classmethod
    def _takes(cls, data: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        data.pop("text")
        info.context["world"]["documents"].clear()
        info.context["trace"].state["documents"].clear()
        return data


def test_a_validator_changes_nothing_for_others() -> None:
    """What a validator does to the answer and the world stays with it."""
    trace = make_trace(output={"text": "Low.", "cites": "tides"}, state=STATE)
    untouched = trace.model_dump_json()
    assert validate_output("greedy", Greedy, trace).status is ScoreStatus.PASSED
    assert trace.model_dump_json() == untouched
