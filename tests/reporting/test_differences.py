"""Side by side: what is the same, what changed, and where it starts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.trace import Event, SystemPrompt, Trace, UserTurn
from harness.reporting.differences import RowKind, compare_steps, compare_texts, first_difference
from harness.reporting.steps import StepKind, trace_steps
from tests.reporting.desk import make_trace, model_call, refunds, tool

LINES = st.lists(st.text(alphabet="ab {}\t", max_size=6), max_size=12).map("\n".join)


@given(LINES, LINES)
def test_both_texts_can_be_read_back(before: str, now: str) -> None:
    """No character is lost or invented, and only equal lines are called equal."""
    lines = compare_texts(before, now, context=1_000)
    for text, side in ((before, [line.before for line in lines]), (now, [line.now for line in lines])):
        if lines:
            assert ["".join(marked) for marked in side if marked] == (text.splitlines() or [""])
    assert any(line.differs for line in lines) == ((before.splitlines() or [""]) != (now.splitlines() or [""]))


def test_only_the_differing_words_are_marked() -> None:
    """The rest of the line stays plain, and far lines are folded with their number."""
    before = "\n".join(["same"] * 9 + ["within 30 days of delivery"] + ["same"] * 4)
    lines = compare_texts(before, before.replace("30", "14"))
    changed = next(line for line in lines if line.differs)
    assert changed.before == ("within ", "30", " days of delivery")
    assert changed.now == ("within ", "14", " days of delivery")
    assert [line.skipped for line in lines if line.skipped] == [7, 2]


def test_long_texts_are_compared_in_linear_time() -> None:
    """Where matching would take too long, the equal ends are still found."""
    before = "\n".join(f"line {number}" for number in range(5_000))
    lines = compare_texts(before, before.replace("line 2500", "other"))
    assert [line.before for line in lines if line.differs] == [("", "line 2500", "")]


def steps(*events: Event) -> Trace:
    """A conversation of a few steps."""
    return make_trace(UserTurn(number=1, text="Hello"), *events)


FIND = tool(1, "find_order", {"id": 1}, "found")
REFUND = tool(1, "refund", {"id": 1}, "done")


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ([FIND], [tool(1, "find_order", {"id": 2}, "found")], "find_order is called with other arguments"),
        (
            [FIND],
            [tool(1, "find_order", {"id": 1}, "gone")],
            "find_order is called with the same arguments but another result",
        ),
        ([FIND], [REFUND], "refund is called instead of find_order"),
        ([FIND, REFUND], [REFUND, FIND], "(the same tools in another order)"),
        ([FIND], [FIND, REFUND], "a step that the baseline does not have: refund (tool)"),
        ([FIND, REFUND], [FIND], "a step of the baseline is missing: refund (tool)"),
        ([model_call(1, "Yes")], [model_call(1, "No")], "Model call 1 says something else"),
        ([FIND], [FIND], ""),
    ],
)
def test_the_first_difference_is_named_by_its_kind(before: list[Event], now: list[Event], said: str) -> None:
    """Other arguments, another path, another order and another answer are told apart."""
    old, new = trace_steps(steps(*before)), trace_steps(steps(*now))
    found = first_difference(compare_steps(old, new), old, new)
    assert found.endswith(said)
    assert bool(found) is bool(said)


def test_the_rows_cover_both_conversations_in_order() -> None:
    """Every step of this run occurs exactly once, and every step of the baseline is either equal or shown."""
    old, new = trace_steps(refunds("1043")), trace_steps(refunds("1042"))
    rows = compare_steps(old, new)
    covered = [index for row in rows if row.kind is not RowKind.BEFORE for index in range(row.at, row.at + row.count)]
    assert covered == list(range(len(new)))
    assert sum(row.count for row in rows if row.kind is not RowKind.NOW) == len(old)
    assert rows[0].kind is RowKind.SAME


def test_time_and_tokens_are_no_difference() -> None:
    """A slower run that says the same is the same."""
    old, new = (trace_steps(steps(model_call(1, "Yes", duration=time))) for time in (1, 2))
    assert [row.kind for row in compare_steps(old, new)] == [RowKind.SAME]


def test_an_answer_is_shown_where_the_model_did_not_say_it() -> None:
    """What the agent made of a reply is a step of its own; what it passed on is not."""
    said = make_trace(
        SystemPrompt(text=""), UserTurn(number=1, text="?"), model_call(1, '{"a": 1}'), outputs=({"a": 1},)
    )
    made = said.model_copy(update={"outputs": ({"a": 2},)})
    assert StepKind.ANSWER not in [step.kind for step in trace_steps(said)]
    assert trace_steps(made)[-1].text == '{"a": 2}'
