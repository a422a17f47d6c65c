"""How a request differs from what was recorded."""

from __future__ import annotations

from enum import StrEnum

from harness.records.base import Record

__all__ = ["Difference", "Mismatch", "MismatchKind", "MismatchPart"]


class MismatchKind(StrEnum):
    """Whose doing a difference is."""

    STALE = "stale"
    """The author wrote something else: record again."""
    CHANGED = "changed"
    """The agent did something else: a regression until proven otherwise."""


class MismatchPart(StrEnum):
    """The part of a request, or of a scenario, that differs first."""

    ENDPOINT = "endpoint"
    MODEL = "model"
    TOOLS = "tools"
    SYSTEM_PROMPT = "system prompt"
    OUTPUT_SCHEMA = "output schema"
    SETTINGS = "settings"
    OPENING = "opening"
    """The conversation before the model has spoken."""
    CONVERSATION = "conversation"
    SCENARIO_TEXT = "scenario text"
    LENGTH = "length"
    """The recording ends here."""
    UNPLAYED = "unplayed"
    """The recording goes on where the agent stopped."""


class Difference(Record):
    """One part of a request that differs, with all its differing places."""

    part: MismatchPart
    cause: str
    """One line, as in the mismatch."""
    diff: tuple[str, ...]
    """Lines for a reader: ``-`` as recorded, ``+`` as it is now; of a text with their numbers, of values with paths."""


class Mismatch(Record):
    """The first difference between a request and its nearest recording."""

    kind: MismatchKind
    part: MismatchPart
    turn: int
    """The model call in which it shows, from 1; 0 where no call was made."""
    cause: str
    """One line for a reader: ``system prompt, line 4``; ``tool `refund`: parameter `reason` became required``."""
    recorded: str
    """The differing place as it was recorded."""
    current: str
    """The same place now."""
    other_reading: str | None = None
    """The second explanation, where both are possible."""
    differences: tuple[Difference, ...] = ()
    """Every part that differs in this request. What would differ in later ones nobody knows."""
