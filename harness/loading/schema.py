"""The JSON Schema of scenario files, by which editors complete and check them."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from harness.records.base import JsonObject
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
    schema = _simplify(ScenarioFile.model_json_schema(by_alias=True))
    return {**schema, **_HEAD, "allOf": [_TASK, _EXPECTED]}


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
