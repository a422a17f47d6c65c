"""Replies that hold more than text, in the terminal, in the page and beside a baseline."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from harness.records.message import AssistantMessage, Part, PartKind, ToolCall
from harness.records.trace import ModelCall
from harness.reporting import render_conversation
from harness.reporting.differences import RowKind, compare_steps
from harness.reporting.pieces import pieces_of
from harness.reporting.steps import steps_of
from harness.scorers.judges import transcript
from tests.reporting.conftest import Open
from tests.reporting.desk import make_trace, model_call
from tests.reporting.spoken import ASKS, SEARCHES, spoken_results, spoken_trace


def shown(call: ModelCall) -> list[str]:
    """The lines of one model call in a terminal, without its title."""
    (block,) = (part for part in render_conversation([call]).split("\n\nM")[0].split("Model call")[1:])
    return [line.removeprefix("  ") for line in block.split("\n\n1 model call")[0].splitlines()[1:]]


def test_thoughts_stand_apart_and_the_rest_in_its_order() -> None:
    """A thought has its label, a withheld one says so, and a tool at the provider stands where it ran."""
    assert shown(model_call(1, reply=SEARCHES)) == [
        "thought:",
        "  The tides change daily.",
        "",
        "  So I search.",
        "thought: withheld by the provider",
        "I look it up.",
        "tool at the provider: web_search",
        "High tide is at nine.",
        "source: Tides, https://example.org/tides",
        "media: image/png, 2,048 bytes",
        "not read: hologram",
    ]


def test_a_reply_of_text_and_calls_is_its_text() -> None:
    """Tool calls have steps of their own, and nothing is said twice."""
    assert shown(model_call(1, reply=ASKS)) == ["One moment."]
    assert [step.pieces for step in steps_of([model_call(1, reply=ASKS)])] == [()]


def test_a_call_in_the_middle_of_a_reply_is_named_in_its_place() -> None:
    """Where a reply goes on after a tool call, the order shows."""
    parts = (
        Part(kind=PartKind.TOOL_CALL, text="find_order", call_id="c1"),
        Part(kind=PartKind.TEXT, text="One moment."),
        Part(kind=PartKind.TOOL_CALL, text="find_order", call_id="c2"),
    )
    calls = tuple(ToolCall(id=id_, name="find_order", arguments="{}") for id_ in ("c1", "c2"))
    reply = AssistantMessage(text="One moment.", tool_calls=calls, parts=parts)
    assert shown(model_call(1, reply=reply)) == ["calls: find_order", "One moment."]


def test_further_choices_are_shown_with_their_calls() -> None:
    """Each choice has its number; a plain reply stands before them as it is."""
    call = next(event for event in spoken_trace().events if isinstance(event, ModelCall) and event.others)
    lines = shown(call)
    assert lines[-4:] == [
        "One moment.",
        "choice 2: Or I guess.",
        "choice 3, thought: A refund is quicker.",
        "choice 3, calls: refund({})",
    ]
    assert "3 choices" in render_conversation([call])
    assert "choice" not in render_conversation([call.model_copy(update={"others": ()})])


@pytest.mark.parametrize("reply", [ASKS, SEARCHES, AssistantMessage(text="Half a sen")], ids=["call", "parts", "text"])
def test_what_had_arrived_of_a_broken_reply_is_shown(reply: AssistantMessage) -> None:
    """With its tool calls and tools at the provider, which have no steps of their own, and the error below."""
    lines = shown(model_call(1, reply=reply, error="the stream ends before its last frame"))
    assert lines[0] == "~ the reply is not whole: this had arrived"
    assert lines[-1] == "! the stream ends before its last frame"
    told = "\n".join(lines)
    assert all(call.arguments in told for call in reply.tool_calls)
    assert ('web_search({"action": {"query": "tides in Nice"}})' in told) == bool(reply.raw)
    assert reply.text.partition(".")[0] in told


def test_what_a_failed_attempt_brought_is_shown_with_it() -> None:
    """Text and tool call of the broken stream stand below the attempt's error."""
    call = next(event for event in spoken_trace().events if isinstance(event, ModelCall) and event.attempts)
    lines = shown(call)
    place = next(number for number, line in enumerate(lines) if "ends before its last frame" in line)
    assert [line.strip() for line in lines[place + 1 : place + 4]] == [
        "had arrived:",
        "One moment.",
        'calls: find_order({"order_id": "1042"})',
    ]
    plain = call.model_copy(update={"attempts": (call.attempts[0].model_copy(update={"reply": None}),)})
    assert "had arrived" not in render_conversation([plain])


