"""The line reader never differs from the YAML reader: it takes what we write, and leaves the rest alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.cassettes import load_cassette, save_cassette
from harness.cassettes.form import digest_of
from harness.cassettes.interactions import read_interactions
from harness.cassettes.lines import parse_lines, read_lines
from harness.cassettes.reading import UnreadableError, read_yaml
from harness.cassettes.writing import write_cassette
from harness.records.exchange import Cassette, Exchange, HttpRequest, HttpResponse
from tests.cassettes.test_files import AWKWARD, cassette, cassettes

SHIPPED = sorted((Path(__file__).parents[2] / "cassettes").rglob("*.yaml"))
PIECES = [
    *("\n", " ", "  ", "      ", "        ", "\t", "\r", "\r\n", "\x85", "\ufeff", "\u2028", "\x07", "é", "data: 1\n"),
    *("'", '"', "''", "\\", "\\x41", "\\u0041", "\\ud83d", "\\a", "null", "0", "00", "1e3", "!!binary ", "&a ", "*a"),
    *("#", "# x\n", ": ", "- ", "? ", "<<: ", "[", "]", "{", "}", ", ", "|", "|-", "|+", "|2", ">", "%", "@"),
    *("---\n", "...\n"),
]
"""What means something in YAML."""


def by_yaml(text: str) -> Cassette:
    """What the YAML reader makes of it."""
    return read_interactions(read_yaml(text), text)


@given(cassettes)
@settings(deadline=None)
def test_it_reads_whatever_we_write(given_cassette: Cassette) -> None:
    """Any cassette comes back through the lines, the same as through YAML, and is written as the same bytes again."""
    text = write_cassette(given_cassette)
    read = read_lines(text.encode())
    assert read == given_cassette
    assert read == by_yaml(text)
    assert write_cassette(read) == text


@pytest.mark.parametrize("body", AWKWARD)
def test_awkward_bodies(body: bytes) -> None:
    """Each body that YAML has its ways with, as request and as response."""
    exchange = Exchange(
        request=HttpRequest(method="POST", uri="u", body=body), response=HttpResponse(status=1, body=body)
    )
    text = write_cassette(Cassette(exchanges=(exchange, exchange)))
    read = read_lines(text.encode())
    assert read is not None
    assert read.exchanges == (exchange, exchange) == by_yaml(text).exchanges


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: str(file.relative_to(SHIPPED[0].parents[3])))
def test_shipped_cassettes_are_read_by_lines(file: Path) -> None:
    """Every cassette of this project is as we write it."""
    assert read_lines(file.read_bytes()) == by_yaml(file.read_text(encoding="utf-8"))


def sealed(text: str) -> str:
    """A file with the digest and the count that the line reader would ask for."""
    items = len(re.findall("^- request:$", text, re.MULTILINE))
    text = re.sub("^  exchanges: .*$", f"  exchanges: {items}", text, count=1, flags=re.MULTILINE)
    parsed = parse_lines(text.encode())
    if parsed is None:
        return text
    digest = digest_of(parsed[0].exchanges)
    return re.sub("^  digest: .*$", f"  digest: '{digest}'", text, count=1, flags=re.MULTILINE)


@st.composite
def edits(draw: st.DrawFn) -> str:
    """A file of ours in which something was put in, taken out or replaced, and that is sealed again."""
    text = write_cassette(draw(cassettes))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 4))
        text = text[:start] + draw(st.sampled_from(["", *PIECES])) + text[end:]
    return sealed(text)


@given(edits())
@example(sealed(write_cassette(cassette()).replace("method: 'POST'", "method: 'POST' # x", 1)))
@example(sealed(write_cassette(cassette()).replace("string: |+", "string: |", 1)))
@example(sealed(write_cassette(cassette()).replace("string: |+", "string: |-", 1)))
@example(sealed(write_cassette(cassette()).replace("string: |+\n", "string: |+\n\n", 1)))
@example(sealed(write_cassette(cassette()).replace("        data: 1\n", "        data: 1\n          \n", 1)))
@example(sealed(write_cassette(cassette()).replace("        data: 1\n", "        \tdata: 1\n", 1)))
@settings(max_examples=settings().max_examples * 2)
def test_an_edited_file_is_read_alike_or_left_alone(text: str) -> None:
    """Whatever the line reader accepts, the YAML reader takes for the same."""
    read = read_lines(text.encode())
    if read is not None:
        assert read == by_yaml(text)


def test_left_alone_are_files_that_only_mean_the_same(tmp_path: Path) -> None:
    """A hand-edited layout of the same recording, and one with the line ends of Windows, load through YAML."""
    text = write_cassette(cassette())
    for edited in (text.replace("method: 'POST'", "method: POST"), text.replace("\n", "\r\n"), f"# a note\n{text}"):
        assert read_lines(edited.encode()) is None
        (tmp_path / "c.yaml").write_bytes(edited.encode())
        assert load_cassette(tmp_path / "c.yaml") == cassette()


def test_what_was_edited_is_for_the_yaml_reader_to_explain() -> None:
    """A changed body, a missing exchange and a header that stands twice are refused there, with words."""
    text = write_cassette(cassette())
    twice = text.replace("      content-type: ['text/plain']\n", "      content-type: ['text/plain']\n" * 2)
    for edited in (text.replace('"a": 1', '"a": 2'), text[: text.rindex("- request:")], twice):
        assert read_lines(edited.encode()) is None
        with pytest.raises(UnreadableError):
            by_yaml(edited)


@given(cassettes)
@settings(deadline=None, max_examples=30)
def test_save_load_save_is_stable(tmp_path_factory: pytest.TempPathFactory, given_cassette: Cassette) -> None:
    """On disk as well, what was loaded is saved as the same bytes."""
    file = tmp_path_factory.mktemp("stable") / "c.yaml"
    save_cassette(file, given_cassette)
    before = file.read_bytes()
    save_cassette(file, load_cassette(file))
    assert file.read_bytes() == before
