"""Which recordings of a case lie on disk: the accepted ones, and those that wait beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from harness.errors import BadInputError, Fault
from harness.records.scenario import Case
from harness.settings import Project
from harness.store.files import cassette_file

__all__ = ["accepted_place", "pending_file", "pending_place", "pending_recordings", "recorded_trials"]

_PENDING = ".pending.yaml"
_PENDING_NAME = re.compile(r"[1-9][0-9]{0,3}(\.judge-[a-z0-9][a-z0-9._-]{0,80})?\.pending\.yaml")
_TRIAL = re.compile(r"([1-9][0-9]{0,3})\.yaml")


def recorded_trials(project: Project, case: Case) -> int:
    """The highest number of a trial of this case that has a recording; 0 where none has."""
    folder = cassette_file(project, case, 1).parent
    found = (_TRIAL.fullmatch(file.name) for file in folder.glob("*.yaml"))
    return max((int(match[1]) for match in found if match), default=0)


def pending_place(file: Path) -> Path:
    """Where a new recording waits beside the accepted one."""
    return file.with_name(file.name.removesuffix(".yaml") + _PENDING)


def accepted_place(file: Path) -> Path:
    """The recording that a pending one would replace."""
    return file.with_name(file.name.removesuffix(_PENDING) + ".yaml")


def pending_file(project: Project, scenario: str, case: str, name: str) -> Path:
    """A recording that results name. Raises :class:`BadInputError` where they name something else."""
    file = project.cassettes / scenario / case / name
    if not _PENDING_NAME.fullmatch(name) or not file.resolve().is_relative_to(project.cassettes.resolve()):
        raise BadInputError([Fault(str(file), 0, 0, "is no place of a recording that waits; run again")])
    return file


def pending_recordings(project: Project, scenarios: Iterable[str] = ()) -> tuple[Path, ...]:
    """The recordings that wait, of these scenarios; of all, if none is named."""
    names = set(scenarios)
    found = project.cassettes.rglob(f"*{_PENDING}")
    return tuple(sorted(file for file in found if not names or _scenario_of(project, file) in names))


def _scenario_of(project: Project, file: Path) -> str:
    return file.parent.parent.relative_to(project.cassettes).as_posix()
