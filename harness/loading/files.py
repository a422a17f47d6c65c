"""Which files are scenarios, and what they are called."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import BadInputError, Fault
from harness.records.base import NAME_PATTERN
from harness.settings import Project

__all__ = ["check_path", "find_files", "is_scenario_file", "scenario_name", "scenario_names", "shown"]

_SUFFIXES = (".yaml", ".yml")
_OTHER_FOLDERS = {"documents", "prompts", "rubrics"}
"""Folders beside scenarios whose files are texts of theirs."""
_PART = re.compile(NAME_PATTERN.removesuffix("$"))


def is_scenario_file(project: Project, file: Path) -> bool:
    """Whether a path is meant as a scenario. Nothing is read.

    YAML below the scenarios folder is; a simulated provider's script (``NAME.script.yaml``), a hidden file and what
    lies in a folder of prompts, rubrics or documents is not.
    """
    if file.suffix not in _SUFFIXES or file.stem.endswith(".script"):
        return False
    try:
        *folders, name = file.relative_to(project.scenarios).parts
    except ValueError:
        return False
    return not name.startswith(".") and not any(map(_is_other, folders))


def scenario_name(project: Project, file: Path) -> str:
    """The path under the scenarios folder without the suffix, with forward slashes."""
    return file.relative_to(project.scenarios).with_suffix("").as_posix()


def scenario_names(project: Project) -> tuple[str, ...]:
    """The names of all scenarios of a project, sorted."""
    return tuple(scenario_name(project, file) for file in find_files(project))


def find_files(project: Project, paths: Sequence[Path] = ()) -> tuple[Path, ...]:
    """The scenario files at or below the paths, sorted by name; all of the project without any.

    Raises :class:`BadInputError` with each path that holds none, and each linked folder: what is behind it would be
    left out in silence.
    """
    chosen: dict[Path, None] = {}
    faults: list[Fault] = []
    for path in paths or (project.scenarios,):
        start = _within(project, path)
        if start is None or not start.exists():
            faults.append(Fault(str(path), 0, 0, _why_none(project, path)))
            continue
        found = dict.fromkeys(_walk(project, start, faults))
        if paths and not found:
            faults.append(Fault(str(path), 0, 0, _why_none(project, path)))
        chosen.update(found)
    if faults:
        raise BadInputError(dict.fromkeys(faults))
    return tuple(sorted(chosen, key=lambda file: scenario_name(project, file)))


def check_path(project: Project, file: Path) -> Iterator[Fault]:
    """What is wrong with a scenario file's own path."""
    name = scenario_name(project, file)
    for part in name.split("/"):
        if not _PART.fullmatch(part):
            what = f"{part!r} is no part of a name; use lower-case letters, digits, `.`, `_`, `-`, 81 at most"
            yield Fault(shown(project, file), 0, 0, what)
    for place in (file, *file.parents):
        if place == project.scenarios:
            break
        if place.is_symlink():
            yield Fault(shown(project, place), 0, 0, "is a link, and links are not followed; put the file itself here")
    twins = [twin.name for suffix in _SUFFIXES if (twin := file.with_suffix(suffix)) != file and twin.exists()]
    if twins:
        yield Fault(shown(project, file), 0, 0, f"has the same name as {twins[0]} beside it; rename one")


def shown(project: Project, file: Path) -> str:
    """A path as faults show it: relative to the project where possible, with forward slashes."""
    return file.relative_to(project.root).as_posix() if file.is_relative_to(project.root) else str(file)


def _within(project: Project, path: Path) -> Path | None:
    """A path that a user typed, as one at or below the scenarios folder; None where it leads elsewhere."""
    real, top = Path(os.path.realpath(path)), Path(os.path.realpath(project.scenarios))
    if top.is_relative_to(real):
        return project.scenarios
    return project.scenarios / real.relative_to(top) if real.is_relative_to(top) else None


def _walk(project: Project, start: Path, faults: list[Fault]) -> Iterator[Path]:
    if not start.is_dir():
        if is_scenario_file(project, start):
            yield start
        return
    for folder, folders, names in os.walk(start):
        here = Path(folder)
        folders[:] = [name for name in folders if not _is_other(name)]
        for name in folders:
            if (here / name).is_symlink():
                what = "is a link to a folder, and links are not followed; put the folder itself here"
                faults.append(Fault(shown(project, here / name), 0, 0, what))
        yield from (file for name in names if is_scenario_file(project, file := here / name))


def _is_other(folder: str) -> bool:
    return folder.startswith(".") or folder == "__pycache__" or folder in _OTHER_FOLDERS


def _why_none(project: Project, path: Path) -> str:
    top = shown(project, project.scenarios)
    if path == project.scenarios:
        return f"this project has no scenarios yet; write one in {top}/, as the README shows"
    if not path.exists():
        return f"no such file or folder; name one in {top}/"
    if _within(project, path) is None:
        return f"is not in {top}/, where this project's scenarios are; name one there"
    if path.is_file():
        return "is no scenario file; name one that ends in .yaml"
    return "holds no scenario file; name another folder"
