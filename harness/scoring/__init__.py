"""Scores a trace, and says what the scores of a trial, and the trials of a case, come to."""

from __future__ import annotations

from harness.scoring.outcomes import conclude_case, conclude_trial
from harness.scoring.scores import score_trace

__all__ = ["conclude_case", "conclude_trial", "score_trace"]
