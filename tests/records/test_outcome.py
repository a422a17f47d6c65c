"""What several outcomes come to for the shell."""

from __future__ import annotations

import pytest

from harness.errors import ExitCode
from harness.records.outcome import Outcome


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("passed", 0),
        ("skipped", 0),
        ("xfailed", 0),
        ("failed", 1),
        ("stale", 3),
        ("unrecorded", 3),
        ("not_judged", 3),
        ("errored", 4),
    ],
)
def test_every_outcome_has_its_code(outcome: str, code: int) -> None:
    """The table of the exit codes, outcome by outcome; none is left out."""
    assert Outcome(outcome).exit_code == code
    assert len(Outcome) == 8


@pytest.mark.parametrize(
    ("codes", "worst"),
    [([], 0), ([0, 3], 3), ([3, 4], 4), ([4, 1, 3], 1), ([1, 2], 2), ([0, 0], 0)],
)
def test_a_regression_never_hides(codes: list[int], worst: int) -> None:
    """2 comes before 1, before 4, before 3."""
    assert ExitCode.worst(map(ExitCode, codes)) == worst
