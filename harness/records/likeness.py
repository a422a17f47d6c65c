"""When JSON values are equal, and when one is part of another."""

from __future__ import annotations

from pydantic import JsonValue

__all__ = ["contains", "equal"]


def equal(expected: JsonValue, actual: JsonValue) -> bool:
    """Equal as JSON: a boolean is not a number, and ``1`` is ``1.0``."""
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(equal(expected[key], actual[key]) for key in expected)
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(equal, expected, actual))
    return expected == actual


def contains(actual: JsonValue, part: JsonValue) -> bool:
    """Whether an object has these keys with these values, nested objects likewise; all else has to be equal."""
    if isinstance(part, dict) and isinstance(actual, dict):
        return all(key in actual and contains(actual[key], value) for key, value in part.items())
    return equal(part, actual)
