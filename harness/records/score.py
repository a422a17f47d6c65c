"""What a scorer says of a trace."""

from __future__ import annotations

from enum import StrEnum

from harness.records.base import Record

__all__ = ["Score", "ScoreStatus", "ScorerKind"]


class ScorerKind(StrEnum):
    """What gave a score."""

    CHECK = "check"
    VALIDATOR = "validator"
    JUDGE = "judge"
    LIMIT = "limit"


class ScoreStatus(StrEnum):
    """What a score decided."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_JUDGED = "not_judged"
    """The judge's verdict is missing from the recording, or can't be read."""
    ERRORED = "errored"
    """The scorer itself broke; the reason has the type and message."""


class Score(Record):
    """One expectation held against one trace."""

    name: str
    """Stable within a scenario, so that two runs compare: ``called find_order``, ``judge polite-refusal``."""
    scorer: ScorerKind
    status: ScoreStatus
    value: float | None
    """1.0 or 0.0 for a check, a judge's mark for a judge; None where nothing was decided."""
    reason: str
    """One line: what was expected and what was found."""
    evidence: str | None = None
    """The place in the trace that decided, for a reader."""
