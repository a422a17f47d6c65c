"""JUnit, Markdown and the terminal."""

from __future__ import annotations

from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest

from harness.records.comparison import Results
from harness.records.message import Usage
from harness.reporting import (
    Style,
    render_conversation,
    render_junit,
    render_lines,
    render_markdown,
)
from harness.reporting.detail import build_details
from harness.reporting.standing import list_entries
from harness.reporting.view import build_view
from harness.reporting.wording import duration, join_commands, money, one_line, tokens, visible
from tests.reporting.desk import desk_results, gather, make_trace, model_call, passed_case, refunds, stale_case


def plain(results: Results) -> list[str]:
    """The closing lines without their styles."""
    return ["".join(text for _, text in line) for line in render_lines(results)]


def test_junit_tells_failures_errors_and_skips_apart() -> None:
    """Each case once, under a stable pair of names, with the verdict in the first line of the text."""
    root = ET.fromstring(render_junit(desk_results()))
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert len(cases) == len({(case.get("classname"), case.get("name")) for case in cases.values()}) == 27
    kinds = {name: [child.tag for child in case] for name, case in cases.items()}
    assert kinds["support/two-refunds"] == kinds["support/gift-card"] == kinds["support/angry-customer"] == ["failure"]
    assert kinds["research/opening-hours"] == ["error"]
    assert kinds["support/in-french"] == kinds["research/two-documents"] == kinds["support/fax-number"] == ["skipped"]
    assert kinds["support/plain-0001"] == kinds["support/refund-outside-window"] == []
    assert [root.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["27", "7", "1", "3"]


def test_junit_holds_the_trials_inside_the_text() -> None:
    """A reader that knows only the text sees what changed, how often, and in which trial."""
    root = ET.fromstring(render_junit(desk_results()))
    case = root.find(".//testcase[@name='support/two-refunds']")
    assert case is not None
    assert case.get("classname") == "support.two-refunds"
    assert case.get("file") == "scenarios/support/two-refunds.yaml"
    assert case.get("time") == "12.480"
    lines = (case.findtext("failure") or "").splitlines()
    assert lines[0] == 'regressed: turn 2: refund(order_id="1042") instead of refund(order_id="1043")'
    assert lines[1:3] == ["3/3 → 1/3", "trial 1 passed"]
    assert root.find(".//testcase[@name='support/in-french'][@time]") is None


def test_markdown_begins_with_the_verdict_and_groups_what_is_stale() -> None:
    """Cases with one cause share a line and one command."""
    text = render_markdown(desk_results())
    assert text.startswith("## 1 of 27 cases regressed, 1 failed")
    assert '- **`support/two-refunds`** `3/3 → 1/3` `turn 2: refund(order_id="1042") instead of' in text
    assert "- `support/gift-card`, `support/late-refund`, `support/policy-in-words`: `system prompt" in text
    assert text.count("harness record scenarios/support/gift-card.yaml scenarios/support/late-refund.yaml") == 1
    assert "support/plain-0001" not in text


def test_markdown_stays_below_the_limit_and_says_what_it_left_out() -> None:
    """A cut summary is whole lines, and the left-out cases are counted."""
    parts = [stale_case(f"many/case-{number:04d}") for number in range(400)]
    parts = [
        (run.model_copy(update={"cases": (run.cases[0].model_copy(update={"reason": name}),)}), comparison)
        for (run, comparison), name in zip(parts, map(str, range(400)), strict=True)
    ]
    text = render_markdown(gather(parts), limit=6_000)
    shown = text.count("- `many/case-")
    assert len(text.encode()) <= 6_000
    assert 50 < shown < 400
    assert f"Left out for size: {400 - shown} more cases." in text
    assert text.count("```") % 2 == 0


def test_closing_lines_end_with_the_worst_and_the_counts() -> None:
    """One line per case that is no plain pass, cases with one cause together, the command below."""
    lines = plain(desk_results())
    assert lines[-1].startswith("27 cases: 1 regressed, 1 failed, 1 errored, 1 not judged, 3 stale")
    worst = next(number for number, line in enumerate(lines) if line.startswith("support/two-refunds"))
    assert lines[worst].split()[:5] == ["support/two-refunds", "WORSE", "3/3", "→", "1/3"]
    assert lines[worst].endswith('turn 2: refund(order_id="1042") instead of refund(order_id="1043")')
    assert lines[worst + 1].split() == ["recorded", "|", "now"]
    assert any(line.strip().startswith(">") for line in lines[worst + 2 : -1])
    stale = next(number for number, line in enumerate(lines) if "stale" in line)
    assert lines[stale].startswith("support/gift-card")
    assert lines[stale].endswith("changed since the recording (and 2 others)")
    assert lines[stale + 1].strip().startswith("harness record scenarios/support/gift-card.yaml scenarios/support/late")
    assert not any("plain-0001" in line for line in lines)


def test_styles_mark_what_a_face_may_colour() -> None:
    """The word that tells how a case stands has a style; commands have their own."""
    styles = {text.strip(): style for line in render_lines(desk_results()) for style, text in line}
    assert styles["WORSE"] is Style.BAD
    assert styles["stale"] is Style.WARN
    assert styles["harness record scenarios/support/address-change.yaml"] is Style.COMMAND


def test_a_green_run_is_one_line() -> None:
    """Nothing to do, nothing to read."""
    assert plain(gather([passed_case("a"), passed_case("b")])) == ["2 cases: 2 passed"]
    assert plain(gather([])) == ["0 cases: nothing ran"]


def test_a_conversation_reads_from_top_to_bottom() -> None:
    """Who spoke, what was called with what and what came back, and what it all took."""
    text = render_conversation(refunds("1042").events)
    order = [
        "System prompt  (5 lines)",
        "  Both lamps arrived broken.",
        "Model call 1  (gpt-5-mini, 400 → 24 tokens, $0.00041, 1.2 s)",
        'arguments: {"order_id": "1042"}',
        "result: order 1042 was refunded already",
        "! the tool refused or failed",
        "3 model calls, 4 tool calls, 1,470 → 102 tokens, $0.0012, 4.2 s",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_a_conversation_wraps_prose_and_totals_what_is_known() -> None:
    """Long lines of prose fit the width; a call of unknown cost makes the sum unknown."""
    events = make_trace(model_call(1, "word " * 60), model_call(2, "end", cost=None)).events
    text = render_conversation(events, width=40)
    assert max(len(line) for line in text.splitlines() if line.startswith("  word")) <= 40
    assert text.splitlines()[-1].startswith("2 model calls, 0 tool calls, 890 → ")
    assert "unknown cost" in text.splitlines()[-1]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (duration(None), "unknown time"),
        (duration(0), "0 ms"),
        (duration(400_000), "< 1 ms"),
        (duration(999_400_000), "999 ms"),
        (duration(999_600_000), "1.0 s"),
        (duration(59_960_000_000), "1 min 0 s"),
        (duration(125_000_000_000), "2 min 5 s"),
        (money(None), "unknown cost"),
        (money(Decimal(0)), "$0.00"),
        (money(Decimal("0.000041")), "$0.000041"),
        (money(Decimal("0.00999")), "$0.01"),
        (money(Decimal("1234.5")), "$1,234.50"),
        (tokens(None), "unknown tokens"),
        (tokens(Usage(input_tokens=1204, output_tokens=86)), "1,204 → 86 tokens"),
        (one_line("a\n\tb  c"), "a b c"),
        (one_line("abcdef", 4), "abc…"),
        (visible("a\x1b[2J\u202e\r\nb"), "a\\u{1b}[2J\\u{202e}\nb"),
    ],
)
def test_figures_read_well_and_the_unknown_is_no_zero(said: str, expected: str) -> None:
    """Rounding never leaves its unit, and what is unknown says so."""
    assert said == expected


