"""JSON Schemas as a model should read them, and validation errors in words that it can act on."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError

from harness.records.base import JsonObject
from harness.records.message import OutputSchema

__all__ = ["explain_faults", "output_schema", "without_titles"]

_DATA = {"const", "default", "enum", "examples"}
"""Keywords that hold values, in which a ``title`` is somebody's data."""
_NAMED = {"$defs", "properties"}
"""Keywords whose own keys are names, of which one may be ``title``."""
_WORDS = {
    "missing": "is required",
    "missing_keyword_only_argument": "is required",
    "extra_forbidden": "is unknown; leave it out",
    "unexpected_keyword_argument": "is unknown; leave it out",
}


@functools.lru_cache(maxsize=256)
def output_schema(model: type[BaseModel]) -> OutputSchema:
    """What a structured answer must look like. Raises :class:`TypeError` where it would be no JSON object.

    The whole schema is handed on: each wire codec brings it into its provider's strict form.
    """
    schema = without_titles(model.model_json_schema())
    reference = schema.get("$ref")
    definitions = schema.get("$defs")
    if isinstance(reference, str) and isinstance(definitions, dict):
        # A model that contains itself is written as a reference, and providers want the root to be an object.
        root = definitions[reference.removeprefix("#/$defs/")]
        schema = {**root, "$defs": definitions} if isinstance(root, dict) else schema
    if schema.get("type") != "object":
        raise TypeError(f"{model.__name__} describes no JSON object, as an answer must be; give it fields")
    return OutputSchema(name=re.sub(r"[^A-Za-z0-9_-]+", "_", model.__name__)[:64], schema=schema)


def without_titles(schema: Mapping[str, Any]) -> JsonObject:
    """The schema without the titles that Pydantic makes of each name: tokens that tell nothing."""
    return {key: _strip(key, value) for key, value in schema.items() if key != "title"}


def explain_faults(error: ValidationError) -> str:
    """One line per fault: where, what is wrong, and the value as the model wrote it."""
    lines = []
    for fault in error.errors(include_url=False, include_context=False):
        place = ".".join(map(str, fault["loc"]))
        what = _WORDS.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
        if fault["type"] not in _WORDS.keys() | {"json_invalid"}:
            what += f", not {_shorten(fault['input'])}"
        lines.append(f"- `{place}`: {what}" if place else f"- {what}")
    return "\n".join(lines)


def _strip(key: str, value: Any) -> JsonValue:
    if key in _DATA:
        return value  # type: ignore[no-any-return]
    if key in _NAMED and isinstance(value, Mapping):
        return {name: without_titles(branch) for name, branch in value.items()}
    if isinstance(value, Mapping):
        return without_titles(value)
    if isinstance(value, list):
        return [without_titles(item) if isinstance(item, Mapping) else item for item in value]
    return value  # type: ignore[no-any-return]


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
