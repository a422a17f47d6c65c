"""JSON in Pydantic's time, and to the letter as Python's own reads and writes it."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json, to_json

__all__ = ["indented", "read_json"]

_ODD_NUMBERS = {hint: re.compile(rf"{re.escape(hint)}[0-9]+,?$", re.MULTILINE) for hint in ("e-", "0.0000")}
"""What ends a number that Python writes otherwise (1e-05): a line that ends in text ends in a quotation mark."""


def indented(value: object, indent: int, *, allow_nan: bool = True) -> str:
    """What ``json.dumps(value, indent=indent, ensure_ascii=False)`` gives, of a record too, in a third of its time.

    Python's own fast encoder can't indent, and Pydantic's writes a few things otherwise or not at all, which are left
    to Python's. Raises :class:`ValueError` for NaN and infinities, unless they are allowed.
    """
    try:
        if isinstance(value, BaseModel):
            text = value.model_dump_json(indent=indent)
        else:
            text = to_json(value, indent=indent).decode()
    except ValueError:  # half a character, or nested deeper than it goes
        text = "NaN"
    if "NaN" in text or "Infinity" in text or _has_odd_number(text):
        plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        return json.dumps(plain, ensure_ascii=False, indent=indent, allow_nan=allow_nan)
    return text


def _has_odd_number(text: str) -> bool:
    return any(hint in text and pattern.search(text) for hint, pattern in _ODD_NUMBERS.items())


def read_json(text: str | bytes) -> Any:
    """What ``json.loads(text)`` gives, in a third of its time. Raises :class:`ValueError` and :class:`RecursionError`.

    What Pydantic's reader refuses is left to Python's: half a character, other encodings, deep nesting.
    """
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)
