"""Paths, and reading and writing whole files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from harness.disk import locked, put, stage, sweep
from harness.errors import BadInputError, Fault
from harness.git import left_by_git
from harness.records.base import Record
from harness.records.comparison import Results
from harness.records.run import Run, RunFacts
from harness.records.scenario import Case
from harness.settings import Project
from harness.store.forms import json_text

__all__ = [
    "accepted_scenarios",
    "baseline_file",
    "cassette_file",
    "drop_file",
    "merge_baselines",
    "read_baseline",
    "read_facts",
    "read_results",
    "surplus_cassettes",
    "write_text",
    "write_texts",
]

R = TypeVar("R", bound=Record)


def cassette_file(project: Project, case: Case, trial: int, rubric: str | None = None) -> Path:
    """Where the recording of a trial lies: the agent's own, or with ``rubric`` that judge's."""
    name = f"{trial}.yaml" if rubric is None else f"{trial}.judge-{rubric}.yaml"
    return project.cassettes / case.scenario.name / case.name / name


def surplus_cassettes(project: Project, case: Case, rubrics: Iterable[str]) -> tuple[Path, ...]:
    """Recordings in a case's folder that no trial or judge of it asks for."""
    asked = {cassette_file(project, case, trial).name for trial in range(1, case.scenario.trials + 1)}
    rubrics = tuple(rubrics)
    asked |= {
        cassette_file(project, case, trial, rubric).name
        for trial in range(1, case.scenario.trials + 1)
        for rubric in rubrics
    }
    folder = cassette_file(project, case, 1).parent
    return tuple(sorted(file for file in folder.glob("*.yaml") if file.name not in asked))


def baseline_file(project: Project, scenario: str) -> Path:
    """Where the accepted state of a scenario lies: beside its cassettes."""
    return project.cassettes / scenario / "baseline.json"


def drop_file(file: Path, top: Path) -> None:
    """Remove a file where there is one, and the folders that this leaves empty, up to ``top``."""
    file.unlink(missing_ok=True)
    for folder in file.parents:
        if folder == top:
            break
        try:
            folder.rmdir()
        except OSError:  # it holds something, perhaps since just now
            break


def accepted_scenarios(project: Project) -> tuple[str, ...]:
    """The names of all scenarios that have an accepted state, those without a file included."""
    found = project.cassettes.rglob("baseline.json")
    return tuple(sorted(file.parent.relative_to(project.cassettes).as_posix() for file in found))


def read_baseline(project: Project, scenarios: Iterable[str]) -> Run:
    """The accepted state of these scenarios; those without one are left out.

    Raises :class:`BadInputError` with every file that can't be read.
    """
    runs: list[Run] = []
    faults: list[Fault] = []
    for name in sorted(set(scenarios)):
        file = baseline_file(project, name)
        if not file.is_file():
            continue
        try:
            run: Run = _read(file, Run)
        except BadInputError as error:
            faults.extend(error.faults)
            continue
        others = sorted({part.scenario for part in run.cases} - {name})
        if others:
            what = (
                f"holds the accepted state of {', '.join(others)}; restore its own, or delete it and `harness accept`"
            )
            faults.append(Fault(str(file), 0, 0, what))
        runs.append(run)
    if faults:
        raise BadInputError(faults)
    return Run.merge(runs)


def merge_baselines(project: Project, run: Run) -> dict[Path, str]:
    """The files that make the cases of a run the accepted state; other cases of their scenarios stay as they are."""
    files = {}
    for name in sorted({case.scenario for case in run.cases}):
        fresh = {key: part for key, part in run.by_case().items() if key[0] == name}
        kept = read_baseline(project, [name]).by_case()
        files[baseline_file(project, name)] = json_text(Run.merge({**kept, **fresh}.values()))
    return files


def read_results(file: Path) -> Results:
    """A ``results.json``. Raises :class:`BadInputError` where it can't be read or is none."""
    return _read(file, Results)


def read_facts(file: Path) -> RunFacts:
    """A ``run.json``. Raises :class:`BadInputError` where it can't be read or is none."""
    return _read(file, RunFacts)


def write_text(file: Path, text: str) -> None:
    """Write a file whole: a reader finds the old content or the new, never a part."""
    write_texts({file: text})


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write files that belong together: where there is no room for one, all stay as they were.

    Raises :class:`OSError` with the name of the file itself.
    """
    staged: dict[Path, Path] = {}
    with ExitStack() as stack:
        for folder in sorted({file.parent for file in texts}):
            folder.mkdir(parents=True, exist_ok=True)
            sweep(folder)
            stack.enter_context(locked(folder, shared=True))
        try:
            for file, text in texts.items():
                staged[file] = stage(file, text.encode())
            for file, whole in staged.items():
                put(whole, file)
        finally:
            for whole in staged.values():
                whole.unlink(missing_ok=True)


def _read(file: Path, kind: type[R]) -> R:
    try:
        data = file.read_bytes()
        return kind.model_validate_json(data)
    except OSError as error:
        raise BadInputError([Fault(str(file), 0, 0, f"can't be read: {error.strerror}; check the path")]) from error
    except ValidationError as error:
        if (fault := left_by_git(data, str(file))) is not None:
            raise BadInputError([fault]) from error
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        what = (
            f"is no {kind.__name__.lower()} that this version writes ({place}: {first['msg']}); run `harness run` anew"
        )
        raise BadInputError([Fault(str(file), 0, 0, what)]) from error
