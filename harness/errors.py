"""Every error of the project, in one tree, and the exit codes they end in.

::

    HarnessError
    ├── BadInputError          files or arguments that can't be used; carries every fault found
    ├── RegistryError          conftest declared something twice or names something unknown
    ├── CassetteError          a cassette can't be read, written or trusted
    │   └── UnwritableError    the disk is full, read-only or not ours; nothing was changed
    ├── IsolationError         the system does not give us a network of our own
    ├── StalledError           a trial does not end: it waits for what never happens, or runs in a circle
    ├── SubjectError           a program or server under test failed; the agent's fault, not ours
    ├── InterceptionError      our interception is not in the path of a client; nothing was sent
    ├── ToolError              a tool refused or failed; the agent hands it back to the model
    └── ProviderError          a model call ended without a usable reply
        ├── FatalError         stop at once: authentication, permission, quota, not found
        ├── ModelError         the model's own reply can't be used: refusal, length, invalid output
        ├── TransientError     try again: overload, rate limit, timeout, a stream cut short
        └── LogicError         our request or the agent's loop is wrong: stop and report it

    BaseException
    └── CassetteMissError      a request that no recording answers; no ``except Exception`` may swallow it
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    "BadInputError",
    "CassetteError",
    "CassetteMissError",
    "ExitCode",
    "FatalError",
    "Fault",
    "HarnessError",
    "InterceptionError",
    "IsolationError",
    "LogicError",
    "ModelError",
    "ProviderError",
    "RegistryError",
    "StalledError",
    "SubjectError",
    "ToolError",
    "TransientError",
    "UnwritableError",
    "message_of",
]


class ExitCode(IntEnum):
    """What the ``harness`` command returns to the shell."""

    OK = 0
    FAILED = 1
    USAGE = 2
    STALE = 3
    ERRORED = 4
    INTERRUPTED = 130

    @classmethod
    def worst(cls, codes: Iterable[ExitCode]) -> ExitCode:
        """The code to return when several hold: 2, then 1, then 4, then 3.

        A proven regression never hides behind a stale file.
        """
        present = set(codes)
        order = (cls.INTERRUPTED, cls.USAGE, cls.FAILED, cls.ERRORED, cls.STALE)
        return next((code for code in order if code in present), cls.OK)


def message_of(error: BaseException) -> str:
    """The text of whatever somebody's code raised, as a file can hold it: half a character is in no encoding."""
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - it is the code of an exception that is not ours
        text = f"(its text can't be read: {type(broken).__name__})"
    return text.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong with one place of an input file."""

    path: str
    """The file as the user would type it, relative to the project where possible."""
    line: int
    """From 1; 0 when the fault is about the file as a whole."""
    column: int
    """From 1; 0 when unknown."""
    what: str
    """What is wrong and what to do about it, one line."""

    def __str__(self) -> str:
        place = self.path
        if self.line:
            place += f":{self.line}"
            if self.column:
                place += f":{self.column}"
        return f"{place}: {self.what}"


class HarnessError(Exception):
    """The root of all errors that we raise on purpose; its text is fit for a user."""

    exit_code: ExitCode = ExitCode.ERRORED


class BadInputError(HarnessError):
    """Input that can't be used. Carries every fault found, so that one run shows them all."""

    exit_code = ExitCode.USAGE

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))


class RegistryError(HarnessError):
    """A subject or validator was declared twice, or is asked for and was never declared."""

    exit_code = ExitCode.USAGE


class CassetteError(HarnessError):
    """A cassette that can't be read, written or trusted. The text begins with ``file:line``."""

    exit_code = ExitCode.USAGE

    @staticmethod
    def join(errors: Iterable[CassetteError]) -> CassetteError:
        """Several as one, each told once: that the disk refuses only where that is all there is."""
        errors = tuple(errors)
        kind = UnwritableError if all(isinstance(error, UnwritableError) for error in errors) else CassetteError
        return kind("\n".join(sorted(set(map(str, errors)))))


class UnwritableError(CassetteError):
    """A cassette or journal that the disk does not take: it is full, read-only, or not ours to write."""

    exit_code = ExitCode.ERRORED


class InterceptionError(HarnessError):
    """Our interception is not in the path of a client, so nothing may be sent."""


class IsolationError(HarnessError):
    """The system does not give us a network of our own, which was asked for."""

    exit_code = ExitCode.USAGE


class StalledError(HarnessError):
    """A trial that does not end. The text tells what it waits for, with the stacks of its threads."""


class SubjectError(HarnessError):
    """A program or server under test ended badly, or gave no answer: what a raised error is for a Python agent."""


class ToolError(HarnessError):
    """Raised by a tool to refuse: its text goes back to the model as the tool's result."""


class ProviderError(HarnessError):
    """A model call that ended without a usable reply."""

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status, or None when no response arrived."""
        self.code = code
        """The provider's own error type or code, such as ``insufficient_quota``."""


class FatalError(ProviderError):
    """Authentication, permission, quota, billing or not found: stop at once, after one request."""


class ModelError(ProviderError):
    """The model's reply itself is the problem: context length, refusal, filter, invalid output."""


class TransientError(ProviderError):
    """Worth another attempt: overload, rate limit, timeout, server error, broken or cut reply."""

    def __init__(
        self, message: str, *, status: int | None = None, code: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.retry_after = retry_after
        """Seconds that the provider asks us to wait, or None when it did not say."""


class LogicError(ProviderError):
    """A request that no retry will mend, or a loop that does not end: our bug or the agent's."""


class CassetteMissError(BaseException):
    """A request that no recording answers.

    Not an ``Exception``: the SDKs turn any exception into a retried connection error, and agents catch broadly. The
    session keeps it as well, so a trial fails even where something swallows it.
    """
