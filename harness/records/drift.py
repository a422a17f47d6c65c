"""How today's requests, and the scenarios of today, differ from what was recorded."""

from __future__ import annotations

import re
from enum import StrEnum

from pydantic import Field

from harness.errors import ExitCode
from harness.records.base import Name, Record, Usd
from harness.records.mismatch import Difference

__all__ = ["Cost", "Drift", "DriftClass", "Finding", "Remedy", "name_owner"]

_OWNED = re.compile(r"system prompt|model|output schema|settings|endpoint|tool `[^`]*`")


class DriftClass(StrEnum):
    """What kind of drift it is; for a request, the part of it that differs first."""

    ENDPOINT = "endpoint"
    MODEL = "model"
    TOOLS = "tools"
    SYSTEM_PROMPT = "system prompt"
    OUTPUT_SCHEMA = "output schema"
    SETTINGS = "settings"
    OPENING = "opening"
    CONVERSATION = "conversation"
    SCENARIO_TEXT = "scenario text"
    LENGTH = "length"
    """The agent made a further call."""
    UNPLAYED = "unplayed"
    """The agent stopped, and the recording goes on."""
    JUDGE = "judge"
    """The recorded verdict is on another rubric or conversation, or is missing."""
    UNRECORDED = "unrecorded"
    ERRORED = "errored"
    ORPHAN = "orphan"
    """A recording, or an accepted state, that belongs to no scenario."""
    SURPLUS = "surplus"
    """A recording of a trial or a judge that its scenario does not ask for."""
    AGE = "age"
    """A recording older than ``max_age_days``."""
    JOURNAL = "journal"
    """What an interrupted recording left."""
    PENDING = "pending"
    """A recording that waits to be accepted or rejected."""
    FOREIGN = "foreign"
    """A file among the cassettes that is none of ours."""
    RENAME = "rename"
    """A declared rename that no request needed."""


class Cost(Record):
    """What recording anew would take, judged by what the recordings took."""

    requests: int
    input_tokens: int | None
    output_tokens: int | None
    """Tokens are None where those of any exchange are unknown."""
    usd: Usd | None
    """None where a price or a usage is unknown."""


class Finding(Record):
    """One thing that drifted: trials of a case that differ alike, or a file."""

    scenario: str
    """Empty for what belongs to the project."""
    case: Name = "default"
    trials: tuple[int, ...] = ()
    turn: int = 0
    """The first model call that differs, from 1; 0 where no call was made."""
    kind: DriftClass = Field(serialization_alias="class")
    cause: str
    """One line that names the prompt, the tool or the place; with the other parts that differ after a semicolon."""
    owner: str = ""
    """The prompt or subject that the difference is in; empty for a file."""
    differences: tuple[Difference, ...] = ()
    other_reading: str | None = None
    """The second explanation, where both are possible."""
    unknown: int = 0
    """Recorded exchanges that nothing can be said of: they come after the first difference."""
    file: str | None = None
    """The file in question, relative to the project."""
    command: str | None = None
    """What mends it, or shows more."""
    cost: Cost | None = None
    """None where nothing is to be recorded anew, or nothing was recorded so far."""
    code: ExitCode
    """What this alone ends in."""


class Remedy(Record):
    """One command that mends all findings of a kind."""

    code: ExitCode
    """What the findings end in: stale ones are recorded anew, changed behaviour only if it is meant."""
    command: str
    cost: Cost | None
    """Of those whose cost is known; None where none is."""
    unknown: int
    """Cases of unknown cost."""


class Drift(Record):
    """All findings of one look at a project."""

    findings: tuple[Finding, ...]
    remedies: tuple[Remedy, ...] = ()
    cases: int
    """Cases that were replayed."""
    skipped: int = 0
    """Cases that their scenario skips, and so were not looked at."""

    @property
    def exit_code(self) -> ExitCode:
        """The worst of the findings'."""
        return ExitCode.worst(finding.code for finding in self.findings)


def name_owner(cause: str, *owners: str) -> str:
    """A cause with the names of the prompts or subjects it is in: ``system prompt of `support`, line 4``."""
    names = " and ".join(f"`{owner}`" for owner in owners)
    return (
        _OWNED.sub(lambda found: f"{found[0]} of {names}", cause, count=1) if names and _OWNED.match(cause) else cause
    )