def test_what_was_not_read_is_said_with_a_question_mark() -> None:
    """A reader sees what nobody checked."""
    assert "? not read: the rest of the stream: it holds no JSON" in render_conversation(spoken_trace().events)


def test_a_deployment_and_the_model_behind_it_are_named() -> None:
    """Where the request names a deployment, the reply's model stands beside it; where nothing, alone."""
    assert "(tide-desk, a deployment of gpt-5-mini-2025-08-07, " in render_conversation(spoken_trace().events)
    assert "(gpt-5-nano, " in render_conversation([model_call(1, model="", answered_by="gpt-5-nano")])
    assert "(gpt-5-nano, " in render_conversation([model_call(1, model="gpt-5-nano", answered_by="gpt-5-nano")])
    assert "(unknown model, " in render_conversation([model_call(1, model="")])


def test_a_redirect_says_where_it_led() -> None:
    """It is an HTTP call, and no call of an API that is not read."""
    text = render_conversation(spoken_trace().events)
    assert "redirected to https://new.example.org/v1/chat/completions)" in text
    assert "not read:" in text
    assert "APIs that are not read" not in text


def test_thoughts_are_no_difference_from_a_baseline() -> None:
    """A baseline that was accepted before thoughts were kept is the same conversation; other media are not."""

    def rows(before: AssistantMessage, now: AssistantMessage) -> list[RowKind]:
        both = (tuple(steps_of([model_call(1, reply=reply)])) for reply in (before, now))
        return [row.kind for row in compare_steps(*both)]

    thinking = AssistantMessage(
        text="Yes.", parts=(Part(kind=PartKind.THOUGHT, text="Hm."), Part(kind=PartKind.TEXT, text="Yes."))
    )
    assert rows(AssistantMessage(text="Yes."), thinking) == [RowKind.SAME]
    assert rows(AssistantMessage(text="No."), thinking) == [RowKind.CHANGED]
    drawn = [
        AssistantMessage(parts=(Part(kind=PartKind.MEDIA, text=f"image/png, {size} bytes"),)) for size in ("70", "71")
    ]
    assert rows(*drawn) == [RowKind.CHANGED]


def test_a_judge_reads_what_was_said_only() -> None:
    """Thoughts, choices, tools at the provider and broken replies are not the judge's to mark."""
    text = transcript(spoken_trace())
    assert text.count("ASSISTANT: ") == 2
    for kept in ("ASSISTANT: I look it up.High tide is at nine.", "ASSISTANT: One moment."):
        assert kept in text
    for left_out in ("The tides change", "Or I guess", "web_search", "hologram"):
        assert left_out not in text
    plain = make_trace(model_call(1, reply=AssistantMessage(text="Yes.")))
    thinking = make_trace(
        model_call(1, reply=AssistantMessage(text="Yes.", parts=(Part(kind=PartKind.THOUGHT, text="Hm."),)))
    )
    assert transcript(plain) == transcript(thinking)


def test_a_tool_call_that_only_the_parts_name_is_shown_by_its_name() -> None:
    """Nothing is lost where parts and calls do not fit."""
    parts = (Part(kind=PartKind.THOUGHT, text="Hm."), Part(kind=PartKind.TOOL_CALL, text="press_key", call_id="c1"))
    pieces = pieces_of(AssistantMessage(parts=parts), whole=True)
    assert [(piece.label, piece.text) for piece in pieces] == [("thought", "Hm."), ("calls", "press_key")]


def test_the_page_sets_pieces_apart(open_report: Open) -> None:
    """Thoughts, tools, choices and unread content have their labels in the report, attempts what had arrived."""
    page = open_report(spoken_results(), "#trial=travel/tides/1")
    step = page.locator("dialog .step.model").first
    expect(step.locator(".piece-thought")).to_contain_text(["The tides change daily.", "withheld by the provider"])
    expect(step.locator(".piece")).to_have_count(8)
    expect(step.locator(".piece-text pre").first).to_have_text("I look it up.")
    expect(step.locator(".piece-unread")).to_contain_text("hologram")
    retried = page.locator("dialog .step.model").nth(1)
    expect(retried.locator(".piece")).to_contain_text(["One moment.", "Or I guess.", "quicker", "refund({})"])
    retried.get_by_text("Show the failed attempts").click()
    expect(retried.locator("ol.notes")).to_contain_text('calls: find_order({"order_id": "1042"})')
    expect(page.locator("dialog .step.model").nth(2).locator(".unsure")).to_contain_text("? not read: the rest")
