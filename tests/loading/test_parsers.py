"""The two parsers of scenario files: what the fast one reads, the exact one reads to the same values and places."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.strictyaml import document
from harness.strictyaml.document import read_document

SCENARIOS = sorted(Path(__file__).parents[2].glob("scenarios/**/*.yaml"))
PIECES = [
    *("a", "b c", "é", "\U0001f600", "1", "0.5", "true", "~", "?", "!", "&x", "*x", "<<", "%", "@", "`", "#", " # c"),
    *(": ", ":", "- ", "-", ", ", ",", "[", "]", "{", "}", "'", "''", '"', '\\"', "\\n", "\\x41", "\\U0001f600"),
    *("|\n", ">-\n", "|2\n", "|+\n", "\n", "\n", "\n  ", "\n    ", "\n\n", " ", "  ", "\t", "\r\n", "---\n", "...\n"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


def assert_alike(text: str) -> bool:
    """Compare the two; whether the fast one read the text at all."""
    fast = document._read_fast(text)
    assert fast is None or fast == document._read_exactly(text)
    return fast is not None


@given(TEXTS)
@example("a: {b? : c}")
@example("a: {b?c: 1}")
@example("a: |#\n  b")
@example("a: | # c\n  b\n")
@example("a:\tb")
@example("a: {b: }\nc:\n")
@example("? a\n: b\n")
@example('"a":b')
@example("[a: 1, {b: 2}]")
def test_any_text(text: str) -> None:
    """Whatever is written: what the fast one takes is what the exact one takes."""
    if not document._UNREADABLE.search(text):
        assert_alike(text)


@given(st.data())
def test_an_edited_scenario(data: st.DataObject) -> None:
    """The same of a real file with a few edits."""
    text = data.draw(st.sampled_from(SCENARIOS)).read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 3)))
        text = text[:start] + data.draw(st.sampled_from(["", *PIECES])) + text[end:]
    assert_alike(text)


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_the_shipped_ones_are_read_fast(file: Path) -> None:
    """What people write is read by the fast one."""
    assert assert_alike(file.read_text(encoding="utf-8"))


def test_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML comes without it as well."""
    text = SCENARIOS[0].read_text(encoding="utf-8")
    with_it = read_document(text)
    monkeypatch.setattr(document, "_LIBYAML", None)
    assert document._read_fast(text) is None
    assert read_document(text) == with_it
