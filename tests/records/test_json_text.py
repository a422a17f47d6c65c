"""JSON is read and written as Python does it, to the byte."""

from __future__ import annotations

import json
import math
import operator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field

from harness.records.base import Record
from harness.records.json_text import indented, read_json

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None))
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES, st.sampled_from([1, 2]))
@example({"a": [1e16, 1e-5, -0.0, 5e-324, 10**40]}, 1)
@example(["1e5", "NaN", "ends in 1e5,\n", {}, [], '\x00\x1f\x7f\u2028\\/"é\U0001f600'], 2)
@example(1e22, 1)
@example([1e-5, 1e-4], 1)
def test_like_pythons_own(value: object, indent: int) -> None:
    """Whatever the value, the text is what json.dumps gives."""
    assert indented(value, indent) == json.dumps(value, ensure_ascii=False, indent=indent)


class Keeping(Record):
    """A record of anything, and of what is written otherwise."""

    value: Any
    usd: Decimal = Decimal("0.10")
    number: float = 0.0
    silent: str = Field(default="", exclude_if=operator.not_)


@given(VALUES, st.floats())
@example(["\ud800"], 1e-5)
@example({}, math.nan)
def test_a_record(value: object, number: float) -> None:
    """A record is written as its data are."""
    record = Keeping(value=value, number=number)
    assert indented(record, 1) == json.dumps(record.model_dump(mode="json"), ensure_ascii=False, indent=1)


@pytest.mark.parametrize("text", ["\ud800", "\ud83d\ude00"])
def test_halves_of_characters(text: str) -> None:
    """Half a character stays what it is."""
    assert indented([text], 1) == json.dumps([text], ensure_ascii=False, indent=1)


def test_deep_nesting() -> None:
    """What nests deeper than Pydantic goes is written all the same."""
    value: object = 1
    for _ in range(400):
        value = [value]
    assert indented(value, 1) == json.dumps(value, indent=1)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number(number: float) -> None:
    """What JSON has no word for is refused where the caller can't have it."""
    for value in ({"a": number}, Keeping(value=number), Keeping(value=1, number=number)):
        with pytest.raises(ValueError, match="not JSON compliant"):
            indented(value, 1, allow_nan=False)


@given(VALUES, st.booleans(), st.booleans())
@example([1e16, 1e-5, -0.0, 5e-324, 10**40, math.inf], True, True)
@example({"a": ["\ud800", "\ud83d\ude00", "\U0001f600\x7f"]}, True, True)
def test_read_as_python_reads(value: object, as_bytes: bool, ascii_only: bool) -> None:
    """Whatever the text, what comes of it is what json.loads gives: kinds, order and signs included."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    given_text = text.encode("utf-8", "surrogatepass") if as_bytes else text
    assert repr(read_json(given_text)) == repr(json.loads(given_text))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": 2, "a": 3}',
        " [1e999, -0, 1E5]\n",
        "[" * 300 + "]" * 300,
        "[1]".encode("utf-16"),
        b"\xef\xbb\xbf[1]",
    ],
)
def test_odd_texts_are_read(text: str | bytes) -> None:
    """What the two readers might take otherwise."""
    assert repr(read_json(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["", "[1,]", "01", '"\t"', "nan", "1 2", "\ufeff1", "'a'", "[" * 100_000])
def test_what_is_no_json(text: str) -> None:
    """It is refused with what Python raises."""
    with pytest.raises((ValueError, RecursionError)) as expected:
        json.loads(text)
    with pytest.raises(expected.type):
        read_json(text)
