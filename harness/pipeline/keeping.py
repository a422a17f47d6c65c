"""Turns what a session recorded into a cassette on disk."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from harness.cassettes import RecordSession, save_cassette
from harness.records.exchange import Cassette, CassetteMetadata
from harness.records.scenario import Case
from harness.settings import Project
from harness.store import drop_file

__all__ = ["drop_empty", "keep_recording"]

_SIMULATED = "simulated provider (`harness provider`): written by a script, not by a model"
_LIVE = "live provider"


def keep_recording(
    file: Path, session: RecordSession, case: Case, number: int, *, texts: Mapping[str, str], judge: str | None = None
) -> None:
    """Write one trial's exchanges, whole, in place of an earlier recording."""
    metadata = CassetteMetadata(
        scenario=case.scenario.name,
        case=case.name,
        trial=number,
        judge=judge,
        recorded_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        recorded_from=_SIMULATED if session.simulated else _LIVE,
        texts=dict(texts),
    )
    save_cassette(file, Cassette(metadata=metadata, exchanges=tuple(each.exchange for each in session.played)))
    file.with_suffix(".journal").unlink(missing_ok=True)


def drop_empty(project: Project, file: Path, session: RecordSession) -> None:
    """Remove the journal of a recording in which nothing was answered: there is nothing to recover."""
    if not any(each.exchange.response.status for each in session.played):
        drop_file(file.with_suffix(".journal"), project.cassettes)
