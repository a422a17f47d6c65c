"""The JSON Schema of scenario files, by which editors complete and check them."""

from __future__ import annotations

import ast
import inspect
import itertools
from typing import Any

from pydantic import BaseModel, JsonValue
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from harness.records.base import JsonObject, Record
from harness.records.scenario import ScenarioFile

__all__ = ["scenario_schema"]

_HEAD: JsonObject = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "urn:agent-regression-harness:scenario:1",
    "title": "Scenario",
}
_TASK: JsonObject = {"oneOf": [{"required": ["input"]}, {"required": ["conversation"]}]}
_EXPECTED: JsonObject = {
    "anyOf": [
        {"required": ["expect"], "properties": {"expect": {"minItems": 1}}},
        {"required": ["limits"], "properties": {"limits": {"minProperties": 1}}},
    ]
}


def scenario_schema() -> JsonObject:
    """JSON Schema 2020-12: it accepts every file that loads, and refuses most that don't.

    Beyond it are what only the project knows (subjects, validators, rubrics), whether a pattern compiles, and sums such
    as ``pass`` against ``trials``.
    """
    schema = _simplify(ScenarioFile.model_json_schema(by_alias=True, schema_generator=_Described))
    return {**schema, **_HEAD, "allOf": [_TASK, _EXPECTED]}


class _Described(GenerateJsonSchema):
    """Describes each field by the text below it in the source.

    Pydantic can do so for itself, but whenever a class is made: that was a twelfth of what a short command took.
    """

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        made = super().model_schema(schema)
        for name, text in _texts_below(schema["cls"]).items():
            field = schema["cls"].model_fields[name]
            made["properties"][field.alias or name].setdefault("description", text)
        return made


def _texts_below(record: type[BaseModel]) -> dict[str, str]:
    texts = {}
    for kind in reversed([each for each in record.__mro__ if issubclass(each, Record)]):
        (tree,) = ast.parse(inspect.getsource(kind)).body
        assert isinstance(tree, ast.ClassDef)
        for field, below in itertools.pairwise(tree.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    texts[name] = inspect.cleandoc(text)
    return texts


def _simplify(schema: Any) -> Any:
    """Without null, which no key of a scenario may be; without titles, which repeat the key; in Markdown's quotes."""
    if isinstance(schema, list):
        return [_simplify(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, JsonValue] = {}
    for key, value in schema.items():
        if key == "properties":
            kept[key] = {name: _simplify(field) for name, field in value.items()}
        elif key == "description":
            kept[key] = value.replace("``", "`")
        elif key == "anyOf" and {"type": "null"} in value:
            rest = [_simplify(option) for option in value if option != {"type": "null"}]
            kept.update(rest[0] if len(rest) == 1 else {key: rest})
        elif not (key == "title" or (key == "default" and value is None)):
            kept[key] = _simplify(value)
    return kept
