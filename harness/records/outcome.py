"""How a trial or a case ended, and what that means for the exit code."""

from __future__ import annotations

from enum import StrEnum

from harness.errors import ExitCode

__all__ = ["Outcome"]


class Outcome(StrEnum):
    """The states that a trial and a case can end in. They are never folded into each other."""

    PASSED = "passed"
    FAILED = "failed"
    """A required score failed, a limit was exceeded, the agent raised or behaved differently."""
    STALE = "stale"
    """What the author wrote differs from what was recorded."""
    UNRECORDED = "unrecorded"
    """There is no recording, or fewer than ``trials``."""
    NOT_JUDGED = "not_judged"
    """A judge has no recorded verdict for this output, or gave none that can be read."""
    ERRORED = "errored"
    """Provider unreachable, disk, a bug of ours."""
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    """Failed as ``xfail`` said it would."""

    @property
    def exit_code(self) -> ExitCode:
        """The code that this outcome alone would end in."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.PASSED: ExitCode.OK,
    Outcome.SKIPPED: ExitCode.OK,
    Outcome.XFAILED: ExitCode.OK,
    Outcome.FAILED: ExitCode.FAILED,
    Outcome.STALE: ExitCode.STALE,
    Outcome.UNRECORDED: ExitCode.STALE,
    Outcome.NOT_JUDGED: ExitCode.STALE,
    Outcome.ERRORED: ExitCode.ERRORED,
}
