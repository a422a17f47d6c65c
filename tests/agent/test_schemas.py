"""The schema of an answer, and faults in words."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

import jsonschema
import pytest
from pydantic import BaseModel, Field, RootModel, ValidationError, field_validator

from harness.agent.schemas import explain_faults, output_schema, without_titles
from harness.wire.schemas import ANTHROPIC, OPENAI, narrow

T = TypeVar("T")


class Citation(BaseModel):
    """Where a claim stands."""

    document: Annotated[str, Field(min_length=3)]
    page: int | None = None

    @field_validator("document")
    @classmethod
    def _is_ours(cls, value: str) -> str:
        if value.startswith("web"):
            raise ValueError("cite our documents only")
        return value


class Answer(BaseModel):
    """What the desk says."""

    text: str
    citations: list[Citation] = []


class Tree(BaseModel):
    """A model that contains itself."""

    name: str
    branches: list[Tree] = []


class Box(BaseModel, Generic[T]):
    """A model with a parameter."""

    content: T


@pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize("model", [Answer, Tree, Box[int]])
def test_every_object_is_closed_in_a_providers_strict_form(model: type[BaseModel], dialect: object) -> None:
    """What we hand on becomes the strict form: no object is open, and under OpenAI's all fields are required."""
    schema = narrow(output_schema(model).schema_, dialect)  # type: ignore[arg-type]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    definitions = schema.get("$defs", {})
    assert isinstance(definitions, dict)
    for node in (schema, *definitions.values()):
        assert isinstance(node, dict)
        assert node["additionalProperties"] is False
        if dialect is OPENAI:
            assert node["required"] == list(node["properties"])  # type: ignore[arg-type]


def test_the_schema_has_a_name_that_providers_take() -> None:
    """Brackets of a parametrised model are no part of the name."""
    assert output_schema(Box[int]).name == "Box_int_"


def test_only_titles_of_the_schema_are_left_out() -> None:
    """A ``title`` in somebody's data, or of a property, stays."""
    data = {"title": "Ms"}
    schema = {"title": "T", "properties": {"title": {"title": "Title", "default": data, "enum": [data]}}}
    assert without_titles(schema) == {"properties": {"title": {"default": data, "enum": [data]}}}


def test_an_answer_must_be_an_object() -> None:
    """Providers take objects only, so a bare list is refused at once."""
    with pytest.raises(TypeError, match="describes no JSON object"):
        output_schema(RootModel[list[int]])


def test_faults_are_explained_one_a_line() -> None:
    """Each line names the place and what is wrong; a validator's own words stand as they are."""
    text = '{"citations":[{"document":"web page"},{"document":"a","page":"%s"}]}' % ("9" * 200 + "x")
    with pytest.raises(ValidationError) as caught:
        Answer.model_validate_json(text)
    lines = explain_faults(caught.value).splitlines()
    assert lines[0] == "- `text`: is required"
    assert lines[1] == "- `citations.0.document`: cite our documents only, not 'web page'"
    assert lines[2] == "- `citations.1.document`: String should have at least 3 characters, not 'a'"
    assert lines[3].startswith("- `citations.1.page`: Input should be a valid integer")
    assert lines[3].endswith("999...")


def test_broken_json_is_explained() -> None:
    """Text that is no JSON has no place in it to name."""
    with pytest.raises(ValidationError) as caught:
        Answer.model_validate_json("Sure! Here it is")
    assert explain_faults(caught.value) == "- Invalid JSON: expected value at line 1 column 1"
