"""JSON Schemas in the dialects of strict structured output."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from harness.wire.schemas import ANTHROPIC, OPENAI, Dialect, narrow


class Source(BaseModel):
    """Where a claim stands."""

    kind: Literal["source"] = "source"
    page: int = Field(ge=1, description="The page.")
    quote: str = Field(min_length=3, pattern="^x")


class Guess(BaseModel):
    """No source."""

    kind: Literal["guess"] = "guess"


class Answer(BaseModel):
    """An answer with everything that strict modes are picky about."""

    text: str = "none"
    note: str | None = None
    best: Source = Field(description="The best one.")
    evidence: list[Annotated[Source | Guess, Field(discriminator="kind")]] = Field(max_length=3)
    parent: Answer | None = None
    cost: Decimal = Decimal(0)


BOTH = pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])


def nodes(schema: Any) -> list[dict[str, Any]]:
    """Every schema inside a schema."""
    if isinstance(schema, list):
        return [node for item in schema for node in nodes(item)]
    if not isinstance(schema, dict):
        return []
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), schema.get("items")]
    return [schema, *nodes(inner), *nodes(schema.get("anyOf"))]


@BOTH
def test_a_pydantic_schema_fits_the_dialect(dialect: Dialect) -> None:
    """Only known keywords, objects closed, references alone; all required where the provider wants it."""
    schema = narrow(Answer.model_json_schema(), dialect)
    Draft202012Validator.check_schema(schema)
    for node in nodes(schema):
        assert node.keys() <= dialect.keywords
        assert "$ref" not in node or node.keys() <= {"$ref", "$defs"}
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert not dialect.all_required or node["required"] == list(node["properties"])


@BOTH
def test_narrowing_twice_changes_nothing(dialect: Dialect) -> None:
    """A schema that fits comes back equal, so that a recorded request reads back as what was asked."""
    once = narrow(Answer.model_json_schema(), dialect)
    assert narrow(once, dialect) == once


@BOTH
def test_the_model_still_reads_what_the_provider_refuses(dialect: Dialect) -> None:
    """A keyword that has to go is told in the description."""
    quote = narrow(Source.model_json_schema(), dialect)["properties"]["quote"]
    assert "minLength: 3" in quote["description"]


@BOTH
def test_a_good_answer_stays_good_and_a_bad_one_bad(dialect: Dialect) -> None:
    """What the narrowed schema lets through and what it refuses."""
    schema = narrow(Answer.model_json_schema(), dialect)
    source = {"kind": "source", "page": 1, "quote": "xyz"}
    answer = {
        "text": "a",
        "note": None,
        "best": source,
        "evidence": [source, {"kind": "guess"}],
        "parent": None,
        "cost": "1",
    }
    validator = Draft202012Validator(schema)
    assert validator.is_valid(answer)
    assert not validator.is_valid(answer | {"more": 1})
    assert not validator.is_valid(answer | {"evidence": [{"kind": "rumour"}]})
    Answer.model_validate(answer)


def test_the_schema_given_is_left_alone() -> None:
    """The agent validates with it."""
    schema = Answer.model_json_schema()
    narrow(schema, OPENAI)
    assert schema == Answer.model_json_schema()
