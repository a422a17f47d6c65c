"""What a plain YAML scalar means: the core schema of YAML 1.2, without what JSON can't hold.

Source: https://yaml.org/spec/1.2.2/#103-core-schema. Dates, times, ``yes`` and ``on`` are text.
"""

from __future__ import annotations

import math
import re

from pydantic import JsonValue

__all__ = ["read_plain"]

_WORDS: dict[str, JsonValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
_LARGEST = 2**53 - 1
"""Beyond it, readers of JSON disagree about an integer (RFC 7493, section 2.2)."""


def read_plain(text: str) -> JsonValue:
    """The value of an unquoted scalar. Raises :class:`ValueError` with what to do where readers would disagree."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) or _BASED.fullmatch(text):
        return _read_integer(text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is no number in JSON; quote it to mean text")
    if _FLOAT.fullmatch(text):
        return _read_float(text)
    return text


def _read_integer(text: str) -> int:
    if _LEADING_ZERO.match(text):
        raise ValueError(f"{_clip(text)} begins with a zero; quote it to mean text, or drop the zero to mean a number")
    # the length first: int() takes quadratic time, and refuses thousands of digits
    value = int(text, 0) if len(text) <= len(hex(_LARGEST)) + 8 else _LARGEST + 1
    if abs(value) > _LARGEST:
        raise ValueError(f"{_clip(text)} is too large for an exact number; quote it to mean text")
    return value


def _read_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{_clip(text)} is too large for a number; quote it to mean text")
    return value


def _clip(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
