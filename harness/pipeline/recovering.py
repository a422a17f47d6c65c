"""What interrupted commands left behind: found, used again, and cleaned up."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.cassettes import Leftover, read_journal, save_cassette
from harness.cassettes.files import shown as as_typed
from harness.errors import BadInputError, CassetteError, Fault
from harness.loading.files import shown
from harness.records.exchange import Cassette
from harness.records.scenario import Case
from harness.settings import Project
from harness.store import cassette_file, drop_file, finish

__all__ = ["describe_kept", "interrupted", "left_over", "recover"]

_JOURNAL = ".journal"


def left_over(file: Path) -> Cassette | None:
    """The answers of an interrupted recording that was to become this file; None where there are none.

    Raises :class:`CassetteError` where another process is recording it now, or the journal is none.
    """
    journal = file.with_suffix(_JOURNAL)
    if not journal.is_file():
        return None
    left = read_journal(journal)
    if left is None:
        raise CassetteError(f"{as_typed(journal)}:1: another process is recording this trial; wait for its end")
    return Cassette(metadata=left.metadata, exchanges=left.usable) if left.usable else None


def interrupted(project: Project, cases: Iterable[Case] | None = None) -> tuple[Path, ...]:
    """The journals of recordings that did not end, those of these cases or all; those under way now included."""
    if cases is None:
        return tuple(sorted(project.cassettes.rglob(f"*{_JOURNAL}")))
    folders = {cassette_file(project, case, 1).parent for case in cases}
    return tuple(sorted(file for folder in folders for file in folder.glob(f"*{_JOURNAL}")))


def describe_kept(project: Project, cases: Iterable[Case]) -> str | None:
    """What an interruption of these cases leaves, for whoever interrupts; None where it is nothing."""
    left = [found for found in map(read_journal, interrupted(project, cases)) if found is not None and found.usable]
    count = sum(len(found.usable) for found in left)
    if not count:
        return None
    held = "1 answer is" if count == 1 else f"{count} answers are"
    return f"{held} kept, and used again by the same command; `harness recover` names the files"


def recover(project: Project, paths: Sequence[Path] = ()) -> Iterator[str]:
    """Make of each interrupted recording what can be made of it; a line for each, and for what else was finished.

    ``paths`` are scenarios, folders or journals; without any, all of the project's. Raises :class:`BadInputError` for a
    path that is not there and :class:`CassetteError`, at the end, for each journal that is none.
    """
    journals = _find(project, paths)
    if finish(project):
        yield "finished what an interrupted command had begun"
    broken = []
    for journal in journals:
        try:
            yield _recover(project, journal)
        except CassetteError as error:
            broken.append(error)
    if broken:
        raise CassetteError.join(broken)


def _recover(project: Project, journal: Path) -> str:
    place = shown(project, journal)
    left = read_journal(journal)
    if left is None:
        return f"{place}: another process is recording it"
    count = f"{len(left.usable)} {'exchange' if len(left.usable) == 1 else 'exchanges'}"
    if left.ended and left.metadata is not None:
        file = journal.with_suffix(".yaml")
        save_cassette(file, Cassette(metadata=left.metadata, exchanges=left.usable))
        journal.unlink()
        return f"{shown(project, file)}: recovered whole, {count}"
    if not left.usable:
        drop_file(journal, project.cassettes)
        return f"{place}: nothing had been answered; removed"
    return f"{place}: {count} kept; {_describe_use(project, left)}"


def _describe_use(project: Project, left: Leftover) -> str:
    folder, top = left.path.resolve().parent.parent, project.cassettes.resolve()
    if left.metadata is None or folder == top or not folder.is_relative_to(top):
        return "used again when it is recorded again"
    scenario = project.scenarios / f"{folder.relative_to(top).as_posix()}.yaml"
    command = ["harness", "run", "--mode", "extend"] if ".pending" in left.path.suffixes else ["harness", "record"]
    return f"used again by: {shlex.join([*command, shown(project, scenario)])}"


def _find(project: Project, paths: Sequence[Path]) -> tuple[Path, ...]:
    if not paths:
        return interrupted(project)
    missing = [Fault(str(path), 0, 0, "is not there; check the path") for path in paths if not path.exists()]
    if missing:
        raise BadInputError(missing)
    found: set[Path] = set()
    for path in paths:
        full = path.resolve()
        if full.is_relative_to(project.scenarios.resolve()):
            full = project.cassettes / full.relative_to(project.scenarios.resolve()).with_suffix("")
        found |= {full} if full.suffix == _JOURNAL else set(full.rglob(f"*{_JOURNAL}"))
    return tuple(sorted(found))
