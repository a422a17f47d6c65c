"""Reads JSON whose shape nobody vouches for: a value of the wrong type counts as absent."""

from __future__ import annotations

import json
import re

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.records.json_text import read_json

__all__ = [
    "compact",
    "count_at",
    "drop_format",
    "items_at",
    "object_at",
    "objects_at",
    "text_at",
    "without_half_characters",
    "without_nulls",
]


_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


def text_at(holder: JsonValue, key: str) -> str:
    """The text under a key; empty where there is none."""
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, str) else ""


def count_at(holder: JsonValue, key: str) -> int:
    """The whole number under a key; 0 where there is none."""
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, int) else 0


def object_at(holder: JsonValue, key: str) -> JsonObject:
    """The object under a key; empty where there is none."""
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, dict) else {}


def items_at(holder: JsonValue, key: str) -> list[JsonValue]:
    """The list under a key; empty where there is none."""
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, list) else []


def objects_at(holder: JsonValue, key: str) -> list[JsonObject]:
    """The objects of the list under a key."""
    return [item for item in items_at(holder, key) if isinstance(item, dict)]


def without_nulls(holder: JsonObject) -> JsonObject:
    """The same object without the keys that say nothing."""
    return {key: value for key, value in holder.items() if value is not None}


def without_half_characters(value: JsonValue) -> JsonValue:
    """The same value with U+FFFD for each half of a surrogate pair: JSON allows those, UTF-8 does not."""
    repaired: JsonValue = read_json(_HALF_CHARACTER.sub("\ufffd", json.dumps(value, ensure_ascii=False)))
    return repaired


def compact(value: JsonValue) -> str:
    """JSON text as it stands in tool arguments."""
    return json.dumps(value, ensure_ascii=False)


def drop_format(settings: JsonObject, holder: str) -> None:
    """Take the answer's required form out of an object among the settings; an object left empty goes as well."""
    rest: JsonObject = {key: value for key, value in object_at(settings, holder).items() if key != "format"}
    settings.pop(holder)
    if rest:
        settings[holder] = rest
