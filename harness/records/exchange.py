"""One HTTP request and its response, and the file that keeps those of one trial."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

from harness.records.base import Name, Nanoseconds, Record

__all__ = ["Cassette", "CassetteMetadata", "Chunk", "Ending", "Exchange", "Headers", "HttpRequest", "HttpResponse"]

Zone = Annotated[str, StringConstraints(pattern=r"^([A-Za-z]{3,6}|<[+-][0-9]{2,4}>)[+-](0[0-9]|1[0-5]):[0-5][0-9]$")]
"""A name and an offset only: the general form can name a file."""

Headers = tuple[tuple[str, str], ...]
"""Names in lower case, in the order of the wire; a name may occur more than once."""


class Ending(StrEnum):
    """How a response ended."""

    COMPLETE = "complete"
    CUT = "cut"
    """The peer closed before the body was whole."""
    RESET = "reset"
    """The connection broke: reset or read error."""
    STALLED = "stalled"
    """The client's read timeout passed."""
    ABANDONED = "abandoned"
    """The client closed before the end."""


class Chunk(Record):
    """One piece of a streamed body, as it arrived."""

    size: int
    """Bytes."""
    at: Nanoseconds
    """Since the request was sent."""


class HttpRequest(Record):
    """A request as it went over the wire."""

    method: str
    uri: str
    headers: Headers = ()
    body: bytes = b""


class HttpResponse(Record):
    """A response as it came back, content-decoded."""

    status: int
    reason: str = ""
    headers: Headers = ()
    body: bytes = b""
    chunks: tuple[Chunk, ...] = ()
    """Empty where the body came whole; else the sizes add up to the body."""
    ending: Ending = Ending.COMPLETE


class Exchange(Record):
    """One request, its response, and when they happened."""

    request: HttpRequest
    response: HttpResponse
    started: Nanoseconds = 0
    """When the request was sent, since the trial began."""
    head: Nanoseconds = 0
    """Until the response's headers arrived, since the request was sent."""
    duration: Nanoseconds = 0
    """Until the response's last byte arrived, since the request was sent."""
    unknown_headers: frozenset[str] = frozenset()
    """Request headers that may have been sent all the same: the file that this was read from did not keep them."""


class CassetteMetadata(Record):
    """What a cassette says of itself, beside its exchanges."""

    scenario: str
    case: Name
    trial: int
    """From 1."""
    judge: str | None = None
    """The rubric, where the exchanges are a judge's; None for the agent's own."""
    recorded_at: str
    """When the trial began: RFC 3339, UTC, whole seconds. In a replay the calendar begins there."""
    recorded_from: str
    """In words, for a reader: ``live provider`` or that it was simulated."""
    seed: str | None = None
    """What the trial's chance and new ids were drawn from; None where they were not the trial's own."""
    zone: Zone | None = None
    """The time zone in force then, as POSIX has it in ``TZ``; None where it was not noted, and is the machine's own."""
    texts: dict[str, str] = {}
    """Digests of what the author wrote when this was recorded (``input``, ``world``, ``rubric``)."""

    @property
    def began(self) -> datetime | None:
        """When the trial began; None where the text is no time."""
        try:
            return datetime.fromisoformat(self.recorded_at)
        except ValueError:
            return None


class Cassette(Record):
    """The exchanges of one trial."""

    metadata: CassetteMetadata | None = None
    """None for a cassette that another tool recorded, and for that of a user's own test."""
    exchanges: tuple[Exchange, ...]
    imported_from: str | None = None
    """The file of another tool that this was made from, as the user named it."""

    @property
    def began(self) -> datetime | None:
        """When it was recorded; None where the file does not say."""
        return self.metadata.began if self.metadata else None
