"""The report shows conversations, folded retries, calls at the same time, and what can't be known."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from harness.records.trace import Conversation, Role
from harness.reporting import render_conversation
from harness.reporting.steps import steps_of, trace_facts, trace_steps
from harness.reporting.threads import Threads
from harness.reporting.view import build_view
from tests.reporting.conftest import DESKTOP, PHONE, Open
from tests.reporting.desk import make_trace, model_call
from tests.reporting.threaded import threaded_results, threaded_trace

ADDRESS = "#trial=travel/plan/1"


def test_failed_attempts_stand_with_their_call() -> None:
    """How many, which status, how long was waited; each with its error and what the provider asked for."""
    step = next(step for step in steps_of(threaded_trace().events) if step.call == 6 and step.attempts)
    assert step.notes[0] == "after 2 failed attempts: 429, waited 2.0 s; no response, waited 500 ms"
    assert step.attempts == (
        (
            "at 2.0 s, after 500 ms: the provider answered 429 rate_limit_exceeded: Slow down.; "
            "the provider asked to wait 2.0 s"
        ),
        "at 4.5 s, after 1.0 s: no response arrived (ReadTimeout)",
    )


def test_calls_at_the_same_time_name_each_other() -> None:
    """A call overlaps with those that were under way, from its first attempt on; one after the other is no overlap."""
    threads = Threads(threaded_trace().events)
    assert [threads.beside(turn) for turn in (1, 2, 4, 6, 7)] == [
        "at the same time as call 2",
        "at the same time as call 1",
        "at the same time as call 6",
        "at the same time as call 4",
        "",
    ]
    many = Threads([model_call(turn, started=0, duration=10) for turn in range(1, 7)])
    assert many.beside(3) == "at the same time as 5 other calls"
    in_order = Threads([model_call(1, started=0, duration=10), model_call(2, started=10, duration=10)])
    assert in_order.beside(1) == ""


def test_steps_stand_below_the_conversation_that_ran_them() -> None:
    """Sub-agents and side calls are labelled and moved in; the main conversation is neither."""
    placed = [(step.title, step.whose, step.depth) for step in steps_of(threaded_trace().events) if step.call]
    assert placed == [
        ("Model call 1", "side call 2", 1),
        ("Model call 2", "", 0),
        ("research", "", 0),
        ("research", "", 0),
        ("Sent by the agent", "sub-agent 3", 1),
        ("Model call 6", "sub-agent 3", 1),
        ("Model call 4", "sub-agent 4", 1),
        ("web_search", "sub-agent 4", 1),
        ("timetable", "sub-agent 3", 1),
        ("POST https://api.openai.com/v1/embeddings", "", 0),
        ("Model call 7", "", 0),
    ]


def test_an_answer_that_a_conversation_ended_with_is_not_shown_again() -> None:
    """A side call after the answer does not make the answer look like the agent's own words."""
    trace = make_trace(
        *threaded_trace().events[1:],
        model_call(9, "A title", conversation=2, started=9_500_000_000),
        outputs=threaded_trace().outputs,
    )
    assert "answer" not in [step.kind for step in trace_steps(trace)]


def test_a_conversation_in_the_terminal_says_all_of_it() -> None:
    """Text has the same labels, notes and marks, and the closing line counts them."""
    text = render_conversation(threaded_trace().events)
    for said in (
        "Side call 2: Say whether this is …  (nothing holds its reply)",
        "    Sub-agent 3: You search.  (run by tool research of the main conversation, its last reply is the result",
        "    Model call 6  [sub-agent 3]",
        "      ~ after 2 failed attempts: 429, waited 2.0 s; no response, waited 500 ms",
        "      ? where it belongs is unsure: several conversations hold what it goes on from",
        "Tool web_search  [sub-agent 4]  (ran at the provider, result not shown)",
        "Tool timetable  [sub-agent 3]  (arguments are no JSON)",
        "a model API that is not read: embeddings",
        "5 model calls, 2 failed attempts, 4 tool calls, 4 conversations, 1 call of model APIs that are not read, ",
    ):
        assert said in text, text
    unknown = Conversation(number=5, role=Role.UNKNOWN, name="", ground="nothing shows how it belongs to the others")
    assert "Conversation 5\n  ? its place is unknown: nothing shows" in render_conversation([unknown])
    assert "unknown tokens · unknown cost" in build_view(threaded_results(), None).summary
    assert "4 conversations" in trace_facts(threaded_trace())


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_the_page_shows_threads(open_report: Open, size: tuple[int, int]) -> None:
    """An opened trial has labels, notes and failed attempts on demand, moved in, and nothing wider than the page."""
    page = open_report(threaded_results(), ADDRESS, size=size)
    sheet = page.locator("dialog[open]")
    retried = sheet.locator("article", has_text="Model call 6")
    expect(retried).to_contain_text("after 2 failed attempts: 429, waited 2.0 s")
    expect(retried.locator("header .note")).to_have_text("sub-agent 3")
    expect(retried.get_by_text("the provider asked to wait 2.0 s")).not_to_be_visible()
    retried.get_by_text("Show the failed attempts").click()
    expect(retried.get_by_text("the provider asked to wait 2.0 s")).to_be_visible()
    main = sheet.locator("article", has_text="Model call 7").bounding_box()
    moved = retried.bounding_box()
    assert main is not None
    assert moved is not None
    assert moved["x"] > main["x"]
    assert page.locator("dialog").evaluate("node => node.scrollWidth - node.clientWidth") == 0
