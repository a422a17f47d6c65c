"""Turns what a session recorded into a cassette on disk."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from harness.cassettes import ExtendSession, Journal, RecordSession, load_cassette, save_cassette
from harness.cassettes.canonical import raw_key
from harness.errors import CassetteError, UnwritableError
from harness.records.exchange import Cassette, CassetteMetadata, Exchange
from harness.records.scenario import Case
from harness.settings import Project
from harness.store import drop_file
from harness.virtual import current_zone

__all__ = ["begin_recording", "drop_empty", "keep_exchanges", "keep_extension", "keep_recording"]

_SIMULATED = "simulated provider (`harness provider`): written by a script, not by a model"
_LIVE = "live provider"


def begin_recording(
    case: Case, number: int, *, texts: Mapping[str, str], judge: str | None = None, goes_on: Cassette | None = None
) -> CassetteMetadata:
    """What a recording says of itself as its trial begins.

    One that goes on from a recording is at home in that one's time, and draws from its seed.
    """
    earlier = goes_on.metadata if goes_on else None
    return CassetteMetadata(
        scenario=case.scenario.name,
        case=case.name,
        trial=number,
        judge=judge,
        recorded_at=earlier.recorded_at if earlier else datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        recorded_from=_LIVE,
        seed=earlier.seed if earlier else None if judge else secrets.token_hex(4),
        zone=earlier.zone if earlier else None if judge else current_zone(),
        texts=dict(texts),
    )


def keep_recording(file: Path, session: RecordSession | ExtendSession, metadata: CassetteMetadata) -> Cassette:
    """Write one trial's exchanges, whole, in place of an earlier recording; the file's new content."""
    metadata = metadata.model_copy(update={"recorded_from": _origin(session)})
    return keep_exchanges(file, metadata, tuple(each.exchange for each in session.played), session.journal)


def keep_exchanges(
    file: Path, metadata: CassetteMetadata, exchanges: tuple[Exchange, ...], journal: Journal | None
) -> Cassette:
    """Write exchanges, whole, in place of an earlier recording; the file's new content.

    Where the same was said as before, the earlier exchanges stay, times included: a review shows what really differs.
    """
    earlier = _earlier(file)
    if earlier is not None and list(map(_said, earlier.exchanges)) == list(map(_said, exchanges)):
        exchanges = earlier.exchanges
        if earlier.metadata is not None:
            was = earlier.metadata
            kept = {"recorded_at": was.recorded_at, "seed": was.seed, "zone": was.zone}
            metadata = metadata.model_copy(update=kept)
    cassette = Cassette(metadata=metadata, exchanges=exchanges)
    _keep(file, cassette, journal, is_new=cassette != earlier)
    return cassette


def keep_extension(file: Path, session: ExtendSession, base: Cassette, metadata: CassetteMetadata) -> Cassette:
    """Write a trial that left its recording: the exchanges that were replayed, then the live ones."""
    before = base.metadata.recorded_from if base.metadata else "another tool"
    replayed = len(session.played) - (len(session.live.played) if session.live else 0)
    origin = _origin(session.live) if session.live else before
    if replayed and origin != before:
        origin += f" from exchange {replayed + 1} on, before that: {before}"
    cassette = Cassette(
        metadata=metadata.model_copy(update={"recorded_from": origin}),
        exchanges=tuple(each.exchange for each in session.played),
    )
    _keep(file, cassette, session.journal)
    return cassette


def _keep(file: Path, cassette: Cassette, journal: Journal | None, *, is_new: bool = True) -> None:
    """Write a cassette; only then its journal goes. Raises :class:`UnwritableError` with what is kept all the same."""
    if journal is not None and is_new:
        journal.end(cassette)
    try:
        if is_new:
            save_cassette(file, cassette)
    except UnwritableError as error:
        left = "" if journal is None else f"; its answers are in {journal.path.name}, so then: harness recover"
        if journal is not None and journal.failure:
            left = f"; the journal holds only a part of its answers: {journal.failure}"
        raise UnwritableError(f"{error}{left}") from error
    if journal is not None:
        journal.drop()


def drop_empty(project: Project, file: Path, session: RecordSession | ExtendSession) -> None:
    """Remove the journal of a recording in which nothing was answered: there is nothing to recover."""
    if not any(each.exchange.response.status for each in session.played):
        drop_file(file.with_suffix(".journal"), project.cassettes)


def _origin(session: RecordSession | ExtendSession) -> str:
    headers = (name for each in session.played for name, _ in each.exchange.response.headers)
    return _SIMULATED if "x-simulated-provider" in headers else _LIVE


def _earlier(file: Path) -> Cassette | None:
    try:
        return load_cassette(file) if file.is_file() else None
    except CassetteError:  # it is about to be replaced, whatever it holds
        return None


def _said(exchange: Exchange) -> object:
    """What two recordings of the same conversation have in common."""
    request, response = exchange.request, exchange.response
    kind = dict(response.headers).get("content-type")
    return (*raw_key(request, anywhere=True), response.status, kind, response.body, response.ending)
