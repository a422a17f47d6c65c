"""Several files changed in one act: all of them or none, whenever the process or the machine dies.

Every new content is staged beside its place; then one record of what is to be done is written, which is the moment at
which the act holds; then files are renamed and removed, and the record goes. A death before the record leaves staged
files, which are swept; a death after it leaves the record, and :func:`finish` does the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from harness.disk import is_staged, locked, naming, put, stage, sweep, sync_folder
from harness.errors import BadInputError, Fault
from harness.records.base import Record
from harness.settings import Project
from harness.store.files import drop_file

__all__ = ["check_finished", "commit", "finish"]

_RECORD = ".transaction.json"


class _Write(Record):
    """A staged file, and the place that it is for."""

    staged: str
    file: str
    digest: str


class _Act(Record):
    """What has been decided and may not all be done. Paths are relative to the project where they lie in it."""

    writes: tuple[_Write, ...]
    removes: tuple[str, ...]


def commit(project: Project, writes: Mapping[Path, bytes], removes: Iterable[Path] = ()) -> None:
    """Write these files and remove those, in one act. Folders that this leaves empty go as well.

    All files lie below the project's cassettes or scenarios. An act that a process left unfinished is finished first.
    Raises :class:`OSError` with the name of the file where the disk refuses; nothing was changed then.
    """
    project.cassettes.mkdir(parents=True, exist_ok=True)
    record = project.cassettes / _RECORD
    with locked(project.cassettes):
        _roll_forward(project)
        staged: dict[Path, Path] = {}
        try:
            for file, data in writes.items():
                staged[file] = stage(file, data)
            act = _Act(
                writes=tuple(
                    _Write(staged=_name(project, staged[file]), file=_name(project, file), digest=_digest(data))
                    for file, data in writes.items()
                ),
                removes=tuple(_name(project, file) for file in removes if file not in writes),
            )
            for folder in {file.parent for file in staged}:
                sync_folder(folder)
            put(stage(record, act.model_dump_json(indent=1).encode() + b"\n"), record)
        finally:
            if not record.is_file():
                for file, whole in staged.items():
                    drop_file(whole, _top(project, file))
        _apply(project, act)


def finish(project: Project) -> bool:
    """Finish an act that was interrupted after it was decided, and sweep what was staged and never decided.

    Every command that writes begins with this. Whether there was an act to finish. Raises :class:`BadInputError`
    where its record can't be followed.
    """
    if not project.cassettes.is_dir():
        return False
    with locked(project.cassettes):
        finished = _roll_forward(project)
        for top in (project.cassettes, project.scenarios):
            for folder in {file.parent for file in top.rglob(".*.tmp")} - {project.cassettes}:
                sweep(folder)
    sweep(project.cassettes)
    return finished


def check_finished(project: Project) -> None:
    """Raise :class:`BadInputError` where an act is half done, for those who only read."""
    record = project.cassettes / _RECORD
    if not record.is_file():
        return
    with locked(project.cassettes, shared=True):  # whoever is at it right now gets to its end
        left = record.is_file()
    if left:
        what = "a command was interrupted while it changed several files; finish it: harness recover"
        raise BadInputError([Fault(_name(project, record), 0, 0, what)])


def _roll_forward(project: Project) -> bool:
    record = project.cassettes / _RECORD
    if not record.is_file():
        return False
    try:
        act = _Act.model_validate_json(record.read_bytes())
    except ValidationError as error:
        raise _unusable(project, "is no record of an interrupted command") from error
    for write in act.writes:
        staged, file = _place(project, write.staged), _place(project, write.file)
        if not is_staged(staged) or staged.parent != file.parent:
            raise _unusable(project, f"takes {write.file} from {write.staged!r}, which no command writes")
        source = staged if staged.is_file() else file
        if not source.is_file() or _digest(source.read_bytes()) != write.digest:
            raise _unusable(project, f"can't be finished: what was to become {write.file} is gone")
    for name in act.removes:
        _place(project, name)
    _apply(project, act)
    return True


def _apply(project: Project, act: _Act) -> None:
    folders = set()
    for write in act.writes:
        staged, file = _place(project, write.staged), _place(project, write.file)
        if staged.is_file():
            with naming(file):
                staged.replace(file)
        folders.add(file.parent)
    for name in act.removes:
        file = _place(project, name)
        drop_file(file, _top(project, file))
        folders.add(file.parent)
    for folder in folders:
        if folder.is_dir():
            sync_folder(folder)
    (project.cassettes / _RECORD).unlink()
    sync_folder(project.cassettes)


def _top(project: Project, file: Path) -> Path:
    return project.cassettes if file.is_relative_to(project.cassettes) else project.scenarios


def _name(project: Project, file: Path) -> str:
    return (file.relative_to(project.root) if file.is_relative_to(project.root) else file).as_posix()


def _place(project: Project, name: str) -> Path:
    """The file that a record names: a record may come with a pull request, and reach nothing but what is ours."""
    file = project.root / name
    tops = [top.resolve() for top in (project.cassettes, project.scenarios)]
    if ".." in file.parts or not any(file.parent.resolve().is_relative_to(top) for top in tops):
        raise _unusable(project, f"names {name!r}, which lies outside the cassettes and scenarios")
    return file


def _unusable(project: Project, what: str) -> BadInputError:
    record = _name(project, project.cassettes / _RECORD)
    remedy = "look at `git status`, restore what is missing, and delete this file"
    return BadInputError([Fault(record, 0, 0, f"{what}; {remedy}")])


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
