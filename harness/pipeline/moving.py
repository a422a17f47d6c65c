"""Renames a scenario, or a folder of them, with all that was recorded and accepted for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.cassettes import load_cassette
from harness.cassettes.writing import write_cassette
from harness.errors import BadInputError, CassetteError, Fault
from harness.loading import is_scenario_file
from harness.loading.files import check_path, shown
from harness.records.base import NAME_PATTERN
from harness.records.run import Run
from harness.seams import mint_id
from harness.settings import Project
from harness.store import drop_file, json_text, read_baseline, write_texts

__all__ = ["Move", "carry_out", "plan_move"]

_SUFFIXES = (".yaml", ".yml")
_PART = re.compile(NAME_PATTERN.removesuffix("$"))


@dataclass(frozen=True, slots=True)
class Move:
    """What is to happen, found possible as a whole."""

    renames: tuple[tuple[Path, Path], ...]
    """Files and folders that only get another place."""
    texts: Mapping[Path, str]
    """Recordings and accepted states at their new place, which name the scenario inside."""
    gone: tuple[tuple[Path, Path], ...]
    """Where those were, and where they will be."""


def plan_move(project: Project, old: str, new: str) -> Move:
    """Find out what belongs to a scenario or a folder of scenarios, and that nothing stands in its new place.

    Names are those of scenarios, or paths to their files. Where an earlier move was interrupted, the rest of it is
    planned. Raises :class:`BadInputError` with everything that is in the way, and :class:`CassetteError` for a
    recording that can't be read.
    """
    before, after = _name(project, old), _name(project, new)
    sources, is_folder = _sources(project, before, after)
    faults = list(_check_place(project, after, sources, is_folder=is_folder))
    files = dict.fromkeys(_kept(project, before, is_folder=is_folder))
    journals = [file for file in files if file.suffix == ".journal"]
    for journal in journals:
        what = "holds an interrupted recording; first end it with `harness record`, or delete it"
        faults.append(Fault(shown(project, journal), 0, 0, what))
    places = {file: project.cassettes / after / file.relative_to(project.cassettes / before) for file in files}
    if faults:
        raise BadInputError(faults)
    texts = {place: _renamed(project, file, before, after) for file, place in places.items() if _names_inside(file)}
    taken = (file for file in _kept(project, after, is_folder=is_folder) if not file.name.startswith("."))
    others = set(taken) - set(places.values()) if sources else set()  # else the rest of a move: some are there already
    differ = {place for place, text in texts.items() if place.exists() and _text_of(place) != text}
    differ |= {place for file, place in places.items() if not _names_inside(file) and place.exists()}
    if others or differ:
        what = f"is in the way: it belongs to {after!r} already; delete it, or choose another name"
        raise BadInputError([Fault(shown(project, file), 0, 0, what) for file in sorted(others | differ)])
    renames = [*sources, *((file, place) for file, place in places.items() if not _names_inside(file))]
    if not renames and not places:
        what = f"there is neither a scenario nor a recording of that name; `{project.scenarios.name}/` has others"
        raise BadInputError([Fault(before, 0, 0, what)])
    return Move(tuple(renames), texts, tuple((file, places[file]) for file in places if _names_inside(file)))


def carry_out(project: Project, move: Move) -> None:
    """Write what is new, then rename, then remove what is old: whenever it is cut off, to begin again finishes it."""
    write_texts(move.texts)
    for old, new in move.renames:
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        _drop_folders(old.parent, project)
    for file, _place in move.gone:
        drop_file(file, project.cassettes)


def _name(project: Project, given: str) -> str:
    """The name of a scenario, given as such or as the path of its file."""
    path = Path(given)
    if path.suffix in _SUFFIXES or path.is_absolute():
        full = Path.cwd() / path
        if ".." in path.parts or not full.is_relative_to(project.scenarios):
            what = f"is not in {shown(project, project.scenarios)}/, where this project's scenarios are"
            raise BadInputError([Fault(given, 0, 0, what)])
        given = full.relative_to(project.scenarios).with_suffix("").as_posix()
    parts = given.rstrip("/").split("/")
    wrong = [part for part in parts if not _PART.fullmatch(part)]
    if wrong:
        what = (
            f"{wrong[0]!r} is no part of a name; use lower-case letters, digits, `.`, `_`, `-`, and `/` between folders"
        )
        raise BadInputError([Fault(given, 0, 0, what)])
    return "/".join(parts)


def _sources(project: Project, before: str, after: str) -> tuple[list[tuple[Path, Path]], bool]:
    """The scenario's file, with the simulated provider's scripts beside it, or the folder; and whether it is one."""
    top = project.scenarios
    folder, stem = (top / before).parent, (top / before).name
    scripts = [*folder.glob(f"{stem}.script.yaml"), *folder.glob(f"{stem}.*.script.yaml")]
    files = [file for suffix in _SUFFIXES if (file := folder / f"{stem}{suffix}").is_file()]
    if files or scripts:  # the scenario last: as long as it is in its place, the old name is found again
        new = top / after
        return [(file, new.with_name(new.name + file.name[len(stem) :])) for file in (*sorted(scripts), *files)], False
    if (top / before).is_dir():
        return [(top / before, top / after)], True
    return [], (top / after).is_dir() and not any((top / f"{after}{suffix}").is_file() for suffix in _SUFFIXES)


def _check_place(project: Project, after: str, sources: list[tuple[Path, Path]], *, is_folder: bool) -> Iterator[Fault]:
    """What stands against the new place of the scenario itself."""
    if sources and not is_folder:
        new = sources[-1][1]
        if not is_scenario_file(project, new):
            what = (
                "would be no scenario there: a script, or in a folder of prompts, rubrics or documents; choose another"
            )
            yield Fault(shown(project, new), 0, 0, what)
        yield from check_path(project, new)
    for old, new in sources:
        if new.exists() or new.is_symlink():
            yield Fault(shown(project, new), 0, 0, "exists already; choose another name")
        if is_folder and new.is_relative_to(old):
            yield Fault(shown(project, new), 0, 0, "lies inside of what is to be moved; choose another name")
    if not sources and not any(_exists(project, after)):
        what = f"neither the old name nor {after!r} is a scenario; name one in {shown(project, project.scenarios)}/"
        yield Fault(after, 0, 0, what)


def _exists(project: Project, name: str) -> Iterator[bool]:
    yield (project.scenarios / name).is_dir()
    yield from ((project.scenarios / f"{name}{suffix}").is_file() for suffix in _SUFFIXES)


def _kept(project: Project, name: str, *, is_folder: bool) -> Iterator[Path]:
    """What lies among the cassettes under a name; without the scenarios below it, unless it is a folder of them."""
    top = project.cassettes / name
    if is_folder:
        yield from sorted(file for file in top.rglob("*") if file.is_file())
        return
    if (top / "baseline.json").is_file():
        yield top / "baseline.json"
    for file in sorted(top.glob("*/*")):
        if file.is_file() and file.name != "baseline.json":  # that is the state of a scenario below this one
            yield file


def _names_inside(file: Path) -> bool:
    return file.name == "baseline.json" or file.suffix == ".yaml"


def _renamed(project: Project, file: Path, before: str, after: str) -> str:
    """The text of a recording or an accepted state that names its scenario by the new name."""
    if file.name == "baseline.json":
        name = file.parent.relative_to(project.cassettes).as_posix()
        return json_text(_renamed_run(project, read_baseline(project, [name]), before, after))
    cassette = load_cassette(file)
    if cassette.metadata is None:
        return _text_of(file)
    scenario = _renamed_scenario(cassette.metadata.scenario, before, after)
    metadata = cassette.metadata.model_copy(update={"scenario": scenario})
    return write_cassette(cassette.model_copy(update={"metadata": metadata}))


def _renamed_scenario(name: str, before: str, after: str) -> str:
    if name == before:
        return after
    return f"{after}{name[len(before) :]}" if name.startswith(f"{before}/") else name


def _renamed_run(project: Project, run: Run, before: str, after: str) -> Run:
    """An accepted state as if it had been reached under the new name: ids of runs derive from it."""
    cases = []
    for case in run.cases:
        name = _renamed_scenario(case.scenario, before, after)
        old = f"{shown(project, project.scenarios)}/{case.scenario}"
        source = case.source.replace(old, f"{shown(project, project.scenarios)}/{name}", 1)
        cases.append(case.model_copy(update={"scenario": name, "source": source}))
    trials = []
    for trial in run.trials:
        name = _renamed_scenario(trial.scenario, before, after)
        trace = trial.trace
        if trace is not None and trace.run_id == mint_id(trial.scenario, trial.case, trial.trial, 0):
            trace = trace.model_copy(update={"run_id": mint_id(name, trial.case, trial.trial, 0)})
        trials.append(trial.model_copy(update={"scenario": name, "trace": trace}))
    return Run(cases=tuple(cases), trials=tuple(trials))


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CassetteError(f"{file}:1: is not UTF-8; restore it from version control") from error


def _drop_folders(folder: Path, project: Project) -> None:
    """Remove folders that were left empty, up to the project's own."""
    while folder not in (project.scenarios, project.cassettes, project.root) and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
