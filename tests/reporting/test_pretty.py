"""Data as JSON: on one line where it is short, else indented."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from harness.reporting.steps import pretty

LEAVES = st.none() | st.integers() | st.text(max_size=30)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner), max_leaves=30
)
LINE = 76


def nested(depth: int) -> object:
    """A list in a list, as often as that."""
    value: object = []
    for _ in range(depth):
        value = [value]
    return value


@given(VALUES.filter(lambda value: not isinstance(value, str)))
@example(nested(37))
@example(nested(38))
@example(["x" * 72])
@example(["x" * 73])
@example({"a": "x" * 500})
def test_short_on_one_line(value: object) -> None:
    """What fits on a line stands on one, however it nests, and nothing else does."""
    line = json.dumps(value, ensure_ascii=False)
    expected = line if len(line) <= LINE else json.dumps(value, ensure_ascii=False, indent=2)
    assert pretty(value) == expected  # type: ignore[arg-type]
