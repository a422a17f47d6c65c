"""Each case counts once, and the sentence that sums a run up is true."""

from __future__ import annotations

import pytest

from harness.records.comparison import Change
from harness.records.outcome import Outcome
from harness.reporting.standing import Standing, count_standings, list_entries, verdict
from tests.reporting.desk import case, desk_results, gather, passed_case, regressed_case, stale_case


def test_every_case_counts_once_and_the_worst_comes_first() -> None:
    """The counts add up to the cases of the run and those removed from it."""
    results = desk_results()
    entries = list_entries(results)
    assert sum(count_standings(entries).values()) == len(results.cases) + 1 == len(entries)
    assert [entry.standing.rank for entry in entries] == sorted(entry.standing.rank for entry in entries)
    assert entries[0].id == "support/two-refunds"
    assert entries[0].transition == "3/3 → 1/3"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_a_word_and_a_mark_of_its_own(outcome: Outcome) -> None:
    """No outcome is shown as another, nor by colour alone."""
    standing = Standing(outcome.value)
    others = [other for other in Standing if other is not standing]
    assert standing.word not in [other.word for other in others]
    assert standing.mark not in [other.mark for other in others]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], "No case ran"),
        ([passed_case("a")], "The only case passed"),
        ([passed_case("a"), passed_case("b")], "All 2 cases passed"),
        ([passed_case("a"), passed_case("b", change=Change.IMPROVED)], "All 2 cases passed, 1 improved"),
        ([passed_case("a"), stale_case("b"), stale_case("c")], "2 of 3 cases stale"),
        ([passed_case("a"), stale_case("b"), regressed_case()], "1 of 3 cases regressed, 1 stale"),
    ],
)
def test_the_verdict_says_what_needs_action_first(parts: list, said: str) -> None:  # type: ignore[type-arg]
    """Numbers come with what they are a number of."""
    assert verdict(list_entries(gather(parts))) == said


def test_skips_are_not_called_passes() -> None:
    """A run in which something did not run never reads as all passed."""
    run, comparison = passed_case("b")
    skipped = case("b", "", [], outcome=Outcome.SKIPPED, reason="later")
    results = gather([passed_case("a"), (run.model_copy(update={"cases": (skipped,), "trials": ()}), comparison)])
    assert verdict(list_entries(results)) == "1 of 2 cases passed, 1 skipped"


def test_a_stale_case_is_never_called_regressed() -> None:
    """What could not be compared keeps its own standing, whatever the comparison says."""
    run, comparison = stale_case("a")
    results = gather([(run, comparison.model_copy(update={"change": Change.REGRESSED}))])
    assert list_entries(results)[0].standing is Standing.STALE
