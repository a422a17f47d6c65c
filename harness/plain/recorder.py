"""Plays and records the traffic of one test function, and says how it ended."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path

import pytest

from harness.cassettes import Journal, PlainSession, covered, load_cassette, read_journal
from harness.cassettes.playback import Playback
from harness.cassettes.sessions import Recording
from harness.cassettes.unsent import unplayed_mismatch
from harness.errors import CassetteError, CassetteMissError
from harness.plain.configuration import Configuration
from harness.records.exchange import Cassette, CassetteMetadata, Exchange, HttpRequest, HttpResponse
from harness.records.mismatch import Mismatch
from harness.secrets import declaring
from harness.settings import find_root, load_project
from harness.store import drop_file

__all__ = ["PlainCassette", "Recorder", "ungrouped"]


class Recorder:
    """The recording of one test."""

    def __init__(self, configuration: Configuration, mode: str, test: str) -> None:
        """``test``: the node id, for the command that records it anew.

        Raises :class:`CassetteError` where a cassette can't be read, or the journal not written.
        """
        path = configuration.path
        self._configuration = configuration
        self._test = test
        metadata = CassetteMetadata(
            scenario=test,
            case="default",
            trial=1,
            recorded_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            recorded_from="live provider",
        )
        self._metadata = metadata
        # a long name ends in its digest
        self._journal = Journal(path.with_name(f"{path.stem[-200:]}.journal"), metadata)
        self._found = path.is_file()
        self._records = mode in ("new_episodes", "all", "rewrite") or (mode == "once" and not self._found)
        self._renews = mode in ("all", "rewrite")
        self._recovered = _recover(self._journal.path) if self._records and mode != "all" else ()
        project = load_project(find_root(path.parent))
        with declaring(project.redaction):
            self.session = _TestSession(
                load_cassette(path) if self._found and mode != "rewrite" else Cassette(exchanges=()),
                [load_cassette(file) for file in configuration.shared if file.is_file()],
                filters=configuration.filters,
                volatile=project.volatile,
                renames=project.renames,
                plays=not self._renews or bool(self._recovered),
                journal=self._journal if self._records else None,
                recovered=self._recovered,
                repeats=configuration.repeats,
                allow_unplayed=configuration.allow_unplayed,
            )

    @property
    def is_recording(self) -> bool:
        """Whether requests may go out."""
        return self._records

    @contextmanager
    def playing(self) -> Iterator[PlainCassette]:
        """Answer the test's requests. Raises :class:`InterceptionError` where they would not come here."""
        with covered(self.session):
            yield PlainCassette(self.session)

    def save(self, passed: bool | None) -> None:
        """Write what was recorded, whole, and drop the journal. Raises :class:`CassetteError`.

        Where nothing was answered the earlier recording stays as it is. ``passed`` is None where the test was
        interrupted: the journal then keeps what has been recorded.
        """
        if passed is None:
            return
        answered = any(exchange.response.status for exchange in (*self._recovered, *self.session.recorded))
        if answered and (passed or self._configuration.keeps_failed):
            from harness.pipeline.keeping import keep_exchanges  # late: a replay, the common case, needs none of it

            keep_exchanges(self._configuration.path, self._metadata, self.session.renewed, self._journal)
        if self._records:
            self._journal.drop()
            drop_file(self._journal.path, self._journal.path.parents[2])

    def miss(self) -> str | None:
        """Why a request of the test had no answer, and what mends it; None where all had one."""
        mismatch = self.session.mismatch
        if mismatch is None:
            return None
        if self._found or self._records or self._configuration.shared:
            return self._describe(mismatch)
        what = f"unrecorded: {self._shown} does not exist, and so nothing answers {mismatch.current}"
        return f"{what}\n{self._remedy}"

    def unplayed(self) -> str | None:
        """Which recorded exchanges the test did not ask for; None where it asked for all, or need not."""
        left = self.session.unplayed
        if not left or self._renews or self._configuration.allow_unplayed:
            return None
        return self._describe(unplayed_mismatch(self.session.own, left))

    @property
    def _shown(self) -> str:
        path = self._configuration.path
        return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)

    @property
    def _remedy(self) -> str:
        return f"run: {shlex.join(['pytest', self._test, '--record-mode=rewrite'])}"

    def _describe(self, mismatch: Mismatch) -> str:
        from harness.reporting import describe_mismatch  # late, for the same reason

        place = f"call {mismatch.turn} of {self._shown}"
        return "\n".join([*describe_mismatch(mismatch, place), self._remedy])


class _MissedError(CassetteMissError, pytest.fail.Exception):  # type: ignore[name-defined,misc]
    """A miss that is pytest's own failure as well.

    anyio's pytest plugin runs all async tests and fixtures of a loop in one task, which any other BaseException ends:
    the fixtures would be left open.
    """


class _TestSession(PlainSession):
    """Fails a test function in pytest's own way."""

    def meet(self, request: HttpRequest) -> Playback | Recording:
        """The recorded answer, or a recording to fill. Raises :class:`CassetteMissError` where it may be neither."""
        try:
            return super().meet(request)
        except CassetteMissError as miss:
            raise _MissedError(str(miss)) from None

    def refuse(self, cause: str, current: str) -> CassetteMissError:
        """The error for a request that can't be served at all; the test fails with it."""
        return _MissedError(str(super().refuse(cause, current)))


def ungrouped(test: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
    """The same async test, which ends in a miss itself where a group of its tasks ended in one."""

    @wraps(test)
    async def run(*args: object, **options: object) -> object:
        try:
            return await test(*args, **options)
        except BaseExceptionGroup as group:
            if group.subgroup(CassetteMissError) is None:
                raise
            raise _MissedError(str(group)) from group

    return run


def _recover(journal: Path) -> tuple[Exchange, ...]:
    """What an interrupted recording of the test had been answered. Raises :class:`CassetteError`."""
    if not journal.is_file():
        return ()
    left = read_journal(journal)
    if left is None:
        raise CassetteError(f"{journal}:1: another process is recording this test; wait for its end")
    return left.usable


class PlainCassette:
    """What the fixture ``vcr`` gives a test: what has been played so far."""

    def __init__(self, session: PlainSession) -> None:
        self._session = session

    @property
    def play_count(self) -> int:
        """How many requests the recording answered."""
        return self._session.replayed

    @property
    def all_played(self) -> bool:
        """Whether the test has asked for everything that its own file holds."""
        return not self._session.unplayed

    @property
    def dirty(self) -> bool:
        """Whether anything was recorded."""
        return bool(self._session.recorded)

    @property
    def requests(self) -> list[HttpRequest]:
        """Of the file and of this test."""
        return [exchange.request for exchange in self._exchanges]

    @property
    def responses(self) -> list[HttpResponse]:
        """Of the file and of this test."""
        return [exchange.response for exchange in self._exchanges]

    def __len__(self) -> int:
        return len(self._exchanges)

    @property
    def _exchanges(self) -> tuple[Exchange, ...]:
        return self._session.renewed
