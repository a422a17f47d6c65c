"""Brings a JSON Schema into the dialect that a provider's strict structured output takes.

A keyword that the provider refuses moves into the description, so that the model still reads it; the agent validates
with the whole schema.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.wire.shapes import compact, object_at

__all__ = ["ANTHROPIC", "OPENAI", "Dialect", "narrow"]

_STRUCTURE = {
    "$defs", "$ref", "additionalProperties", "anyOf", "const", "description", "enum", "items", "properties", "required",
    "title", "type",
}  # fmt: skip
_SILENT = {"default", "discriminator", "examples"}
"""Left out without a word: they bind nobody."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one provider's strict mode takes."""

    keywords: frozenset[str]
    all_required: bool
    """Every property must be listed as required."""


OPENAI = Dialect(
    frozenset(
        _STRUCTURE
        | {"exclusiveMaximum", "exclusiveMinimum", "format", "maxItems", "maximum", "minItems", "minimum"}
        | {"multipleOf", "pattern"}
    ),
    all_required=True,
)
ANTHROPIC = Dialect(frozenset(_STRUCTURE | {"format"}), all_required=False)


def narrow(schema: JsonObject, dialect: Dialect) -> JsonObject:
    """The schema in the dialect; one that already is comes back equal."""
    node = dict(schema)
    if "oneOf" in node and "anyOf" not in node:
        node["anyOf"] = node.pop("oneOf")
    merged = node.get("allOf")
    if isinstance(merged, list) and len(merged) == 1 and isinstance(merged[0], dict):
        del node["allOf"]
        node = {**merged[0], **node}
    if "$ref" in node and len(node) > 1 and not node.keys() <= {"$ref", "$defs"}:
        node["anyOf"] = [{"$ref": node.pop("$ref")}]  # a reference may have no neighbours
    node = _move_foreign(node, dialect)
    for key in ("$defs", "properties"):
        branches = node.get(key)
        if isinstance(branches, dict):
            node[key] = {name: _narrow_any(branch, dialect) for name, branch in branches.items()}
    if "items" in node:
        node["items"] = _narrow_any(node["items"], dialect)
    choices = node.get("anyOf")
    if isinstance(choices, list):
        node["anyOf"] = [_narrow_any(choice, dialect) for choice in choices]
    if node.get("type") == "object":
        node.setdefault("additionalProperties", False)
        if dialect.all_required:
            node["required"] = list(object_at(node, "properties"))
    return node


def _narrow_any(node: JsonValue, dialect: Dialect) -> JsonValue:
    return narrow(node, dialect) if isinstance(node, dict) else node


def _move_foreign(node: JsonObject, dialect: Dialect) -> JsonObject:
    """Move the keywords that the dialect lacks into the description."""
    kept = {key: value for key, value in node.items() if key in dialect.keywords}
    told = [f"{key}: {compact(node[key])}" for key in node if key not in dialect.keywords and key not in _SILENT]
    if told:
        note = "{" + ", ".join(told) + "}"
        described = kept.get("description")
        kept["description"] = f"{described}\n\n{note}" if described else note
    return kept
