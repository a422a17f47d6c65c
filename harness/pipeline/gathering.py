"""Finds a project, its scenarios and what its conftest declares."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from harness.cassettes import sealed
from harness.errors import BadInputError, Fault
from harness.loading import check_references, load_conftests, load_scenarios, select
from harness.records.scenario import Case
from harness.registry import REGISTRY, Registry
from harness.settings import Project, find_root, load_project
from harness.store import recorded_trials

__all__ = ["gather_cases", "go_offline", "open_project", "settle_trials"]


def open_project(paths: Sequence[Path]) -> Project:
    """The project that the paths, or the working folder, belong to."""
    return load_project(find_root(paths[0] if paths else Path.cwd()))


def go_offline(project: Project) -> AbstractContextManager[None]:
    """Let nothing leave the process but to the project's allowed hosts: for a replay, its imports, and its exit."""
    return sealed(project.allowed_hosts, until_exit=True)


def gather_cases(
    project: Project,
    paths: Sequence[Path] = (),
    *,
    keyword: str | None = None,
    tag: str | None = None,
    trials: int | None = None,
    registry: Registry = REGISTRY,
) -> tuple[Case, ...]:
    """The selected cases, loaded and checked against what conftest declares.

    ``trials`` is for the scenarios that don't say themselves how many they need; without it, as many as are recorded.
    Raises :class:`BadInputError` with every fault of every file, and where the selection holds nothing.
    """
    scenarios = load_scenarios(project, paths)
    load_conftests(project, [project.root / scenario.source for scenario in scenarios])
    faults = check_references(project, scenarios, registry)
    if faults:
        raise BadInputError(faults)
    cases = select([Case(scenario=scenario) for scenario in scenarios], keyword=keyword, tag=tag)
    if not cases:
        place = project.scenarios.relative_to(project.root) if project.scenarios.is_relative_to(project.root) else None
        wanted = " ".join(part for part in (keyword and f"-k {keyword!r}", tag and f"-m {tag!r}") if part)
        what = "holds no scenario; write one, NAME.yaml"
        if wanted:
            what = f"no scenario matches {wanted}; `harness run` without filters runs them all"
        raise BadInputError([Fault(str(place or project.scenarios), 0, 0, what)])
    return tuple(settle_trials(project, case, trials) for case in cases)


def settle_trials(project: Project, case: Case, wanted: int | None = None) -> Case:
    """The case with the number of its trials: what its scenario pins, else what is wanted, else what is recorded."""
    if "trials" in case.scenario.model_fields_set:
        return case
    trials = wanted or recorded_trials(project, case) or 1
    return case.model_copy(update={"scenario": case.scenario.model_copy(update={"trials": trials})})
