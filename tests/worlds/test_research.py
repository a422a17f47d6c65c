"""The research desk's library, tools and validator: what each finds, and what each refuses."""

from __future__ import annotations

import gc
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import harness
from harness.records.message import Usage
from harness.records.trace import Trace, UserTurn
from scenarios.research import desk
from scenarios.research.library import FOLDER, Document, Library, island_library, read_documents

QUESTION = "What does a 12 metre boat pay?"
QUOTE = "Boats from 10 to 14 metres pay 31.50 euros a night from June to August"


@pytest.fixture
def world() -> harness.World:
    """A reader's session, nothing read yet."""
    return harness.World({"read": []})


def answer(text: str = "It pays 31.50 euros.", declined: bool = False, **citation: str) -> str:
    """A reply as the model writes it, right unless told otherwise."""
    cited = {"document": "harbour-fees-2025", "quote": QUOTE, **citation}
    return json.dumps({"answer": text, "citations": [] if declined else [cited], "declined": declined})


def context(*read: str) -> dict[str, Any]:
    """What the harness hands to a validator, after these documents were read."""
    events = (UserTurn(number=1, text=QUESTION),)
    trace = Trace(run_id="t", events=events, outputs=(), state={}, usage=Usage(), cost_usd=None, duration=0)
    return {"world": {"read": list(read)}, "trace": trace}


def test_the_shipped_documents_are_read() -> None:
    """All dozen documents have a title, a date and a text."""
    documents = read_documents(FOLDER)
    assert len(documents) == 12
    assert all(each.title and each.text and each.published > "2020" for each in documents)


def test_a_document_without_its_date_is_refused(tmp_path: Path) -> None:
    """A document of another form is named, with what it should hold."""
    (tmp_path / "note.md").write_text("# A note\n\nNo date.\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"note\.md: write '# Title', 'Published"):
        read_documents(tmp_path)


def test_equal_documents_rank_by_id() -> None:
    """Where two documents fit alike the order is that of their ids, however they came in."""
    twins = [Document(name, "Tides", "2025-01-01", "High and low water.") for name in ("b", "c", "a")]
    assert [each.id for each in Library(twins).search("low water")] == ["a", "b", "c"]


def test_a_library_that_is_dropped_closes_its_index() -> None:
    """A connection left open is a warning from Python 3.13 on, in whatever test the collector comes by."""
    library = Library([])
    index = library._index
    del library
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        index.execute("SELECT 1")


def test_a_search_wants_all_words_in_any_inflection() -> None:
    """Inflected words find each other; one word that occurs nowhere finds nothing, and neither does no word."""
    library = island_library()
    assert [each.id for each in library.search("suspends sailing")] == ["ferry-suspension"]
    assert library.search("suspended sailings zeppelin") == []
    assert library.search(" ?! ") == []


@pytest.mark.parametrize("query", ['ferry" OR "light', "ferry NOT winter", "title:ferry", "ferry*", "NEAR(ferry)", "'"])
def test_a_query_is_words_and_no_syntax(query: str) -> None:
    """The index's own query language can't be reached through a search."""
    assert isinstance(desk.search(query), list | str)
    assert island_library().search("ferry NOT winter") == []


def test_search_gives_three_at_most_or_says_what_to_do() -> None:
    """Hits carry id, title and date; without a hit the model is told to reword."""
    found = desk.search("the")
    assert isinstance(found, list)
    assert len(found) == 3
    assert desk.search("storm petrels") == [
        {"document": "seabird-census-2025", "title": "Seabird census 2025", "published": "2025-08-04"}
    ]
    assert "other ones" in str(desk.search("zeppelin"))


def test_read_notes_what_was_read(world: harness.World) -> None:
    """A document that was read twice is noted once; one that does not exist is refused and not noted."""
    assert "900 kilowatts" in desk.read(world, "power-plant")["text"]
    desk.read(world, "power-plant")
    with pytest.raises(harness.ToolError, match=r"no document '\.\./desk'"):
        desk.read(world, "../desk")
    assert world.state == {"read": ["power-plant"]}


@pytest.mark.parametrize(
    "reply",
    [
        answer(),
        answer("A 12 metre boat pays 31.50 euros."),
        answer(quote="Boats from 10 to 14 metres pay 31.50\n euros a night"),
        answer("Nothing is said of that.", declined=True),
    ],
)
def test_a_supported_answer_is_accepted(reply: str) -> None:
    """Quotes may break lines, figures of the question may be repeated, and a declined answer needs no citation."""
    desk.CitedAnswer.model_validate_json(reply, context=context("harbour-fees-2025"))


@pytest.mark.parametrize(
    ("reply", "refusal"),
    [
        (answer(document="harbour-fees-2031"), "there is no document 'harbour-fees-2031'"),
        (answer(document="trust-board"), "'trust-board' is cited but was never read"),
        (answer(document="water-supply"), "does not stand in 'water-supply'"),
        (answer(quote="Boats pay 31.50 euros"), "'Boats pay 31.50 euros' does not stand in 'harbour-fees-2025'"),
        (answer(quote=" "), "does not stand in"),
        (answer("It pays 32 euros."), "the answer says 32, which no quote holds"),
        (answer("It pays 31.5 euros."), "the answer says 31.5, which"),
    ],
)
def test_an_unsupported_answer_is_refused(reply: str, refusal: str) -> None:
    """A citation that does not exist, was not read or is not word for word is refused, and so is a stray figure."""
    with pytest.raises(ValidationError, match=refusal):
        desk.CitedAnswer.model_validate_json(reply, context=context("harbour-fees-2025", "water-supply"))


@pytest.mark.parametrize(
    ("citations", "declined", "fault"),
    [
        ([], False, "an answer needs at least one citation"),
        ([{"document": "d", "quote": "q"}], True, "a declined answer cites nothing"),
    ],
)
def test_an_answer_cites_or_declines(citations: list[dict[str, str]], declined: bool, fault: str) -> None:
    """An answer without a citation, or a refusal with one, contradicts itself."""
    with pytest.raises(ValidationError, match=fault):
        desk.Answer.model_validate({"answer": "a", "citations": citations, "declined": declined})