def test_only_plain_commands_are_joined() -> None:
    """Options and anything that a shell would read stand alone, each as it was."""
    commands = [
        "harness record a",
        "harness record b",
        "harness record a",
        "harness record -m x",
        "harness record 'c d'",
    ]
    assert join_commands(commands) == ("harness record a b", "harness record -m x", "harness record 'c d'")
    assert join_commands([]) == ()


def test_times_that_are_not_exact_are_said_once() -> None:
    """One quiet line for each reason, on the terminal and in Markdown; nothing where times are exact."""
    why = "a socket outside the replay was open"
    results = desk_results()
    assert not any("exact" in line for line in [*plain(results), render_markdown(results)])
    known = results.trials[-1].trace
    assert known is not None
    assert "inexact" not in known.model_dump_json()
    trace = known.model_copy(update={"inexact": (why,)})
    assert f'"inexact":["{why}"]' in trace.model_dump_json()
    marked = [trial.model_copy(update={"trace": trace}) for trial in results.trials[-2:]]
    results = results.model_copy(update={"trials": (*results.trials[:-2], *marked)})
    assert plain(results)[-2] == f"times not exact in 2 trials: {why}"
    assert render_markdown(results).endswith(f"\n\nTimes not exact in 2 trials: `{why}`\n")
    assert build_view(results, None).summary.endswith("recorded, not exact")
    told = [detail for detail in build_details(list_entries(results)) if f"times not exact: {why}" in detail.facts]
    assert len(told) == 2
