"""Files among the cassettes that no scenario asks for, judged from all scenario files, never from a selection."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from harness.errors import BadInputError, ExitCode
from harness.loading import load_scenarios, scenario_names
from harness.loading.files import shown
from harness.pipeline.gathering import settle_trials
from harness.records.drift import DriftClass, Finding
from harness.records.run import Run
from harness.records.scenario import Case, Judged, Scenario
from harness.settings import Project
from harness.store import surplus_cassettes

__all__ = ["find_leftovers", "find_orphans"]

_TRIAL = re.compile(r"[1-9][0-9]*(\.judge-[a-z0-9][a-z0-9._-]*?)?(?P<pending>\.pending)?\.(?P<suffix>yaml|journal)")
_UNFINISHED = re.compile(r"\..+\.(yaml|json|journal)\..+")
"""What a write that was interrupted leaves beside its file."""

_SAYS = {
    DriftClass.JOURNAL: "a recording was interrupted here; `harness recover` says how it goes on",
    DriftClass.PENDING: "a recording that waits for `harness accept` or `harness reject`",
    DriftClass.FOREIGN: "no recording of a scenario; it belongs elsewhere, or can be deleted",
    DriftClass.SURPLUS: "the scenario asks for no such trial or judge; delete it, or ask for it",
}
_COMMANDS = {DriftClass.JOURNAL: "harness recover", DriftClass.PENDING: "harness accept"}


def find_orphans(project: Project, run: Run) -> tuple[Finding, ...]:
    """What a run of every scenario may not pass over: recordings that no scenario asks for. None for a part of them."""
    if not {case.scenario for case in run.cases} >= set(scenario_names(project)):
        return ()
    return tuple(found for found in find_leftovers(project) if found.code is ExitCode.FAILED)


def find_leftovers(project: Project) -> tuple[Finding, ...]:
    """Every file below the cassettes folder that no scenario asks for, one finding per scenario that is gone."""
    return tuple(_Leftovers(project).find())


class _Leftovers:
    def __init__(self, project: Project) -> None:
        self._project = project
        self._names = frozenset(scenario_names(project)) if project.scenarios.is_dir() else frozenset()

    def find(self) -> Iterator[Finding]:
        orphans: dict[str, list[Path]] = {}
        for folder, folders, names in os.walk(self._project.cassettes):
            of_tests = {name for name in folders if self._is_of_tests(Path(folder, name))}
            folders[:] = sorted(name for name in set(folders) - of_tests if not name.startswith("."))
            files = [Path(folder, name) for name in sorted(names)]
            kinds = {file: kind for file in files if (kind := self._kind_of(file)) is not None}
            for file, kind in kinds.items():
                if kind is DriftClass.ORPHAN:
                    orphans.setdefault(self._scenario_of(file), []).append(file)
                else:
                    yield self._finding(file, kind)
            yield from self._surplus([file for file in files if file not in kinds and file.suffix == ".yaml"])
        yield from (self._orphan(name, files) for name, files in orphans.items())

    def _is_of_tests(self, folder: Path) -> bool:
        """Whether a folder holds the cassettes of a test module that lies beside ours."""
        top = self._project.cassettes
        return folder.parent == top and top.with_name(f"{folder.name}.py").is_file()

    def _kind_of(self, file: Path) -> DriftClass | None:
        """What a file is, where it is not simply in its place."""
        if file.name.startswith("."):
            return DriftClass.FOREIGN if _UNFINISHED.fullmatch(file.name) else None
        found = _TRIAL.fullmatch(file.name)
        scenario = self._scenario_of(file)
        if (found is None and file.name != "baseline.json") or not scenario:
            return DriftClass.FOREIGN
        if scenario not in self._names or (found and file.parent.name != "default"):
            return DriftClass.ORPHAN
        if found and found["suffix"] == "journal":
            return DriftClass.JOURNAL
        return DriftClass.PENDING if found and found["pending"] else None

    def _scenario_of(self, file: Path) -> str:
        """The scenario that a file would belong to: a baseline lies in its folder, a recording in that of a case."""
        folder = file.parent if file.name == "baseline.json" else file.parent.parent
        inside = folder != self._project.cassettes and folder.is_relative_to(self._project.cassettes)
        return folder.relative_to(self._project.cassettes).as_posix() if inside else ""

    def _surplus(self, files: list[Path]) -> Iterator[Finding]:
        """Recordings of one case that it does not ask for. Its file is read only where that may be so."""
        if not [file for file in files if file.name != "1.yaml"]:
            return
        scenario = self._load(self._scenario_of(files[0]))
        if scenario is None:
            return
        rubrics = {item.judge.rubric for item in scenario.expect if isinstance(item, Judged)}
        case = settle_trials(self._project, Case(scenario=scenario))
        surplus = set(surplus_cassettes(self._project, case, rubrics))
        yield from (self._finding(file, DriftClass.SURPLUS) for file in files if file in surplus)

    def _load(self, name: str) -> Scenario | None:
        """The scenario; None where its file is at fault, which whoever runs it is told."""
        found = [
            file for suffix in (".yaml", ".yml") if (file := self._project.scenarios / f"{name}{suffix}").is_file()
        ]
        try:
            return load_scenarios(self._project, found)[0]
        except BadInputError:
            return None

    def _finding(self, file: Path, kind: DriftClass) -> Finding:
        place = shown(self._project, file)
        return Finding(
            scenario=self._scenario_of(file) if kind is not DriftClass.FOREIGN else "",
            kind=kind,
            cause=f"{place}: {_SAYS[kind]}",
            file=place,
            command=_COMMANDS.get(kind),
            code=ExitCode.FAILED if kind is DriftClass.SURPLUS else ExitCode.OK,
        )

    def _orphan(self, name: str, files: list[Path]) -> Finding:
        count = f"{len(files)} {'file' if len(files) == 1 else 'files'}"
        if name in self._names:
            place = shown(self._project, files[0].parent)
            cause = f"{place}: {count} of a case that `{name}` does not have; delete the folder"
        else:
            place = shown(self._project, self._project.cassettes / name)
            cause = (
                f"{place}: {count} of `{name}`, and no scenario has that name; `harness mv {name} NEW`, or delete them"
            )
        return Finding(scenario=name, kind=DriftClass.ORPHAN, cause=cause, file=place, code=ExitCode.FAILED)
